/**
 * docs/libvirt.md for domains without QEMU's proxy driver: Debian testing with its own libvirt and QEMU, booted by its systemd.
 * A guest reaches its share over QEMU's user network, or by a device of its own.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { BootedTree } from '../../harness/booted-tree.js';
import { type DebianTree, debianTesting } from '../../harness/debian-tree.js';
import { codeBlocks, shellBlocks } from '../../harness/documented.js';
import { GuestAgent } from '../../harness/guest/agent.js';
import { guestImage } from '../../harness/guest/image.js';
import { globalModules, installPackage } from '../../harness/installed-package.js';
import { patience } from '../../harness/patience.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const PAGE = 'docs/libvirt.md';
const MINUTE = 60_000 * patience;
const WAIT = { timeout: MINUTE / 2, interval: 100 };
const installed = `${globalModules}/virtfs-proxy-helper`;

const skipped = skipUnlessRoot('libvirt without the proxy driver');
const tree = skipped ? 'only as root' : debianTesting();
if (typeof tree === 'string' && !skipped) console.warn(`libvirt without the proxy driver skipped: ${tree}`);

/** The documented block that has this in it. */
function documented(blocks: readonly string[], part: string): string {
  const found = blocks.filter((block) => block.includes(part));
  if (found.length !== 1) throw new Error(`${PAGE} has ${found.length} blocks with ${part}`);
  return found[0]!;
}

/** What the domain of the example becomes. @param blocks the documented ones, which have these parts in them */
function domainXml(example: string, name: string, agent: string, blocks: readonly string[]): string {
  const [beside, arguments_] = [
    blocks.filter((block) => !block.includes('qemu:commandline')).join(''),
    blocks.find((block) => block.includes('qemu:commandline'))!,
  ];
  return example
    .replace('<name>vm1<', `<name>${name}<`)
    .replace('<vcpu>', `${beside.trim()}\n  $&`)
    .replace("<channel type='unix'>", `$&<source mode='connect' path='${agent}'/>`)
    .replace(/<qemu:commandline>.*<\/qemu:commandline>/s, arguments_.trim());
}

