/** The ways to start: inherited descriptors, sockets with their owner and mode, in the background. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  commandLine,
  type HelperProcess,
  helperForTest,
  OURS,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { listenUnix, SystemError } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';
import { patience } from '../../harness/patience.js';

const skipped = whyNotRoot();
const owner = { uid: 1000, gid: 1000 };

function clientForTest(path: string): WireClient {
  const client = WireClient.connect(path);
  onTestFinished(() => {
    client.close();
  });
  return client;
}

/** The type, mode and owner of a socket at the first moment at which it exists. */
async function firstSight(path: string, helper: HelperProcess): Promise<string[]> {
  // Without a pause: a socket that is put right later would be seen before it is.
  for (const end = Date.now() + 10_000; Date.now() < end && helper.child.exitCode === null;) {
    for (let tries = 0; tries < 20_000; tries++) {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat !== undefined) return [stat.mode.toString(8), `${stat.uid}:${stat.gid}`];
    }
    await wait(0);
  }
  throw new Error(`no socket: ${helper.stderr()}`);
}

async function untilConnected(path: string): Promise<WireClient> {
  for (let tries = 0; ; tries++) {
    try {
      return clientForTest(path);
    } catch (error) {
      if (tries === 200) throw error;
      await wait(10);
    }
  }
}

describe.skipIf(skipped !== undefined)('an inherited descriptor', () => {
  it('may be connected', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('may be listening: the first client is served', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-f', '3'], { inherit: [listenUnix(path)] });
    const client = clientForTest(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('is taken with the long options that LXD and Incus use', async () => {
    const { client, peer } = WireClient.pair();
    const helper = helperForTest(['--nodaemon', '--fd', '3', '--path', exportForTest()], { inherit: [peer] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });
});

describe.skipIf(skipped !== undefined)('a socket at a path', () => {
  it.each([
    ['by number', ['-u', '1000', '-g', '1001'], '1000:1001'],
    ['by name', ['-u', 'nobody', '-g', 'nogroup'], '65534:65534'],
    ['by default', [], '0:0'],
    ['of the owner alone', ['-u', '1000'], '1000:0'],
  ])('has its mode and its owner, given %s, from the first moment', async (_how, ids, expected) => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-s', path, ...ids]);
    expect(await firstSight(path, helper)).toEqual(['140770', expected]);
  });

  it('has them in a set-gid directory too, in the end', async () => {
    const directory = exportForTest();
    execFileSync('chown', ['0:500', directory]);
    execFileSync('chmod', ['2755', directory]);
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-s', path, '-u', '1000', '-g', '1001']);
    const [mode] = await firstSight(path, helper);
    // Until the group is right the group may not connect.
    expect(['140700', '140770']).toContain(mode);
    const client = await untilConnected(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const stat = lstatSync(path);
    expect([stat.mode.toString(8), stat.uid, stat.gid]).toEqual(['140770', 1000, 1001]);
  });

  it('keeps its mode whatever the umask of the caller', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-s', path], {
      wrapper: ['sh', '-c', 'umask 077 && exec "$@"', 'sh'],
    });
    expect(await firstSight(path, helper)).toEqual(['140770', '0:0']);
  });

  it('serves one client and ends with it', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-s', path]);
    const client = await untilConnected(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('is not taken from somebody who has it', async () => {
    const directory = exportForTest();
    const path = join(directory, 'file');
    writeFileSync(path, 'precious');
    const { status, stderr, code } = await helperForTest(['-n', '-p', directory, '-s', path]).exit();
    expect([status, code, stderr]).toEqual([1, 'path-taken', expect.stringContaining(path)]);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });
});

describe.skipIf(skipped !== undefined)('in the background', () => {
  function startDaemon(directory: string, path: string): void {
    const [command, args] = commandLine(OURS, ['-p', directory, '-s', path, '-u', '0', '-g', '0']);
    const started = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 * patience });
    onTestFinished(() => {
      // A daemon whose test failed early still waits for its client, and ends with it.
      try {
        WireClient.connect(path).close();
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
      }
    });
    expect([started.status, started.stderr, started.stdout]).toEqual([0, '', '']);
  }

  it('the command returns when the socket is listening', () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    startDaemon(directory, path);
    // At once: no waiting for it, unlike with the C helper.
    const client = clientForTest(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
  });

  it('has a session of its own, no terminal, and ends with its client', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    startDaemon(directory, path);
    const client = clientForTest(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const pid = client.peerPid();
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
    const [, parent, , session, terminal] = stat;
    expect(parent).not.toBe(String(process.pid));
    expect([Number(session) > 0, terminal]).toEqual([true, '0']);
    expect(session).not.toBe(readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)!.split(' ')[3]);
    client.close();
    for (let tries = 0; tries < 100 && existsSync(`/proc/${pid}`); tries++) await wait(20);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});

describe.skipIf(skipped !== undefined)('the export', () => {
  it('may be given relative to the working directory', () => {
    const directory = exportForTest();
    mkdirSync(join(directory, 'inner'));
    const { client, peer } = WireClient.pair();
    helperForTest(['-n', '-p', 'inner', '-f', '3'], {
      inherit: [peer],
      wrapper: ['env', '-C', directory],
    });
    expect(client.request(requests.mkdir(owner, '/made', 0o755)).errno).toBe(0);
    expect(existsSync(join(directory, 'inner/made'))).toBe(true);
    client.close();
  });
});
