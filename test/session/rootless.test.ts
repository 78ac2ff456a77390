/** Started by an ordinary user, without any capability, on a directory of his. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  commandLine,
  helperForTest,
  type Session,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { errnoName } from '../../harness/libc.js';
import {
  asOrdinaryUser,
  Installation,
  ordinaryUser,
  ordinaryUsers,
  ownedExportForTest,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { requests } from '../../harness/requests.js';
import { WireClient } from '../../harness/wire-client.js';
import { sendDescriptors } from '../../harness/kernel.js';

const skipped = whyNotRoot() ?? whyNoUserNamespaces();
if (skipped !== undefined) console.warn(`rootless tests skipped: ${skipped}`);

const O_CREATE = 0x42;
const root = { uid: 0, gid: 0 };
const NONE = '0000000000000000';
const inNamespace = 'in a user namespace of its own';
const ways = Object.keys(ordinaryUsers) as (keyof typeof ordinaryUsers)[];
const models = ['mapped-xattr', 'mapped-file'];

let installation: Installation;
beforeAll(() => {
  installation = new Installation();
});
afterAll(() => {
  installation.remove();
});

function start(
  way: keyof typeof ordinaryUsers,
  model: string,
  args: readonly string[] = [],
): Session & { path: string; ask: (bytes: Buffer) => string } {
  const { path } = ownedExportForTest();
  const { program } = installation;
  const session = sessionForTest(path, {
    program,
    wrapper: ordinaryUsers[way],
    args: ['--security-model', model, ...args],
  });
  const ask = (bytes: Buffer): string => {
    const { errno, descriptor } = session.client.request(bytes);
    if (descriptor !== undefined) closeSync(descriptor);
    return errnoName(errno);
  };
  return { path, ...session, ask };
}

/** Mode, owner and device number in the answer to LSTAT. */
function inGuest({ client }: Session, path: string): unknown[] {
  const { payload, errno } = client.request(requests.lstat(path));
  if (errno !== 0) return [errnoName(errno)];
  return [
    payload.readUInt32LE(24).toString(8),
    payload.readUInt32LE(28),
    payload.readUInt32LE(32),
    Number(payload.readBigUInt64LE(36)),
  ];
}