describe.skipIf(typeof tree === 'string')('a domain of libvirt without the proxy driver', () => {
  const debian = tree as DebianTree;
  let booted: BootedTree;
  /** A directory of this machine that the tree has, too, at the same path. */
  let meeting: string;

  beforeAll(async () => {
    debian.copyProgram(process.execPath, '/usr/bin/node');
    installPackage(debian);
    const { kernel, initramfs } = guestImage();
    fs.mkdirSync(debian.at('/var/lib/libvirt/boot'), { recursive: true });
    fs.copyFileSync(kernel, debian.at('/var/lib/libvirt/boot/vmlinuz'));
    fs.copyFileSync(initramfs, debian.at('/var/lib/libvirt/boot/initrd.img'));
    meeting = fs.mkdtempSync(path.join(os.tmpdir(), 'libvirt-pair-'));
    fs.chmodSync(meeting, 0o755);
    fs.mkdirSync(debian.at(meeting), { recursive: true });
    booted = await BootedTree.boot(debian, { binds: { [meeting]: meeting }, unified: true });
    const link = documented(shellBlocks('docs/systemd.md'), 'systemctl link');
    booted.run(link.replaceAll('"$(npm root --global)"', globalModules));
    booted.run(`cd ${installed}; ${documented(shellBlocks(PAGE), 'install -D')}`);
    booted.run('systemctl restart libvirtd');
  }, 10 * MINUTE);

  afterAll(async () => {
    await booted.powerOff();
    debian.remove();
    fs.rmSync(meeting, { recursive: true, force: true });
  }, MINUTE);

  afterEach(() => {
    const each = 'virsh destroy "$domain"; virsh undefine "$domain"';
    booted.attempt(`for domain in $(virsh list --all --name); do ${each}; done`);
    closeAgents();
  });

  const agents: GuestAgent[] = [];
  /** As no guest is there any more. */
  function closeAgents(): void {
    for (const agent of agents.splice(0)) agent.close();
  }

  const units = (share: string): string[] => [
    `virtfs-9p-server@${share}.socket`,
    `virtfs-9p-server@${share}.service`,
    `virtfs-9p-helper@${share}.socket`,
    `virtfs-proxy-helper@${share}.service`,
  ];
  const states = (share: string): string[] =>
    units(share).map((name) => booted.property(name, 'ActiveState'));

  /** Makes the domain, and what the page has for its share. */
  function define(share: string, parts: readonly string[]): void {
    booted.run(documented(shellBlocks(PAGE), `/etc/virtfs-proxy-helper/${share}.conf <<`));
    const blocks = codeBlocks(PAGE);
    const example = fs.readFileSync(debian.at(`${installed}/libvirt/example.xml`), 'utf8');
    const xml = domainXml(
      example,
      share,
      `${meeting}/agent-${share}`,
      parts.map((part) => documented(blocks, part)),
    );
    fs.writeFileSync(path.join(meeting, `${share}.xml`), xml);
    booted.run(`virsh define ${meeting}/${share}.xml`);
  }

  /** Starts the domain; what runs a script in its guest. */
  async function start(share: string): Promise<(script: string) => Promise<string>> {
    const socket = path.join(meeting, `agent-${share}`);
    const agent = await GuestAgent.listen(socket);
    agents.push(agent);
    fs.chmodSync(socket, 0o777);
    const ready = agent.ready(2 * MINUTE);
    booted.run(`virsh start ${share}`);
    await ready;
    return async (script) => {
      const { status, stdout, stderr } = await agent.run(`set -e\n${script}`, MINUTE / 2);
      expect(status, `${script}\n${stderr}`).toBe(0);
      return stdout.toString().trimEnd();
    };
  }

  const ways: readonly [way: string, share: string, parts: readonly string[], mount: string][] = [
    ['over a network of its own', 'vm2', ['guestfwd='], 'trans=tcp'],
    ['by a device of its own', 'vm3', ['<memoryBacking>', 'vhost-user-test-device-pci'], 'msize=512000'],
  ];

  it.each(ways)(
    'has its share %s, and leaves nothing behind',
    async (_way, share, parts, mount) => {
      define(share, parts);
      for (let round = 0; round < 2; round++) {
        const guest = await start(share);
        const onHost = (name: string): string => booted.at(`/srv/${share}/${name}`);
        fs.writeFileSync(onHost('from-host'), 'written on the host\n');
        await guest(documented(shellBlocks(PAGE), mount));
        expect(await guest('cat /mnt/from-host')).toBe('written on the host');
        await guest('cd /mnt; echo changed >file; chown 1000:100 file; chmod 4755 file; mkdir -p dir');
        await guest(`cd /mnt; dd if=/dev/urandom of=large bs=1M count=4 2>/dev/null; sha256sum large >sum
          cp large dir/copy; cd dir; mv copy ../large; cd ..; sha256sum -c sum`);
        const { mode, uid, gid } = fs.statSync(onHost('file'));
        expect([mode, uid, gid]).toEqual([0o104755, 1000, 100]);
        expect(states(share)).toEqual(['active', 'active', 'active', 'active']);
        // a new helper under the running guest
        booted.run(`systemctl restart virtfs-proxy-helper@${share}.service`);
        expect(await guest('cat /mnt/file')).toBe('changed');
        booted.run(`virsh destroy ${share}`);
        closeAgents();
        await vi.waitFor(() => {
          expect(states(share)).toEqual(['inactive', 'inactive', 'inactive', 'inactive']);
        }, WAIT);
        expect(fs.readdirSync(booted.at('/run/virtfs-proxy-helper'))).toEqual([]);
      }
    },
    6 * MINUTE,
  );

  it('does not start when its export is missing, and virsh says so', () => {
    define('vm2', ['guestfwd=']);
    booted.run('mv /srv/vm2 /srv/away');
    onTestFinished(() => {
      booted.run('mv /srv/away /srv/vm2');
    });
    const { status, stderr } = booted.attempt('virsh start vm2');
    expect(status).toBe(1);
    expect(stderr).toContain('cannot export /srv/vm2: no such file or directory (ENOENT) [export-not-found]');
    expect(stderr).toContain('virtfs-proxy-helper: domain vm2: the share vm2 did not start');
    expect(states('vm2')).not.toContain('active');
    expect(fs.readdirSync(booted.at('/run/virtfs-proxy-helper'))).toEqual([]);
  });

  it(
    'cannot have the share of another one',
    async () => {
      define('vm2', ['guestfwd=']);
      await start('vm2');
      const xml = fs
        .readFileSync(path.join(meeting, 'vm2.xml'), 'utf8')
        .replace('<name>vm2<', '<name>rival<');
      fs.writeFileSync(path.join(meeting, 'rival.xml'), xml);
      booted.run(`virsh define ${meeting}/rival.xml`);
      const { status, stderr } = booted.attempt('virsh start rival');
      expect(status).toBe(1);
      expect(stderr).toContain('virtfs-proxy-helper: domain rival: vm2 is in use by domain vm2 (');
      expect(states('vm2')).toEqual(['active', 'active', 'active', 'active']);
    },
    3 * MINUTE,
  );
});
