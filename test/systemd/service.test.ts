/** The units under a real systemd, with the commands of docs/systemd.md. */
import { closeSync, constants, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import type { CommandResult } from '../../harness/booted-tree.js';
import { globalModules } from '../../harness/installed-package.js';
import { requests } from '../../harness/requests.js';
import { type WireClient, WireError } from '../../harness/wire-client.js';
import { page, SystemdMachine, unit } from './machine.js';

const service = unit('vm1', 'service');
const socket = unit('vm1', 'socket');
const owner = { uid: 1234, gid: 4321 };
const NOBODY = 65534;
/** Priorities of syslog(3). */
const ERROR = 3;
const INFO = 6;

describe.skipIf(skipUnlessRoot('the units of systemd'))('an instance under systemd', () => {
  let machine: SystemdMachine;
  let client: WireClient | undefined;

  beforeAll(async () => {
    machine = await SystemdMachine.boot();
    machine.documented('systemctl link');
    machine.documented('systemctl enable --now virtfs-proxy-helper@');
  }, 600_000);

  afterAll(async () => {
    await machine.remove();
  }, 60_000);

  afterEach(async () => {
    client?.close();
    client = undefined;
    await becomes(service, 'inactive');
  });

  async function becomes(name: string, state: string): Promise<void> {
    await vi.waitFor(() => {
      expect(machine.state(name), machine.journalText(name)).toBe(state);
    }, 10_000);
  }

  /** Connects, and has one request answered: the helper runs then. */
  function connected(): WireClient {
    client = machine.connect('vm1');
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    return client;
  }

  const mainPid = (): number => Number(machine.booted.property(service, 'MainPID'));

  it('has a socket of the configured owner, and no helper before a client comes', () => {
    const { uid, mode } = statSync(machine.socketPath('vm1'));
    expect({ uid, mode: mode & 0o777 }).toEqual({ uid: NOBODY, mode: 0o600 });
    expect(machine.state(socket)).toBe('active');
    expect(machine.state(service)).toBe('inactive');
  });

  it('serves the client that connects, and tells systemd that it is ready and what it serves', () => {
    const share = connected();
    expect(share.request(requests.mkdir(owner, '/directory', 0o750)).errno).toBe(0);
    const reply = share.request(
      requests.create('/directory/file', constants.O_WRONLY | constants.O_CREAT, 0o4750, owner),
    );
    writeSync(reply.descriptor!, 'from the guest');
    closeSync(reply.descriptor!);
    // both are what a tighter sandbox would take away from the guest
    expect(share.request(requests.chmod('/directory/file', 0o4755)).errno).toBe(0);
    expect(
      share.request(requests.mknod({ uid: 0, gid: 0 }, '/null', constants.S_IFCHR | 0o666, 0x103)).errno,
    ).toBe(0);

    const { uid, gid, mode } = statSync(machine.tree.at('/srv/vm1/directory/file'));
    expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ ...owner, mode: 0o4755 });
    expect(readFileSync(machine.tree.at('/srv/vm1/directory/file'), 'utf8')).toBe('from the guest');
    expect(machine.state(service)).toBe('active');
    expect(machine.documented('systemctl status virtfs-proxy-helper@')).toMatch(
      /Status: "serving \/srv\/vm1 to uid 0/,
    );
    expect(machine.documented('status /run/virtfs-proxy-helper-control/vm1')).toMatch(/mkdir/i);
  });

  it('keeps seven capabilities, two layers of system call filters and no network', () => {
    connected();
    const process = `/proc/${mainPid()}`;
    const threads = machine.booted.run(`cat ${process}/task/*/status`);
    const values = (field: string): Set<string> =>
      new Set(
        [...threads.matchAll(new RegExp(`^${field}:\\s*(.*)$`, 'gm'))].map(([, value]) => value!.trim()),
      );
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(values(set)).toEqual(new Set(['00000000080000db']));
    for (const set of ['CapInh', 'CapAmb']) expect(values(set)).toEqual(new Set(['0000000000000000']));
    expect(values('NoNewPrivs')).toEqual(new Set(['1']));
    expect(values('Seccomp')).toEqual(new Set(['2']));
    expect(Number([...values('Seccomp_filters')][0])).toBeGreaterThan(1);
    const mounts = machine.booted.run(`cat ${process}/mountinfo`).split('\n');
    expect(mounts).toEqual([expect.stringMatching(/ \/ rw,nosuid,nodev,noexec,/)]);
    expect(machine.booted.run(`tail -n +3 ${process}/net/dev`)).toMatch(/^ *lo:[^\n]*$/);
  });

  it('ends when the machine ends, and serves it again when it comes back', async () => {
    connected().close();
    await becomes(service, 'inactive');
    expect(machine.booted.property(service, 'Result')).toBe('success');
    expect(machine.state(socket)).toBe('active');
    expect(connected().request(requests.lstat('/directory/file')).errno).toBe(0);
  });

  it('shares its directory with a guest whose QEMU is an ordinary user, which cannot remove the socket', async () => {
    const guest = await Machine.boot({ tag: 'share', socket: machine.socketPath('vm1') });
    try {
      await guest.mount('share');
      await guest.run('echo hello >/mnt/share/file');
      await guest.powerOff();
    } finally {
      await guest.destroy();
    }
    expect(readFileSync(machine.tree.at('/srv/vm1/file'), 'utf8')).toBe('hello\n');
    await becomes(service, 'inactive');
    connected();
  }, 120_000);

  it('stops when it is told to, and its socket waits for the next start', () => {
    const share = connected();
    machine.documented('systemctl stop virtfs-proxy-helper@');
    expect(share.atEnd()).toBe(true);
    expect(machine.booted.property(service, 'Result')).toBe('success');
    expect(machine.state(socket)).toBe('active');
    connected();
  });

  it('writes one line for an event, with its priority', () => {
    connected();
    const lines = machine.journal('vm1');
    expect(lines.at(-1)).toEqual({
      message: expect.stringContaining('serving a client') as string,
      priority: INFO,
    });
    for (const { message } of lines) expect(message).not.toMatch(/\n|^\s|^<\d>/);
  });

  it('is started again by the watchdog when it stands still', async () => {
    machine.documented('WatchdogSec=');
    connected();
    const before = mainPid();
    machine.booted.run(`systemctl kill --kill-whom=main --signal=STOP ${service}`);
    await vi.waitFor(() => {
      expect(machine.booted.property(service, 'NRestarts')).toBe('1');
      expect(machine.state(service)).toBe('active');
    }, 20_000);
    expect(mainPid()).not.toBe(before);
    expect(machine.journalText(service)).toContain('Watchdog timeout');
    client?.close();
    connected();
  });

  it('has units that systemd finds nothing wrong with', () => {
    expect(machine.booted.attempt(`systemd-analyze verify --man=no ${service} ${socket}`)).toEqual(
      expect.objectContaining({ status: 0, stdout: '', stderr: '' }),
    );
  });

  it('has the score of the documentation, which gives a reason for everything that is left open', () => {
    const text = readFileSync(join(repositoryRoot, page), 'utf8');
    const score = machine.booted.run(`systemd-analyze security --no-pager ${service}`).trimEnd();
    const [, exposure] = /exposure level for .*: ([\d.]+ \w+)/.exec(score)!;
    const [, documentedScore, rating] = /\*\*([\d.]+) \((\w+)\)\*\*/.exec(text)!;
    expect(`${documentedScore} ${rating}`).toBe(exposure);

    const open = [...score.matchAll(/^✗ (\S+)/gm)].map(([, name]) => name!);
    const table = text.slice(text.indexOf('| open '));
    const documented = [...table.matchAll(/^\| (`.*?`) +\|/gm)].flatMap(([, names]) =>
      names!.split(', ').map((name) => name.replaceAll('`', '').replaceAll('\\|', '|')),
    );
    expect(documented.sort()).toEqual(open.sort());
  });

  it('is started before the machine and ended after it by the hook of libvirt, which tells why it cannot be', () => {
    const hook = (operation: string): CommandResult =>
      machine.booted
        .attempt(`${globalModules}/virtfs-proxy-helper/libvirt/hooks/qemu domain ${operation} - <<'END'
<domain>
    <qemu:arg value='proxy,id=share,socket=/run/virtfs-proxy-helper/hooked/9p.sock'/>
</domain>
END`);
    const states = (): string[] => [
      machine.state(unit('hooked', 'socket')),
      machine.state(unit('hooked', 'service')),
    ];

    machine.configure('hooked', 'EXPORT=/srv/none');
    const refused = hook('prepare begin');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('cannot export /srv/none');
    hook('release end');

    machine.configure('hooked', 'EXPORT=/srv');
    expect(hook('prepare begin')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(states()).toEqual(['active', 'active']);
    client = machine.connect('hooked');
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    hook('release end');
    expect(states()).toEqual(['inactive', 'inactive']);
  });

  describe('a configuration that is wrong', () => {
    it.each([
      ['has no file', undefined, 'Failed to load environment files: No such file or directory'],
      ['has no EXPORT', ['OWNER=nobody'], 'EXPORT= is missing in /etc/virtfs-proxy-helper/wrong.conf'],
      ['has an unknown OWNER', ['EXPORT=/srv', 'OWNER=nobdy'], 'chown: invalid user: ‘nobdy’'],
    ])('fails when the socket is started, and says why: it %s', (_, lines, reason) => {
      if (lines !== undefined) machine.configure('wrong', ...lines);
      const start = machine.booted.attempt(`systemctl restart ${unit('wrong', 'socket')}`);
      expect(start.status).not.toBe(0);
      expect(machine.journalText(unit('wrong', 'socket'))).toContain(reason);
    });

    it.each([
      ['a directory that is not there', ['EXPORT=/srv/none'], 'cannot export /srv/none'],
      ['an unknown option', ['EXPORT=/srv', 'OPTIONS=--read-only'], 'unknown option --read-only'],
    ])('fails when the machine starts, and says why: %s', async (_, lines, reason) => {
      machine.configure('late', ...lines);
      machine.booted.run(`systemctl reset-failed; systemctl restart ${unit('late', 'socket')}`);
      const refused = machine.connect('late');
      expect(() => refused.request(requests.lstat('/'))).toThrow(WireError);
      refused.close();
      await becomes(unit('late', 'socket'), 'failed');
      const line = { message: expect.stringContaining(reason) as string, priority: ERROR };
      expect(machine.journal('late')).toContainEqual(line);
    });
  });
});
