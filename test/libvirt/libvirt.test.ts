/** docs/libvirt.md, followed on a host of its own with a real libvirtd and a real guest. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GuestAgent } from '../../harness/guest/agent.js';
import { guestImage } from '../../harness/guest/image.js';
import { shellBlocks } from '../../harness/documented.js';
import { LibvirtHost, whyNoLibvirt } from './libvirt-host.js';

const bootTimeout = 90_000;
const scriptTimeout = 25_000;

const [installHook, configure, startDomain, mountInGuest, destroyDomain] = shellBlocks('docs/libvirt.md') as [
  string,
  string,
  string,
  string,
  string,
];

const reason = whyNoLibvirt();
if (reason !== undefined) console.warn(`libvirt skipped: ${reason}`);

describe.skipIf(reason !== undefined)('a domain of libvirt', () => {
  let host: LibvirtHost;
  let agent: GuestAgent | undefined;

  const guest = async (script: string): Promise<string> => {
    const { status, stdout, stderr } = await agent!.run(`set -e\n${script}`, scriptTimeout);
    expect(status, `${script}\n${stderr}`).toBe(0);
    return stdout.toString().trimEnd();
  };
  const helpers = (): number[] => host.processes('virtfs-proxy-helper');
  const shared = (name: string): string => host.outside(`/srv/vm1/${name}`);
  const onHost = (name: string): string => {
    const { mode, uid, gid } = fs.lstatSync(shared(name));
    return `${mode.toString(8)} ${uid}:${gid}`;
  };
  /** The example under another name, with other arguments for QEMU. */
  const define = (name: string, change: (xml: string) => string): void => {
    const example = fs.readFileSync(path.join(host.directory, 'libvirt', 'example.xml'), 'utf8');
    const file = path.join(host.directory, `${name}.xml`);
    fs.writeFileSync(file, change(example.replace('<name>vm1<', `<name>${name}<`)));
    host.run(`virsh define ${file}`);
  };
  /** What virsh says of a start that has to fail. */
  const refusal = (name: string): string => {
    const { status, stderr } = host.attempt(`virsh start ${name}`);
    expect(status).toBe(1);
    return stderr;
  };

  /** Starts the domain, and returns when its guest takes scripts. */
  const boot = async (script: string): Promise<void> => {
    const socket = path.join(host.directory, 'agent.sock');
    agent?.close();
    agent = await GuestAgent.listen(socket);
    fs.chmodSync(socket, 0o777);
    const booted = agent.ready(bootTimeout);
    host.run(script);
    await booted;
  };

  beforeAll(async () => {
    host = await LibvirtHost.start();
    const image = guestImage();
    const bootFiles = host.outside('/var/lib/libvirt/boot');
    fs.mkdirSync(bootFiles, { recursive: true });
    fs.copyFileSync(image.kernel, path.join(bootFiles, 'vmlinuz'));
    fs.copyFileSync(image.initramfs, path.join(bootFiles, 'initrd.img'));

    const socket = path.join(host.directory, 'agent.sock');
    const example = path.join(host.directory, 'libvirt', 'example.xml');
    const xml = fs.readFileSync(example, 'utf8');
    const channel = "<channel type='unix'>";
    expect(xml).toContain(channel);
    fs.writeFileSync(example, xml.replace(channel, `${channel}<source mode='connect' path='${socket}'/>`));

    host.run(installHook);
    host.startLibvirtd();
    host.run(configure);
  }, 60_000);

  afterAll(async () => {
    agent?.close();
    await host.destroy();
  });

  it('boots with the share, and neither QEMU nor its user has any privilege', async () => {
    await boot(startDomain);
    const user = host.run('id -u libvirt-qemu');
    const [qemu] = host.processes('qemu-system-x86_64');
    const status = fs.readFileSync(host.outside(`/proc/${qemu!}/status`), 'utf8');
    expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]).toBe(Array(4).fill(user).join('\t'));
    expect(/^CapPrm:\s+(.*)$/m.exec(status)?.[1]).toBe('0'.repeat(16));
    expect(helpers()).toHaveLength(1);
  }, 120_000);

  it('shares files with the host, owned as the guest says', async () => {
    fs.writeFileSync(shared('from-host'), 'written on the host\n');
    await guest(mountInGuest);
    expect(await guest('cat /mnt/from-host')).toBe('written on the host');
    await guest(`cd /mnt; umask 022
      echo 'written in the guest' >file; chown 1000:100 file; chmod 4755 file
      mkdir -m 1777 open; mknod -m 640 null c 1 3; ln -s file link; ln file open/second; mv link open
      setpriv --reuid=1234 --regid=5678 --clear-groups dash -c 'echo mine >open/of-user'`);
    expect(fs.readFileSync(shared('file'), 'utf8')).toBe('written in the guest\n');
    expect(onHost('file')).toBe('104755 1000:100');
    expect(onHost('open')).toBe('41777 0:0');
    expect(onHost('null')).toBe('20640 0:0');
    expect(onHost('open/of-user')).toBe('100644 1234:5678');
    expect(fs.readlinkSync(shared('open/link'))).toBe('file');
    expect(fs.lstatSync(shared('open/second')).ino).toBe(fs.lstatSync(shared('file')).ino);
    await guest('rm -r /mnt/open /mnt/null');
    expect(fs.readdirSync(shared('')).sort()).toEqual(['file', 'from-host']);
  });

  it('cannot be saved while the guest has the share mounted', () => {
    const { status, stderr } = host.attempt('virsh save vm1 /run/vm1.save');
    expect(status).toBe(1);
    expect(stderr).toContain('Migration is disabled when VirtFS export path');
  });

  it('keeps its helper when another domain asks for it, and when libvirtd is started anew', async () => {
    define('rival', (xml) => xml);
    expect(refusal('rival')).toContain('virtfs-proxy-helper: domain rival: vm1 is in use by domain vm1 (');
    host.run('kill "$(cat /run/libvirtd.pid)"; while [ -e /run/libvirtd.pid ]; do sleep 0.1; done');
    host.startLibvirtd();
    // Waits until libvirtd has its monitor again: a domain that is destroyed before ends, but virsh fails with
    // "domain is not running" (qemuProcessReconnect, libvirt 9.0).
    host.run('virsh dommemstat vm1');
    expect(helpers()).toHaveLength(1);
    expect(await guest('cat /mnt/file')).toBe('written in the guest');
  });

  it('leaves no helper when it is destroyed, and starts again', async () => {
    host.run(destroyDomain);
    expect(helpers()).toEqual([]);
    expect(host.run('ls /run/virtfs-proxy-helper')).toBe('');

    await boot('virsh start vm1');
    await guest(mountInGuest);
    expect(await guest('stat -c "%a %u:%g" /mnt/file; cat /mnt/file')).toBe(
      '4755 1000:100\nwritten in the guest',
    );
    expect(helpers()).toHaveLength(1);
    host.run(destroyDomain);
    expect(helpers()).toEqual([]);
  }, 120_000);

  it('does not start when its export is missing, and virsh says so', () => {
    host.run('mv /srv/vm1 /srv/away');
    expect(refusal('vm1')).toContain(
      'virtfs-proxy-helper: cannot export /srv/vm1: no such file or directory (ENOENT) [export-not-found]',
    );
    host.run('mv /srv/away /srv/vm1');
    expect(host.run('ls /run/virtfs-proxy-helper')).toBe('');
  });

  it('does not start when the configuration of one of its shares is missing, and no helper is left', () => {
    define('two-shares', (xml) =>
      xml.replace(
        '</qemu:commandline>',
        `<qemu:arg value='-fsdev'/>
        <qemu:arg value='proxy,id=second,socket=/run/virtfs-proxy-helper/second/9p.sock'/>$&`,
      ),
    );
    expect(refusal('two-shares')).toContain(
      'virtfs-proxy-helper: domain two-shares: /etc/virtfs-proxy-helper/second.conf is missing',
    );
    expect(helpers()).toEqual([]);
    expect(host.run('ls /run/virtfs-proxy-helper')).toBe('');
  });

  it('leaves no helper when QEMU does not start', () => {
    define('broken', (xml) => xml.replace('mount_tag=share', 'no_such_property=share'));
    expect(refusal('broken')).toContain('no_such_property');
    expect(helpers()).toEqual([]);
    expect(host.run('ls /run/virtfs-proxy-helper')).toBe('');
  });

  it('is left alone when it has no share', () => {
    define('plain', (xml) => xml.replace(/<qemu:commandline>.*<\/qemu:commandline>/s, ''));
    host.run('rm -r /run/virtfs-proxy-helper /etc/virtfs-proxy-helper');
    host.run('virsh start plain');
    expect(host.processes('qemu-system-x86_64')).toHaveLength(1);
    expect(helpers()).toEqual([]);
    host.run('virsh destroy plain; [ ! -e /run/virtfs-proxy-helper ]');
  });

  it.each([
    ['passthrough', 'passthrough'],
    ['mapped', 'mapped'],
    ['squash', 'none'],
  ])('with <filesystem accessmode="%s"> would get the local driver', (mode, model) => {
    const filesystem = `<filesystem type='mount' accessmode='${mode}'><source dir='/srv'/><target dir='t'/></filesystem>`;
    define('filesystem', (xml) => xml.replace('</devices>', `${filesystem}$&`));
    const words = host.run('virsh domxml-to-native qemu-argv --domain filesystem; virsh undefine filesystem');
    expect(words).toContain(`local,security_model=${model},`);
  });
});
