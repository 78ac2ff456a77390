/** examples/machine-with-shares.py, run by an ordinary user, with QEMU and a guest that mounts what it prints. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { codeBlocks } from '../../harness/documented.js';
import { GuestAgent } from '../../harness/guest/agent.js';
import { guestImage } from '../../harness/guest/image.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  asOrdinaryUser,
  Installation,
  ordinaryUser,
  ownedExportForTest,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { patience } from '../../harness/patience.js';
import { sharedForTest } from '../../harness/share-process.js';
import { exportForTest } from '../../harness/tree.js';

const MINUTE = 60_000 * patience;
const skipped = whyNotRoot() ?? whyNoUserNamespaces();
if (skipped !== undefined) console.warn(`an ordinary user's machine with shares skipped: ${skipped}`);

/** A guest: what takes its scripts, and QEMU's words, in files of a directory. */
async function guestIn(place: string): Promise<{ agent: GuestAgent; qemu: string[] }> {
  const { kernel, initramfs } = guestImage();
  copyFileSync(kernel, join(place, 'kernel'));
  copyFileSync(initramfs, join(place, 'initramfs'));
  const agent = await GuestAgent.listen(join(place, 'agent'));
  onTestFinished(() => {
    agent.close();
  });
  chmodSync(join(place, 'agent'), 0o777);
  const qemu = [
    ...['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-m', '256'],
    ...['-kernel', join(place, 'kernel'), '-initrd', join(place, 'initramfs'), '-append', 'quiet'],
    ...['-chardev', `socket,id=agent,path=${join(place, 'agent')}`],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,nr=1'],
  ];
  return { agent, qemu };
}

describe.skipIf(skipped !== undefined)('the example for a machine of an ordinary user', () => {
  const installation = new Installation();
  afterAll(() => {
    installation.remove();
  });

  /** The example's words and environment, and a place where the user may do anything. */
  function prepared(): { argv: string[]; env: NodeJS.ProcessEnv; place: string } {
    const { base, path: place } = ownedExportForTest();
    const example = join(base, 'example.py');
    copyFileSync(fileURLToPath(new URL('../../examples/machine-with-shares.py', import.meta.url)), example);
    mkdirSync(join(base, 'bin'));
    symlinkSync(installation.program, join(base, 'bin/virtfs-proxy-helper'));
    // that of root may name programs which the user may not run
    const PATH = [join(base, 'bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(':');
    const env = { ...process.env, PATH, TMPDIR: place };
    return { argv: [...asOrdinaryUser, 'python3', example], env, place };
  }

  it(
    'has a guest with each directory, whose files are the user’s, and leaves nothing behind',
    async () => {
      const { argv, env, place } = prepared();
      for (const name of ['first', 'second']) {
        execFileSync('install', ['-d', '-o', String(ordinaryUser.uid), join(place, name)]);
        writeFileSync(join(place, name, 'from-host'), `${name}\n`, { mode: 0o644 });
        chownSync(join(place, name, 'from-host'), ordinaryUser.uid, ordinaryUser.gid);
      }
      const { agent, qemu } = await guestIn(place);
      const ready = agent.ready(2 * MINUTE);
      const [program, ...rest] = [...argv, `${place}/first`, `${place}/second`, '--', ...qemu];
      const machine = spawn(program!, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const ended = once(machine, 'exit');
      machine.once('exit', () => {
        agent.fail(new Error(`the example ended: ${errors}`));
      });
      let printed = '';
      let errors = '';
      machine.stdout.on('data', (text: Buffer) => (printed += text.toString()));
      machine.stderr.on('data', (text: Buffer) => (errors += text.toString()));
      await ready;
      const script = `set -e\n${printed}cat /mnt/first/from-host /mnt/second/from-host
        echo changed >/mnt/second/made; chown 7:8 /mnt/second/made; stat -c %u:%g /mnt/second/made`;
      const { status, stdout, stderr } = await agent.run(script, MINUTE);
      expect([status, stdout.toString(), stderr]).toEqual([0, 'first\nsecond\n7:8\n', '']);
      const made = join(place, 'second/made');
      expect([readFileSync(made, 'utf8'), statSync(made).uid]).toEqual(['changed\n', ordinaryUser.uid]);
      void agent.run('poweroff -f', MINUTE).catch(() => undefined);
      expect([await ended, errors]).toEqual([[0, null], '']);
      expect(execFileSync('ls', [place], { encoding: 'utf8' })).toBe(
        'agent\nfirst\ninitramfs\nkernel\nsecond\n',
      );
    },
    5 * MINUTE,
  );

  it('starts no machine where a directory cannot be shared, and says why', () => {
    const { argv, env, place } = prepared();
    const [program, ...rest] = [...argv, place, '/nonexistent', '--', 'touch', join(place, 'started')];
    const { status, stderr } = spawnSync(program, rest, { env, encoding: 'utf8', timeout: MINUTE });
    expect(stderr).toContain('cannot export /nonexistent: no such file or directory (ENOENT)');
    expect([status, existsSync(join(place, 'started'))]).toEqual([1, false]);
  });
});

describe.skipIf(whyNotRoot() !== undefined)("QEMU's file of options, as Incus and LXD take it", () => {
  it(
    'gives a guest the share',
    async () => {
      const { share, path, directory } = await sharedForTest();
      writeFileSync(join(directory, 'from-host'), 'written on the host\n');
      const place = exportForTest();
      const [documented] = codeBlocks('docs/orchestrators.md').filter((block) =>
        block.startsWith('[chardev'),
      );
      writeFileSync(join(place, 'qemu.conf'), documented!.replace('/run/virtfs-9p-server/vm2/9p.sock', path));
      const { agent, qemu } = await guestIn(place);
      const ready = agent.ready(2 * MINUTE);
      const [program, ...rest] = [...qemu, '-readconfig', join(place, 'qemu.conf')];
      const machine = spawn(program, rest, { stdio: 'ignore' });
      await ready;
      const mount = 'mount -t 9p -o trans=tcp,port=564,version=9p2000.L 10.0.2.100 /mnt';
      const { status, stdout } = await agent.run(`${mount} && cat /mnt/from-host`, MINUTE);
      expect([status, stdout.toString()]).toEqual([0, 'written on the host\n']);
      machine.kill();
      expect(await share.end()).toMatchObject({ status: 0 });
    },
    5 * MINUTE,
  );
});
