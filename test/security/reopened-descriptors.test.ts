/** What code that has taken over a helper can do to the files of the host that the helper has open. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { followerOf } from '../../harness/mounting-host.js';
import { commandLine, helperForTest, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';
import { bundleToLoad } from './loaded-program.js';
import type { Attack } from './programs/taken-over.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const { ENOENT, EROFS } = constants.errno;
/** As in many containers, but that user namespaces may be made. */
const WITHOUT_MOUNTS = ['setpriv', '--bounding-set', '-sys_admin'];
const WAIT = { timeout: 10_000 * patience, interval: 20 };

/** NODE_OPTIONS that have a helper taken over. */
let takenOver = '';
beforeAll(() => {
  const { nodeOptions, remove } = bundleToLoad('taken-over');
  takenOver = nodeOptions;
  return remove;
});
interface Started {
  readonly pid: number;
  readonly client: WireClient;
}

/** A helper whose standard descriptors are all /dev/null. */
function helper(args: readonly string[], wrapper: readonly string[] = []): Started {
  const { client, peer } = WireClient.pair();
  const [command, commandArgs] = commandLine(OURS, ['-n', '-f', '3', ...args]);
  const [first = command, ...rest] = [...wrapper, command, ...commandArgs];
  const env = { ...process.env, NODE_OPTIONS: takenOver };
  const child = spawn(first, rest, { stdio: ['ignore', 'ignore', 'ignore', peer], env });
  closeSync(peer);
  onTestFinished(async () => {
    client.close();
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  expect(client.request(requests.lstat('/')).errno).toBe(0);
  return { pid: child.pid!, client };
}

async function attackIn(directory: string): Promise<Attack> {
  writeFileSync(join(directory, 'attack'), '');
  return vi.waitFor(() => {
    const text = readFileSync(join(directory, 'result'), 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    return JSON.parse(text) as Attack;
  }, WAIT);
}

/** Device and inode, as the program has them. */
function fileOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)];
  return `${major}:${minor}:${ino}`;
}

/** The devices that a process has open whose mode could be set through its descriptors, which here is only set to what it is. */
function changeableDevices(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  const devices = readdirSync(directory)
    .map((descriptor) => join(directory, descriptor))
    // a descriptor may have been closed since then
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isCharacterDevice());
  expect(devices.length).toBeGreaterThan(0);
  return devices.filter((path) => {
    try {
      chmodSync(path, statSync(path).mode & 0o7777);
      return true;
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('EROFS');
      return false;
    }
  });
}

const isLocked = (path: string): boolean => spawnSync('flock', ['--nonblock', path, 'true']).status === 1;

describe.skipIf(skipped !== undefined)(`code in a helper that was taken over${suffix}`, () => {
  it('can neither write to the pidfile nor change its mode, nor those of its other files', async () => {
    const directory = exportForTest();
    const pidfile = join(exportForTest(), 'pid');
    const { pid } = helper(['-p', directory, '--pidfile', pidfile]);
    const { reopened } = await attackIn(directory);
    const files = reopened.filter(({ type }) => type === 'file');
    // the other one tells what is served
    expect(files.map(({ file }) => file === fileOf(pidfile)).sort()).toEqual([false, true]);
    const all = { chmod: EROFS, openForWriting: EROFS };
    for (const file of files) expect(file).toMatchObject(all);
    expect(readFileSync(pidfile, 'utf8')).toBe(`${pid}\n`);
    expect(isLocked(pidfile)).toBe(true);
  });

  it('cannot change the mode of /dev/null', async () => {
    const directory = exportForTest();
    helper(['-p', directory]);
    const devices = (await attackIn(directory)).reopened.filter(({ type }) => type === 'device');
    // the standard ones, and one of Node's
    expect(devices.length).toBeGreaterThanOrEqual(3);
    for (const device of devices) expect(device).toMatchObject({ file: fileOf('/dev/null'), chmod: EROFS });
  });

  it('has nothing of a file that was its standard input or output', async () => {
    const directory = exportForTest();
    const [input, output] = [join(exportForTest(), 'input'), join(exportForTest(), 'output')];
    for (const path of [input, output]) writeFileSync(path, '');
    helper(['-p', directory], ['sh', '-c', `exec "$0" "$@" <${input} >>${output}`]);
    const files = (await attackIn(directory)).reopened.map(({ file }) => file);
    for (const path of [input, output]) expect(files).not.toContain(fileOf(path));
  });

  it('finds no other /dev/null in the processes beside it either', async () => {
    const socket = join(exportForTest(), 'socket');
    const { pid } = helperForTest(['-n', '-p', exportForTest(), '-s', socket, '--keep-listening']);
    await vi.waitFor(() => {
      expect(existsSync(socket)).toBe(true);
    }, WAIT);
    const client = WireClient.connect(socket);
    onTestFinished(() => {
      client.close();
    });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const serving = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
    const processes = { listening: pid, serving, following: followerOf(serving)! };
    for (const [what, process] of Object.entries(processes)) {
      expect([what, changeableDevices(process)]).toEqual([what, []]);
    }
  });

  it.each([
    ['with all rights of root', []],
    ['without CAP_SYS_ADMIN', WITHOUT_MOUNTS],
  ])('finds no way out of the export through its own /proc/self/fd: %s', async (_how, wrapper) => {
    const directory = exportForTest();
    helper(['-p', directory], wrapper);
    expect((await attackIn(directory)).wayOut).toBe(ENOENT);
  });

  it('finds none where the helper has gone to the background either', async () => {
    const [directory, beside] = [exportForTest(), exportForTest()];
    const [socket, pidfile] = [join(beside, 'socket'), join(beside, 'pid')];
    const [command, args] = commandLine(OURS, ['-p', directory, '-s', socket, '--pidfile', pidfile]);
    const [first, ...rest] = [...WITHOUT_MOUNTS, command, ...args];
    const env = { ...process.env, NODE_OPTIONS: takenOver };
    const { status } = spawnSync(first!, rest, { env, timeout: WAIT.timeout });
    expect(status).toBe(0);
    const client = WireClient.connect(socket);
    // which ends the helper
    onTestFinished(() => {
      client.close();
    });
    // through the directory of its own, not of the process that it is a fork of
    expect(client.request(requests.open('/', 0)).errno).toBe(0);
    expect((await attackIn(directory)).wayOut).toBe(ENOENT);
  });
});
