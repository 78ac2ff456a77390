/**
 * The short pass of a Node that does not run all tests (HELPER_NODE): starts in every way, every security model, the
 * rights and the filter on every thread, a guest.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { backgroundWork } from '../../src/startup/background-threads.js';
import { models } from '../conformance/behaviour.js';
import { helperNode } from '../../harness/guest/helper.js';
import { Machine } from '../../harness/guest/qemu.js';
import { startRun, until } from '../../harness/run-process.js';
import {
  commandLine,
  helperForTest,
  OURS,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { listenUnix, SystemError } from '../../harness/libc.js';
import {
  asOrdinaryUser,
  Installation,
  ownedExportForTest,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';
import { patience } from '../../harness/patience.js';

const skipped = whyNotRoot();
const rootlessSkipped = skipped ?? whyNoUserNamespaces();
const library = join(dirname(OURS), 'library.mjs');
const librarySkipped = existsSync(library) ? undefined : 'the library: a package of Debian has none';
for (const reason of new Set([skipped, rootlessSkipped, librarySkipped]))
  if (reason !== undefined) console.warn(`skipped: ${reason}`);

const { stdout: version } = spawnSync(helperNode, ['--version'], { encoding: 'utf8' });
const user = { uid: 1000, gid: 1001 };
const O_CREATE = 0x42;

/** Connects as soon as somebody listens there. */
async function clientOf(socket: string): Promise<WireClient> {
  let client: WireClient | undefined;
  await until(() => {
    try {
      client = WireClient.connect(socket);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    return client !== undefined;
  }, `no socket ${socket}`);
  onTestFinished(() => {
    client?.close();
  });
  return client!;
}

/** A few requests of different kinds: metadata, a descriptor, a name made. */
function work(client: WireClient, name = 'made'): void {
  expect(client.request(requests.lstat('/')).errno).toBe(0);
  expect(client.request(requests.mkdir(user, `/${name}`, 0o750)).errno).toBe(0);
  const { errno, descriptor } = client.request(requests.create(`/${name}/file`, O_CREATE, 0o640, user));
  expect(errno).toBe(0);
  closeSync(descriptor ?? -1);
  expect(client.request(requests.lstat(`/${name}/file`)).errno).toBe(0);
}

describe.skipIf(skipped !== undefined)(`on Node ${version.trim()}, a helper serves`, () => {
  it('a connected descriptor', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    work(client);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('a listening descriptor', async () => {
    const socket = join(exportForTest(), 'socket');
    const helper = helperForTest(['-n', '-p', exportForTest(), '-f', '3'], { inherit: [listenUnix(socket)] });
    const client = await clientOf(socket);
    work(client);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('a status over a control socket', () => {
    const control = join(exportForTest(), 'control');
    const { client } = sessionForTest(exportForTest(), { args: ['--control', control] });
    work(client);
    const [command, argv] = commandLine(OURS, ['status', '--json', control]);
    const { stdout, stderr } = spawnSync(command, argv, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toContain('"mkdir"');
  });

  it('a socket in the foreground, with a limit on descriptors', async () => {
    const socket = join(exportForTest(), 'socket');
    const options = ['-u', 'root', '--rlimit-nofile', '256'];
    const helper = helperForTest(['-n', '-p', exportForTest(), '-s', socket, ...options]);
    const client = await clientOf(socket);
    work(client);
    helper.child.kill('SIGTERM');
    expect((await helper.exit()).status).toBe(0);
  });

  it('a socket from the background', async () => {
    const [directory, place] = [exportForTest(), exportForTest()];
    const socket = join(place, 'socket');
    const [command, argv] = commandLine(OURS, ['-p', directory, '-s', socket, '-u', 'root', '-g', '0']);
    const { status, stdout, stderr } = spawnSync(command, argv, {
      encoding: 'utf8',
      timeout: 20_000 * patience,
    });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
    work(await clientOf(socket));
    expect(lstatSync(join(directory, 'made')).uid).toBe(user.uid);
  });

  it('client after client with --keep-listening', async () => {
    const socket = join(exportForTest(), 'socket');
    const helper = helperForTest(['-n', '-p', exportForTest(), '-s', socket, '--keep-listening']);
    const [first, second] = [await clientOf(socket), await clientOf(socket)];
    work(first, 'first');
    work(second, 'second');
    first.close();
    work(await clientOf(socket), 'third');
    helper.child.kill('SIGTERM');
    expect((await helper.exit()).status).toBe(0);
  });

  it('a command with `run`, as another user', async () => {
    const run = startRun(['--run-as', 'nobody', '--path', exportForTest()], ['{fd}']);
    const { descriptors, uid } = await run.described();
    expect(uid[0]).toBe('65534');
    const descriptor = descriptors.find((number) => number > 2) ?? -1;
    expect(await run.request(descriptor, requests.lstat('/'))).toBe(0);
    run.say('exit 0');
    expect((await run.end()).status).toBe(0);
  });

  it.skipIf(librarySkipped !== undefined)('a program through the library', () => {
    const script = `const { shareDirectory } = await import(process.argv[1]);
      const share = await shareDirectory({ path: process.argv[2], log: 'ignore' });
      const { status } = await share.stop();
      console.log(status);`;
    const argv = ['--input-type=module', '--eval', script, library, exportForTest()];
    const { stdout, stderr } = spawnSync(helperNode, argv, { encoding: 'utf8', timeout: 20_000 * patience });
    expect([stdout, stderr]).toEqual(['0\n', '']);
  });
});

describe.skipIf(rootlessSkipped !== undefined)(`on Node ${version.trim()}, an ordinary user's helper`, () => {
  let installation: Installation;
  beforeAll(() => {
    installation = new Installation();
  });
  afterAll(() => {
    installation.remove();
  });

  it('serves in a user namespace of its own', async () => {
    const { path } = ownedExportForTest();
    const { client, helper } = sessionForTest(path, {
      program: installation.program,
      wrapper: asOrdinaryUser,
      args: ['--security-model', 'mapped-xattr'],
    });
    work(client);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });
});

describe.skipIf(skipped !== undefined)(`on Node ${version.trim()}, the serving program`, () => {
  it.each([...models, 'passthrough, read-only', 'passthrough, other ids'])('serves as %s', async (name) => {
    const [model = '', variant] = name.split(', ');
    const variants: Readonly<Record<string, readonly string[]>> = {
      'read-only': ['--readonly'],
      'other ids': ['--map-uid', '0:100000:65536', '--map-gid', '0:100000:65536'],
    };
    const args = ['--security-model', model, ...(variants[variant ?? ''] ?? [])];
    const directory = exportForTest();
    const { client, helper } = sessionForTest(directory, { args });
    if (variant === 'read-only') {
      expect(client.request(requests.mkdir(user, '/made', 0o750)).errno).not.toBe(0);
    } else {
      work(client);
      const owner = lstatSync(join(directory, 'made', 'file')).uid;
      const mapped = model.startsWith('mapped') ? 0 : user.uid;
      expect(owner).toBe(variant === 'other ids' ? 100_000 + user.uid : mapped);
    }
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('has few rights and the filter on every thread, and no io_uring', () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const process = `/proc/${helper.pid}`;
    const threads = readdirSync(`${process}/task`).map((task) => {
      const status = readFileSync(`${process}/task/${task}/status`, 'utf8');
      return Object.fromEntries(
        ['CapPrm', 'CapBnd', 'CapInh', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Groups'].map((field) => [
          field,
          new RegExp(`^${field}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1],
        ]),
      );
    });
    expect(threads.length).toBeGreaterThan(1);
    const none = '0000000000000000';
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID, MKNOD
    const kept = '00000000080000db';
    const expected = {
      CapPrm: kept,
      CapBnd: kept,
      CapInh: none,
      CapAmb: none,
      NoNewPrivs: '1',
      Seccomp: '2',
      Groups: '',
    };
    expect(threads).toEqual(threads.map(() => expected));
    expect(readFileSync(`${process}/maps`, 'utf8')).not.toContain('io_uring');
  });

  it('starts while V8 marks, which a busy machine lets last', async () => {
    const [directory, place] = [exportForTest(), exportForTest()];
    const socket = join(place, 'socket');
    const [node, argv] = commandLine(OURS, ['-p', directory, '-s', socket, '-u', 'root', '-g', '0']);
    const { status, stderr } = spawnSync(node, ['--stress-incremental-marking', ...argv], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    work(await clientOf(socket));
  });

  it('lets V8 leave no work to other threads where it forks', () => {
    const { stdout } = spawnSync(helperNode, ['--v8-options'], { encoding: 'utf8' });
    const options = [...stdout.matchAll(/^ +--([\w-]+) \(.*\n +type: bool +default: --(no-)?/gm)];
    const known = new Set(options.map(([, name]) => name));
    const listed = backgroundWork(Number.parseInt(version.slice(1), 10));
    expect(listed.filter((name) => !known.has(name))).toEqual([]);
    // conditions of the listed ones, what incremental marking alone does, and how a cache is read that nothing here uses
    const harmless = [
      ...['concurrent-marking', 'cppheap-concurrent-marking', 'parallel-marking'],
      'concurrent-minor-ms-marking',
      ...['concurrent-osr', 'fuzzing-and-concurrent-recompilation', 'parallel-pause-for-gc-in-background'],
      'concurrent-cache-deserialization',
    ];
    const isBackground = /(^|-)(concurrent|parallel)-(?!recompilation-)/;
    const used = options.filter(([, name = '', off]) => off === undefined && isBackground.test(name));
    expect(
      used.map(([, name]) => name).filter((name) => ![...listed, ...harmless].includes(name ?? '')),
    ).toEqual([]);
  });

  it('finds every function of libc and libuv that it calls', () => {
    const sources = join(import.meta.dirname, '../../src/syscalls');
    const files = readdirSync(sources, { recursive: true, encoding: 'utf8' });
    const names = files
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        [
          ...readFileSync(join(sources, file), 'utf8').matchAll(
            /declare(?:Int|WithoutErrno)?\(\s*(?:'int(?:64)?', )?'(\w+)'/g,
          ),
        ].map(([, name]) => name),
      );
    expect(names).toEqual(expect.arrayContaining(['uv_backend_fd', 'sendmsg']));
    const script = `const koffi = require('koffi');
      const found = (name) => { try { koffi.load(null).func(name, 'int', []); return true; } catch { return false; } };
      console.log(JSON.stringify(process.argv.slice(1).filter((name) => !found(name))));`;
    const argv = ['--eval', script, ...(names as string[]), 'no_such_function'];
    const { stdout } = spawnSync(helperNode, argv, { encoding: 'utf8', cwd: dirname(OURS) });
    expect(JSON.parse(stdout)).toEqual(['no_such_function']);
  });

  it('serves a guest', { timeout: 180_000 }, async () => {
    const machine = await Machine.boot({ tag: 'share' });
    try {
      const seen = await machine.run(`mkdir /mnt/share
        mount -t 9p -o trans=virtio,version=9p2000.L share /mnt/share
        cd /mnt/share; echo written >file; chown 1000:1001 file; mkdir made; mv file made; cat made/file
        cd /; umount /mnt/share`);
      expect(seen).toBe('written');
      expect(lstatSync(join(machine.share('share').directory, 'made', 'file')).uid).toBe(user.uid);
    } finally {
      await machine.destroy();
    }
  });
});