describe.skipIf(skipped !== undefined).each(ways)('a helper of an ordinary user %s', (way) => {
  it.each(models)(
    'takes requests about descriptors where the export has a mount of its own, in %s',
    (model) => {
      const { ask, client, helper } = start(way, model, ['--descriptor-requests']);
      const { descriptor } = client.request(requests.create('/file', O_CREATE, 0o644, root));
      onTestFinished(() => {
        closeSync(descriptor!);
      });
      const about = (bytes: Buffer): string => {
        sendDescriptors(client.fd, bytes, [descriptor!]);
        return errnoName(client.receive(bytes.readUInt32LE(0)).errno);
      };
      const expected = way === inNamespace ? 'success' : 'EOPNOTSUPP';
      expect(about(requests.chmod('', 0o4711)), helper.stderr()).toBe(expected);
      expect(about(requests.chown('', { uid: 7, gid: 8 }))).toBe(expected);
      // where the working directory cannot be the export again
      expect(ask(requests.chmod('/', 0))).toBe('success');
      expect(about(requests.lstat(''))).toBe(expected);
      expect(ask(requests.lstat('/file'))).toBe('success');
      expect(ask(requests.chmod('/', 0o755))).toBe('success');
      expect(ask(requests.lstat('/file'))).toBe('success');
    },
  );

  it.each(models)('lets the root of the guest do everything, in %s', (model) => {
    const session = start(way, model);
    const { ask, path, helper } = session;
    const owner = { uid: 1000, gid: 50 };
    expect(ask(requests.create('/file', O_CREATE, 0o644, owner)), helper.stderr()).toBe('success');
    expect(ask(requests.mkdir(owner, '/directory', 0o755))).toBe('success');
    expect(ask(requests.symlink(owner, '/etc/passwd', '/link'))).toBe('success');
    expect(ask(requests.mknod(root, '/device', 0o20666, 0x103))).toBe('success');
    expect(ask(requests.mknod(root, '/fifo', 0o10600, 0))).toBe('success');
    expect(ask(requests.chown('/file', root))).toBe('success');
    expect(ask(requests.chmod('/file', 0o6755))).toBe('success');
    expect(ask(requests.chown('/directory', { uid: 0xffff_ffff, gid: 7 }))).toBe('success');
    expect(ask(requests.link('/file', '/directory/hard'))).toBe('success');
    expect(ask(requests.rename('/fifo', '/directory/moved'))).toBe('success');
    expect(ask(requests.chmod('/directory', 0))).toBe('success');

    expect(inGuest(session, '/file')).toEqual(['106755', 0, 0, 0]);
    expect(inGuest(session, '/directory')).toEqual(['40000', 1000, 7, 0]);
    expect(inGuest(session, '/device')).toEqual(['20666', 0, 0, 0x103]);
    expect(inGuest(session, '/directory/moved')).toEqual(['10600', 0, 0, 0]);
    expect(inGuest(session, '/directory/hard')).toEqual(['106755', 0, 0, 0]);
    const link = session.client.request(requests.readlink('/link', 4096)).payload.subarray(2);
    expect(link.toString()).toBe('/etc/passwd');

    for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) {
      const { uid, gid, mode } = lstatSync(join(path, name));
      expect({ name, uid, gid }).toEqual({ name, ...ordinaryUser });
      expect(['100600', '40700']).toContain(mode.toString(8));
    }
    for (const gone of ['/directory/moved', '/directory/hard', '/directory', '/file', '/device', '/link']) {
      expect(ask(requests.remove(gone)), gone).toBe('success');
    }
  });

  it.each([...models, 'none'])('opens what belongs to somebody else, read-only, in %s', (model) => {
    const { ask, path } = start(way, model, ['--readonly']);
    writeFileSync(join(path, 'f'), 'content', { mode: 0o644 });
    mkdirSync(join(path, 'd'));
    expect(ask(requests.open('/f', 0))).toBe('success');
    expect(ask(requests.open('/f', constants.O_NOATIME))).toBe('success');
    expect(ask(requests.open('/d', constants.O_DIRECTORY))).toBe('success');
    expect(ask(requests.create('/f', constants.O_CREAT, 0o644, root))).toBe('success');
  });

  it('has no capability on any thread, and cannot get one', () => {
    const { ask, helper } = start(way, 'none');
    expect(ask(requests.lstat('/'))).toBe('success');
    const tasks = readdirSync(`/proc/${helper.pid}/task`);
    expect(tasks.length).toBeGreaterThan(1);
    for (const task of tasks) {
      const status = readFileSync(`/proc/${helper.pid}/task/${task}/status`, 'utf8');
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
      for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb'])
        expect([set, field(set)]).toEqual([set, NONE]);
      expect(field('NoNewPrivs')).toBe('1');
      expect(field('Seccomp')).toBe('2');
      expect(field('Uid')?.split('\t')).toEqual(Array(4).fill(String(ordinaryUser.uid)));
      expect(field('Gid')?.split('\t')).toEqual(Array(4).fill(String(ordinaryUser.gid)));
    }
    // not dumpable: what /proc shows of it is root's
    expect(statSync(`/proc/${helper.pid}/maps`).uid).toBe(0);
  });

  it('says in the log what keeps it in the export', async () => {
    const { client, helper } = start(way, 'none');
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const mounts = readFileSync(`/proc/${helper.pid}/mounts`, 'utf8');
    if (way === inNamespace) expect(mounts).toMatch(/^\S+ \/ \S+ rw,nosuid,nodev,noexec,.*\n$/);
    client.close();
    const { stderr, status } = await helper.exit();
    expect(status).toBe(0);
    expect(stderr).toMatch(
      way === inNamespace
        ? /serving a client \(export=.*, root=a mount of its own\)/
        : /serving a client \(export=.*, root=not changed, why=.*Operation not permitted.*, paths=checked\)/,
    );
  });

  it('makes a socket of its own user and lets nobody else in', () => {
    const { path, base } = ownedExportForTest();
    const directory = join(base, 'export');
    const socket = join(directory, 'socket');
    const [command, args] = commandLine(installation.program, [
      '-p',
      path,
      '-s',
      socket,
      '--security-model=none',
    ]);
    const [first = '', ...rest] = [...ordinaryUsers[way], command, ...args];
    const started = spawnSync(first, rest, { encoding: 'utf8', timeout: 20_000 * patience });
    expect([started.status, started.stderr]).toEqual([0, '']);
    const { uid, gid, mode } = lstatSync(socket);
    expect({ uid, gid, mode: (mode & 0o7777).toString(8) }).toEqual({ ...ordinaryUser, mode: '770' });
    const connect = (user: number): number | null => {
      const script = `const s = require('net').connect(process.argv[1]);
        s.on('error', ({ code }) => process.exit(code === 'EACCES' ? 3 : 4)).on('close', () => process.exit(4));
        s.on('data', () => process.exit(0));
        s.write(Buffer.from('0800000004000000' + '02002f00', 'hex'));
        setTimeout(() => process.exit(5), 5000);`;
      const ids = [`--reuid=${user}`, `--regid=${ordinaryUser.gid}`, '--clear-groups'];
      return spawnSync('setpriv', [...ids, process.execPath, '-e', script, socket], {
        timeout: 20_000 * patience,
      }).status;
    };
    // of its group, so that the socket's mode lets it in
    expect(connect(ordinaryUser.uid + 1)).toBe(4);
    expect(connect(ordinaryUser.uid)).toBe(0);
  });
});

