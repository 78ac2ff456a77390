/** What the serving program cannot do any more, and who may connect. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helperNode } from '../../harness/guest/helper.js';
import { connectAs } from '../../harness/connect-as.js';
import {
  commandLine,
  helperForTest,
  OURS,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { setXattr, socketpair } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
describe.skipIf(skipped !== undefined)(`the serving program${suffix}`, () => {
  it('is filtered on every thread, and cannot be traced or dumped', () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const tasks = readdirSync(`/proc/${helper.pid}/task`);
    const modes = tasks.map(
      (task) =>
        /^Seccomp:\s*(\d)/m.exec(readFileSync(`/proc/${helper.pid}/task/${task}/status`, 'utf8'))?.[1],
    );
    expect(modes).toEqual(tasks.map(() => '2'));
    // what the kernel lets nobody but a privileged tracer read
    const asNobody = spawnSync('setpriv', [
      '--reuid=65534',
      '--clear-groups',
      'ls',
      `/proc/${helper.pid}/fd`,
    ]);
    expect(asNobody.status).not.toBe(0);
    const coredumpFilter = execFileSync('stat', ['--format=%u', `/proc/${helper.pid}/environ`], {
      encoding: 'utf8',
    });
    expect(coredumpFilter.trim()).toBe('0');
  });

  it('holds no directory from which a way leads out of the export', () => {
    const directory = exportForTest();
    const { client, helper } = sessionForTest(directory);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const held = `/proc/${helper.pid}/fd`;
    const directories = readdirSync(held).filter((number) => statSync(`${held}/${number}`).isDirectory());
    // that of its own descriptors, which is the root of a mount without a parent
    expect(directories.map((number) => readlinkSync(`${held}/${number}`))).toEqual(['/']);
    for (const number of directories) {
      const identity = (path: string): bigint[] => {
        const { dev, ino } = statSync(path, { bigint: true });
        return [dev, ino];
      };
      expect(identity(`${held}/${number}/..`)).toEqual(identity(`${held}/${number}`));
      expect(readdirSync(`${held}/${number}`).sort()).toEqual(readdirSync(held).sort());
    }
  });

  it('has no environment of its caller', () => {
    const { client, helper } = sessionForTest(exportForTest(), { env: { ...process.env, SECRET: 'x' } });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(`/proc/${helper.pid}/environ`, 'utf8')).not.toContain('SECRET');
  });
});

describe.skipIf(skipped !== undefined)(`a client${suffix}`, () => {
  it('must be the owner of the socket or root, whatever the mode of the socket', async () => {
    const directory = exportForTest();
    chmodSync(directory, 0o755);
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-s', path, '-u', '1000', '-g', '1000']);
    for (let tries = 0; tries < 500 && lstatSync(path, { throwIfNoEntry: false }) === undefined; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    chmodSync(path, 0o777);
    expect(connectAs(1001, path)).toBe('refused');
    expect(helper.stderr()).toContain(
      'refused a client that is neither the socket owner nor root (uid=1001)',
    );
    expect(connectAs(1000, path)).toBe('served');
    expect((await helper.exit()).status).toBe(0);
  });
});

describe.skipIf(skipped !== undefined)(`a socket that is left behind${suffix}`, () => {
  it('is replaced when its helper was killed, and not while one lives', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const first = helperForTest(['-n', '-p', directory, '-s', path]);
    for (let tries = 0; tries < 500 && lstatSync(path, { throwIfNoEntry: false }) === undefined; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const second = await helperForTest(['-n', '-p', directory, '-s', path]).exit();
    expect(second.status).toBe(1);
    expect(second.stderr).toContain('another process uses it');

    await first.stop();
    const [command, args] = commandLine(OURS, ['-p', directory, '-s', path]);
    expect(spawnSync(command, args, { timeout: 20_000 }).status).toBe(0);
    const client = WireClient.connect(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    // a daemon has its own descriptors, not those of the process that started it
    expect(client.request(requests.open('/', 0)).errno).toBe(0);
    client.close();
  });
});

describe.skipIf(skipped !== undefined)(`a helper with more rights than its caller${suffix}`, () => {
  it('refuses to start: file capabilities on the program (CVE-2015-8556)', () => {
    const directory = exportForTest();
    chmodSync(directory, 0o755);
    const node = join(directory, 'node');
    copyFileSync(helperNode, node);
    // struct vfs_cap_data, revision 2, effective: CAP_CHOWN permitted
    setXattr(
      Buffer.from(node),
      Buffer.from('security.capability'),
      Buffer.from('0100000201000000000000000000000000000000', 'hex'),
    );
    const { status, stderr } = spawnSync(
      'setpriv',
      ['--reuid=1000', '--regid=1000', '--clear-groups', node, OURS, '-n', '-p', directory, '-f', '3'],
      { encoding: 'utf8', env: {} },
    );
    expect([status, stderr.trim()]).toEqual([
      1,
      'virtfs-proxy-helper: must not be started set-uid, set-gid or with file capabilities [started-set-uid]',
    ]);
  });

  it('and one that has too few says what is missing', () => {
    const asUser = spawnSync(
      'setpriv',
      ['--reuid=1000', '--regid=1000', '--clear-groups', helperNode, OURS, '-n', '-p', '/', '-f', '3'],
      { encoding: 'utf8', env: {} },
    );
    expect([asUser.status, asUser.stderr]).toEqual([1, expect.stringContaining('must be started as root')]);
    const withoutChown = spawnSync(
      'setpriv',
      ['--bounding-set', '-chown', helperNode, OURS, '-n', '-p', '/', '-f', '3'],
      { encoding: 'utf8', env: {} },
    );
    expect([withoutChown.status, withoutChown.stderr]).toEqual([
      1,
      expect.stringContaining('missing: CAP_CHOWN'),
    ]);
  });
});

describe.skipIf(skipped !== undefined)(`a start that fails half way${suffix}`, () => {
  it('serves nobody: the serving program ends when its root cannot be changed', () => {
    const directory = exportForTest();
    const { client, peer } = WireClient.pair();
    const [changer, gone] = socketpair();
    closeSync(gone);
    const exported = openSync(directory, 'r');
    // what the starting program hands over, with a root changer that is dead
    const handover = {
      export: { path: directory, directory: 4, isMount: true, hasProcfs: false },
      socket: { descriptor: 3, listening: false },
      ownDescriptors: 4,
      rootChanger: { socket: 5, pid: 2 ** 22 + 1 },
      readOnly: false,
      model: { name: 'passthrough', fileMode: 0o600, directoryMode: 0o700, xattrs: true },
      seccomp: 'kill',
      pollCeiling: 0,
      logLevel: 'info',
      logFormat: 'text',
    };
    client.send(requests.lstat('/'));
    const { status, stderr } = spawnSync(
      helperNode,
      [join(dirname(OURS), 'serve.js'), JSON.stringify(handover)],
      { stdio: ['ignore', 'ignore', 'pipe', peer, exported, changer], encoding: 'utf8', timeout: 20_000 },
    );
    for (const descriptor of [peer, exported, changer]) closeSync(descriptor);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('cannot make the export the root directory'),
    ]);
    expect(client.atEnd()).toBe(true);
    client.close();
  });
});

describe('--print-privileges', () => {
  it('says what is kept, as the kernel shows it', () => {
    const [command, args] = commandLine(OURS, ['--print-privileges']);
    const text = execFileSync(command, args, { encoding: 'utf8' });
    for (const name of ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETGID', 'SETUID', 'MKNOD']) {
      expect(text).toMatch(new RegExp(`CAP_${name} +\\w`));
    }
    expect(text).toContain('seccomp              kill');
  });
});
