/** The packages where people install them: on the smallest Debian 12 and 13, which have no Node. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { requests } from '../../harness/requests.js';
import type { WireClient } from '../../harness/wire-client.js';
import { open } from '../server/acceptance/scene.js';
import { BareDebian, OLDER } from './bare-debian.js';
import { version } from './built.js';

const page = 'docs/install.md';
/** As the kernel tells it of a process with mounts of its own. */
const program = /\/lib\/virtfs-proxy-helper\/bin\/node$/;
const service = 'virtfs-proxy-helper@vm1.service';
const socket = 'virtfs-proxy-helper@vm1.socket';
const NOBODY = 65534;

/** One story in each tree: what a test does, the next one finds. */
describe.skipIf(skipUnlessRoot('the packages on bare trees')).each([
  ['12', 'bookworm'],
  ['13', 'trixie'],
])('the packages on a bare Debian %s', (_, release) => {
  let debian: BareDebian;
  let before: string[];
  /** Clients of a helper that a later test goes on with. */
  const clients = new Map<string, WireClient>();
  /** The guest of a 9P server, likewise. */
  let guest: NinepClient | undefined;

  beforeAll(async () => {
    debian = await BareDebian.boot(release);
    before = debian.files();
  }, 600_000);

  afterAll(async () => {
    for (const client of clients.values()) client.close();
    guest?.close();
    await debian.remove();
  }, 60_000);

  const answers = (client: WireClient): number => client.request(requests.lstat('/')).errno;
  const mainPid = (): string => debian.booted.property(service, 'MainPID');
  const told = (): string => debian.booted.run('virtfs-proxy-helper --version');

  function connected(path: string): WireClient {
    const client = debian.connect(path);
    clients.set(path, client);
    expect(answers(client)).toBe(0);
    return client;
  }

  async function becomes(unit: string, state: string): Promise<void> {
    await vi.waitFor(() => {
      expect(debian.state(unit)).toBe(state);
    }, 10_000);
  }

  it('has no Node', () => {
    expect(debian.booted.attempt('command -v node || command -v nodejs || command -v npm').status).not.toBe(
      0,
    );
  });

  it('unpacks the archive, serves with one command, and has nothing left of it afterwards', () => {
    debian.documented(page, 'tar -xzf', '/root/archive');
    expect(told()).toBe(`virtfs-proxy-helper ${version}`);
    debian.booted.run('virtfs-proxy-helper --path /srv --socket /run/9p.sock');
    const client = debian.connect('/run/9p.sock');
    expect(answers(client)).toBe(0);
    client.close();
    debian.booted.run('rm -f /run/9p.sock');
    debian.documented(page, 'tar -tzf', '/root/archive');
    expect(debian.files()).toEqual(before);
  });

  it('is installed by apt with all that it needs, and nothing of it runs', () => {
    debian.documented(page, 'apt install', '/root/old');
    expect(
      debian.booted.run("dpkg-query --show --showformat '${Status} ${Version}' virtfs-proxy-helper"),
    ).toBe(`install ok installed ${OLDER}`);
    expect(debian.booted.run('command -v virtfs-proxy-helper')).toBe('/usr/bin/virtfs-proxy-helper');
    expect(debian.booted.run('dpkg --search /usr/bin/virtfs-proxy-helper')).toMatch(/^virtfs-proxy-helper: /);
    expect(debian.booted.run("systemctl list-units --plain --no-legend 'virtfs-proxy-helper@*'")).toBe('');
    expect(debian.booted.run('stat --format "%a %U" /etc/virtfs-proxy-helper')).toBe('755 root');
    expect(told()).toBe(`virtfs-proxy-helper ${OLDER}`);
  });

  it('has its manual, its completion, and units that systemd finds nothing wrong with', () => {
    expect(debian.booted.run('MANPAGER=cat MANROFFOPT=-c man 8 virtfs-proxy-helper')).toMatch(
      /SIGNALS[^]*FILES/,
    );
    const completion =
      '. /usr/share/bash-completion/completions/virtfs-proxy-helper; complete -p virtfs-proxy-helper';
    expect(debian.booted.run(`bash -c '${completion}'`)).toContain('-F _virtfs_proxy_helper');
    // the pages that they name, too
    const units = [service, socket, 'virtfs-9p-server@vm2.service', 'virtfs-9p-server@vm2.socket'];
    const verify = debian.booted.attempt(`systemd-analyze verify ${units.join(' ')}`);
    expect(verify).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('serves by one command in the background and in the foreground, and ends with its client', async () => {
    debian.booted.run('mkdir -p /srv/share');
    debian.booted.run('virtfs-proxy-helper --path /srv/share --socket /run/background.sock');
    const background = connected('/run/background.sock');
    expect(background.request(requests.mkdir({ uid: NOBODY, gid: NOBODY }, '/made', 0o755)).errno).toBe(0);
    expect(debian.booted.run('stat --format %u /srv/share/made')).toBe(String(NOBODY));

    const foreground = 'virtfs-proxy-helper --nodaemon --path /srv/share --socket /run/foreground.sock';
    debian.booted.run(`systemd-run --quiet --unit foreground ${foreground}`);
    await vi.waitFor(() => debian.booted.run('test -S /run/foreground.sock'), 10_000);
    const client = debian.connect('/run/foreground.sock');
    expect(answers(client)).toBe(0);
    client.close();
    await becomes('foreground.service', 'inactive');
    expect(debian.booted.property('foreground.service', 'Result')).toBe('success');
  });

  it('serves a client of the unit that is enabled by the commands of the documentation', async () => {
    debian.documented('docs/systemd.md', 'systemctl enable --now virtfs-proxy-helper@');
    connected('/run/virtfs-proxy-helper/vm1/9p.sock');
    await becomes(service, 'active');
    expect(debian.program(mainPid())).toMatch(program);
    debian.booted.run('virtfs-proxy-helper --keep-listening --path /srv/share --socket /run/listener.sock');
    connected('/run/listener.sock');
  });

  it('serves a guest of the 9P server that is enabled by the commands of the documentation', async () => {
    debian.documented('docs/systemd.md', 'systemctl enable --now virtfs-9p-server@');
    guest = await NinepClient.connect({ path: debian.booted.at('/run/virtfs-9p-server/vm2/9p.sock') });
    await guest.version();
    await guest.attach(0);
    await guest.request('Twalk', { fid: 0, newfid: 1, names: [] });
    await guest.request('Tlcreate', { fid: 1, name: 'guests', flags: open.RDWR, mode: 0o644, gid: 0 });
    await guest.request('Twrite', { fid: 1, offset: 0n, data: Buffer.from('written') });
    expect(debian.booted.run('cat /srv/vm2/guests')).toBe('written');
    expect(debian.state('virtfs-9p-server@vm2.service')).toBe('active');
  });

  it('is upgraded while machines run: their helpers go on, the next start is of the new version', async () => {
    const pid = mainPid();
    debian.documented(page, 'apt install', '/root/new');
    expect(told()).toBe(`virtfs-proxy-helper ${version}`);
    expect(debian.booted.run('dpkg --verify virtfs-proxy-helper')).toBe('');
    for (const client of clients.values()) expect(answers(client)).toBe(0);
    expect([debian.state(service), debian.state(socket), mainPid()]).toEqual(['active', 'active', pid]);
    expect(debian.program(pid)).toMatch(/ \(deleted\)$/);
    expect(debian.documented('docs/systemd.md', 'status /run/virtfs-proxy-helper-control/vm1')).toContain(
      `pid ${pid}`,
    );
    await guest?.request('Twrite', { fid: 1, offset: 0n, data: Buffer.from('upgrade') });
    expect(debian.booted.run('cat /srv/vm2/guests')).toBe('upgrade');
    debian.documented('docs/systemd.md', 'systemctl restart virtfs-proxy-helper@vm2');
    await guest?.request('Tgetattr', { fid: 1, mask: 0x7ffn });
    expect(debian.program(debian.booted.property('virtfs-proxy-helper@vm2.service', 'MainPID'))).toMatch(
      program,
    );
    // the listener is of the old version, what it starts for the next client of the new one
    expect(answers(debian.connect('/run/listener.sock'))).toBe(0);

    clients.get('/run/virtfs-proxy-helper/vm1/9p.sock')?.close();
    await becomes(service, 'inactive');
    connected('/run/virtfs-proxy-helper/vm1/9p.sock');
    expect(debian.program(mainPid())).toMatch(program);
    expect(mainPid()).not.toBe(pid);
  });

  it('stops its units when it is removed, and leaves what the operator wrote', async () => {
    debian.documented(page, 'apt remove');
    expect(clients.get('/run/virtfs-proxy-helper/vm1/9p.sock')?.atEnd()).toBe(true);
    await expect(guest?.request('Tgetattr', { fid: 1, mask: 0x7ffn })).rejects.toThrow();
    expect(debian.booted.run("systemctl list-units --plain --no-legend 'virtfs-*'")).toBe('');
    for (const unit of [service, socket]) expect(debian.state(unit)).toBe('inactive');
    expect(debian.booted.run('ls /etc/virtfs-proxy-helper')).toBe('vm1.conf\nvm2.conf');
    // not the units': it ends with its client
    expect(answers(clients.get('/run/background.sock')!)).toBe(0);
  });

  it('leaves nothing but that when it is purged', () => {
    debian.booted.run('DEBIAN_FRONTEND=noninteractive apt-get purge --yes virtfs-proxy-helper');
    const operators = ['', '/vm1.conf', '/vm2.conf'].map((name) => `/etc/virtfs-proxy-helper${name}`);
    const served = ['/srv/share', '/srv/share/made', '/srv/vm1', '/srv/vm2', '/srv/vm2/guests'];
    expect(debian.files()).toEqual([...before, ...operators, ...served].sort());
  });
});