describe.skipIf(skipped !== undefined)('the way into a user namespace', () => {
  it('loses no descriptor, no argument, no directory and no option of Node, and is the same process', () => {
    const { path, base } = ownedExportForTest();
    writeFileSync(join(path, 'here'), '');
    const { client, peer } = WireClient.pair();
    onTestFinished(() => {
      client.close();
    });
    // a descriptor that is not the first, a path with everything in its name, relative to a directory
    const name = ' --socket "x" \'y\' \\ $HOME\t\u{1f600}';
    const script = `cd "$1" && ln -s export "$2" && shift 2 && exec "$@" 7<&3 3<&-`;
    const helper = helperForTest(['-n', '-f', '7', '--security-model', 'none', '-p', name], {
      program: installation.program,
      wrapper: ['sh', '-c', script, 'sh', base, name, ...asOrdinaryUser],
      inherit: [peer],
      env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=77' },
    });
    expect(client.request(requests.lstat('/here')).errno, helper.stderr()).toBe(0);
    const environment = readFileSync(`/proc/${helper.pid}/environ`, 'utf8').split('\0').filter(Boolean);
    expect(environment).toEqual(['NODE_OPTIONS=--max-old-space-size=77']);
    expect(readFileSync(`/proc/${helper.pid}/uid_map`, 'utf8').trim().split(/\s+/)).toEqual([
      ...Array<string>(2).fill(String(ordinaryUser.uid)),
      '1',
    ]);
  });
});

describe.skipIf(skipped !== undefined)('an ordinary user', () => {
  const refusal = (path: string, ...args: string[]): string => {
    const [command, rest] = commandLine(installation.program, ['-n', '-p', path, ...args]);
    const [first = '', ...wrapped] = [...asOrdinaryUser, command, ...rest];
    const { status, stderr } = spawnSync(first, wrapped, { encoding: 'utf8', timeout: 20_000 * patience });
    expect(status).toBe(1);
    return stderr.trim();
  };

  it('cannot start passthrough, and is told which models work', () => {
    const line = refusal(ownedExportForTest().path, '-f', '0');
    expect(line).toMatch(/^virtfs-proxy-helper: must be started as root.*--security-model.*mapped-xattr.*$/);
    expect(line).not.toContain('\n');
  });

  it.each([
    ['--uid', '0'],
    ['--allow-uid', '0'],
    ['--gid', '0'],
  ])('cannot give the socket away with %s', (...option) => {
    const line = refusal(
      ownedExportForTest().path,
      '--security-model',
      'mapped-xattr',
      '-s',
      'socket',
      ...option,
    );
    expect(line).toMatch(
      /^virtfs-proxy-helper: --uid, --gid and --allow-uid: only root can open the socket.*$/,
    );
  });

  it('cannot export a directory that he cannot enter', () => {
    const line = refusal('/root', '--security-model', 'none', '-f', '0');
    expect(line).toMatch(/^virtfs-proxy-helper: cannot make the export the root directory: .*EACCES.*$/m);
  });
});
