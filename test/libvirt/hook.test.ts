/** The hook by itself, with what a domain may be called: no libvirt is needed for that. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helperUnderTest } from '../../harness/guest/helper.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { pythonForTest } from '../../harness/python-program.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of the hook skipped: ${skipped}`);

const hookFile = new URL('../../libvirt/hooks/qemu', import.meta.url);

interface Ran {
  readonly status: number | null;
  readonly stderr: string;
}

/** The hook with directories of its own, and one share, `vm1`. */
class Hook {
  readonly #directory = exportForTest();
  readonly #program = join(this.#directory, 'qemu');
  readonly sockets = join(this.#directory, 'run');

  constructor(options = '') {
    const configurations = join(this.#directory, 'etc');
    const bin = join(this.#directory, 'bin');
    for (const made of [configurations, bin, this.sockets, join(this.#directory, 'share')]) mkdirSync(made);
    symlinkSync(helperUnderTest, join(bin, 'virtfs-proxy-helper'));
    const hook = readFileSync(hookFile, 'utf8')
      .replace('configurations=/etc/virtfs-proxy-helper', `configurations='${configurations}'`)
      .replace('sockets=/run/virtfs-proxy-helper', `sockets='${this.sockets}'`)
      .replace('/run/systemd/system', '/nonexistent');
    writeFileSync(this.#program, hook);
    chmodSync(this.#program, 0o755);
    writeFileSync(
      join(configurations, 'vm1.conf'),
      `EXPORT=${join(this.#directory, 'share')}\nOPTIONS=--log-level=error ${options}\n`,
    );
    onTestFinished(() => {
      for (const file of readdirSync(this.sockets).filter((name) => name.endsWith('.domain'))) {
        const domain = readFileSync(join(this.sockets, file), 'utf8').slice(0, -1);
        this.run(domain, 'release', 'end');
      }
    });
  }

  /** What QEMU's proxy driver has in a domain. */
  argument(name: string): string {
    return `<qemu:arg value='proxy,id=share,socket=${this.sockets}/${name}/9p.sock'/>`;
  }

  /** @param xml of the shares, when it is not that of the proxy driver */
  run(
    domain: string,
    operation: 'prepare' | 'release',
    moment: 'begin' | 'end',
    name = 'vm1',
    xml = this.argument(name),
  ): Ran {
    return spawnSync(this.#program, [domain, operation, moment, '-'], {
      encoding: 'utf8',
      input: `<domain>\n    ${xml.replaceAll('\n', '\n    ')}\n</domain>\n`,
      env: { PATH: `${join(this.#directory, 'bin')}:${process.env['PATH'] ?? ''}` },
      timeout: 30_000,
    });
  }

  /** What there is while a domain has the share. */
  left(): string[] {
    return readdirSync(this.sockets).sort();
  }
}

describe.skipIf(skipped !== undefined)('the hook', () => {
  it.each([
    'vm',
    '-n',
    '-e',
    '--',
    'a\\tb',
    '\\',
    'a b',
    '$(id)',
    "it's",
    '"',
    '%s',
    '*',
    'a\nb',
    'a\n',
    'ü',
  ])(
    'starts and ends the helper of a domain that is called %j',
    (domain) => {
      const hook = new Hook();
      expect(hook.run(domain, 'prepare', 'begin')).toMatchObject({ status: 0, stderr: '' });
      expect(hook.left()).toEqual(['vm1', 'vm1.domain']);
      expect(readFileSync(join(hook.sockets, 'vm1.domain'), 'utf8')).toBe(`${domain}\n`);

      // no other one has it, not even one whose name only looks the same
      for (const other of [`${domain}\n`, `${domain}x`, domain.replace('\\t', '\t')]) {
        if (other === domain) continue;
        const refused = hook.run(other, 'prepare', 'begin');
        expect(refused.stderr).toContain(`domain ${other}: vm1 is in use by domain ${domain.trimEnd()} `);
        expect(refused.status).toBe(1);
        expect(hook.run(other, 'release', 'end').status).toBe(0);
        expect(hook.left()).toEqual(['vm1', 'vm1.domain']);
      }

      // its end was not told: it is started again
      expect(hook.run(domain, 'prepare', 'begin')).toMatchObject({ status: 0, stderr: '' });
      expect(hook.run(domain, 'release', 'end')).toMatchObject({ status: 0, stderr: '' });
      expect(hook.left()).toEqual([]);
    },
    60_000,
  );

  it.each(['-vm', 'a b', 'a;b', 'ü', '*', '.hidden', '&amp;'])(
    'refuses a share that is called %j',
    (name) => {
      const hook = new Hook();
      const { status, stderr } = hook.run('vm', 'prepare', 'begin', name);
      expect([status, stderr]).toEqual([
        1,
        `virtfs-proxy-helper: domain vm: ${name}: a share's name begins with a letter or digit, and has only these and _ . -\n`,
      ]);
      expect(hook.run('vm', 'release', 'end', name)).toMatchObject({ status: 0, stderr: '' });
      expect(hook.left()).toEqual([]);
    },
  );

  it('says that nothing starts a 9P server where no systemd runs, and that a share is not both', () => {
    const hook = new Hook();
    const server = "<source mode='connect' path='/run/virtfs-9p-server/vm1/9p.sock'/>";
    expect(hook.run('vm', 'prepare', 'begin', undefined, server)).toMatchObject({
      status: 1,
      stderr: `without systemd a 9P server is yours to start: virtfs-proxy-helper share
virtfs-proxy-helper: domain vm: the share vm1 did not start\n`,
    });
    expect(hook.run('vm', 'release', 'end', undefined, server)).toMatchObject({ status: 0, stderr: '' });
    expect(hook.left()).toEqual([]);
    const both = `${hook.argument('vm1')}\n${server}`;
    expect(hook.run('vm', 'prepare', 'begin', undefined, both)).toMatchObject({
      status: 1,
      stderr:
        "virtfs-proxy-helper: domain vm: vm1: a share is either for QEMU's proxy driver or has a 9P server\n",
    });
    expect(hook.run('vm', 'release', 'end', undefined, both)).toMatchObject({ status: 0, stderr: '' });
    expect(hook.left()).toEqual([]);
  });

  it('takes a pattern in the options as it is', () => {
    const { status, stderr } = new Hook('--fmode=/*').run('vm', 'prepare', 'begin');
    expect([status, stderr]).toEqual([1, expect.stringContaining('--fmode')]);
    expect(stderr).not.toContain('unexpected argument');
  });

  it('ends its helper and nobody else, such as a process whose socket has had the same path', async () => {
    const hook = new Hook();
    const path = join(hook.sockets, 'vm1/9p.sock');
    mkdirSync(join(hook.sockets, 'vm1'));
    // anybody can have a socket with this path, in mounts of his own
    const bound =
      's = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os.unlink(sys.argv[1])';
    const bystander = await pythonForTest([], bound, path);
    expect(readFileSync('/proc/net/unix', 'utf8')).toContain(` ${path}\n`);
    expect(hook.run('vm', 'prepare', 'begin')).toMatchObject({ status: 0, stderr: '' });
    const pid = readFileSync(join(hook.sockets, 'vm1/pid'), 'utf8').trim();
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    expect(hook.run('vm', 'release', 'end')).toMatchObject({ status: 0, stderr: '' });
    for (let tries = 0; tries < 500 && existsSync(`/proc/${pid}`); tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect([bystander.exitCode, bystander.signalCode]).toEqual([null, null]);
  });
});
