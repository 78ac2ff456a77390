/** File capabilities that the guest sets: refused, or kept on the host with --file-capabilities, or only recorded. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  commandLine,
  helperForTest,
  OURS,
  type Session,
  sessionForTest,
} from '../../harness/helper-process.js';
import { errnoName, xattrs } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { UserNamespace, whyNoUserNamespaces } from '../../harness/user-namespace.js';
import { WireClient } from '../../harness/wire-client.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('file capabilities');
const noNamespaces = whyNoUserNamespaces();
if (noNamespaces !== undefined) console.warn(`file capabilities in a namespace skipped: ${noNamespaces}`);

const O_CREATE = 0x42;
const CAPABILITY = 'security.capability';
const root = { uid: 0, gid: 0 };
/** Revision 2, effective: CAP_NET_RAW, as for ping. */
const value = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const allowing = ['passthrough', 'none'];
const recording = ['mapped-xattr', 'mapped-file'];

interface Started extends Session {
  readonly directory: string;
  readonly ask: (bytes: Buffer) => string;
  /** The value that the guest reads, or an error. */
  readonly read: (path: string) => string;
  readonly onHost: (name: string) => string[];
}

function start(...args: readonly string[]): Started {
  const directory = exportForTest();
  return { directory, ...wordsFor(sessionForTest(directory, { args }), directory) };
}

function wordsFor(session: Session, directory: string): Omit<Started, 'directory'> {
  const ask = (bytes: Buffer): string => {
    const { errno, descriptor } = session.client.request(bytes);
    if (descriptor !== undefined) closeSync(descriptor);
    return errnoName(errno);
  };
  const read = (path: string): string => {
    const { errno, payload } = session.client.request(requests.lgetxattr(100, path, CAPABILITY));
    return errno === 0 ? payload.subarray(2).toString('hex') : errnoName(errno);
  };
  const onHost = (name: string): string[] =>
    xattrs(Buffer.from(join(directory, name))).map(
      ([key, bytes]) => `${key.toString()}=${bytes.toString('hex')}`,
    );
  return { ...session, ask, read, onHost };
}

const set = (path: string, bytes: Buffer = value): Buffer => requests.lsetxattr(path, CAPABILITY, bytes);

describe.skipIf(skip)('file capabilities of the guest', () => {
  it.each(allowing)('are EPERM in %s, and the right for them is not kept', (model) => {
    const { ask, onHost } = start('--security-model', model);
    expect(ask(requests.create('/f', O_CREATE, 0o755, root))).toBe('success');
    expect(ask(set('/f'))).toBe('EPERM');
    expect(onHost('f')).toEqual([]);
  });

  it.each(allowing)('are those of the host in %s with --file-capabilities', (model) => {
    const { ask, read, onHost, helper } = start('--security-model', model, '--file-capabilities');
    expect(ask(requests.create('/f', O_CREATE, 0o755, { uid: 1000, gid: 1000 })), helper.stderr()).toBe(
      'success',
    );
    expect(ask(set('/f'))).toBe('success');
    expect(onHost('f')).toEqual([`${CAPABILITY}=${value.toString('hex')}`]);
    expect(read('/f')).toBe(value.toString('hex'));
    expect(ask(requests.lremovexattr('/f', CAPABILITY))).toBe('success');
    expect(onHost('f')).toEqual([]);
    for (const task of readdirSync(`/proc/${helper.pid}/task`)) {
      const status = readFileSync(`/proc/${helper.pid}/task/${task}/status`, 'utf8');
      for (const kind of ['Prm', 'Eff', 'Bnd'])
        expect(status).toMatch(new RegExp(`^Cap${kind}:\\s00000000880000db$`, 'm'));
      for (const kind of ['Inh', 'Amb']) expect(status).toMatch(new RegExp(`^Cap${kind}:\\s0{16}$`, 'm'));
    }
  });

  it('take nothing from the rights with which something is created', () => {
    const { ask } = start('--file-capabilities');
    // CAP_MKNOD is not effective then: the capability that was added must not make the kernel check others
    expect(ask(requests.mknod({ uid: 0, gid: 5 }, '/device', 0o20666, 0x103))).toBe('EPERM');
    expect(ask(requests.mkdir({ uid: 1000, gid: 1000 }, '/d', 0o755))).toBe('success');
    expect(ask(requests.chown('/d', { uid: 1, gid: 2 }))).toBe('success');
  });

  it('are EROFS in a read-only export, and EOPNOTSUPP with --xattr=off', () => {
    expect(start('--file-capabilities', '--readonly').ask(set('/'))).toBe('EROFS');
    const { ask } = start('--file-capabilities', '--xattr=off');
    expect(ask(set('/'))).toBe('EOPNOTSUPP');
  });

  it('are named by --print-privileges', () => {
    const print = (...args: string[]): string => {
      const [command, words] = commandLine(OURS, ['--print-privileges', ...args]);
      return spawnSync(command, words, { encoding: 'utf8' }).stdout;
    };
    expect(print()).not.toContain('CAP_SETFCAP');
    expect(print('--file-capabilities')).toMatch(/^ {2}CAP_SETFCAP +file capabilities/m);
    expect(print('--file-capabilities', '--security-model=mapped-file')).not.toContain('CAP_SETFCAP');
  });

  it('keep the helper from starting without the right for them', () => {
    const [command, words] = commandLine(OURS, ['-n', '-p', '/', '-f', '3', '--file-capabilities']);
    const { status, stderr } = spawnSync('setpriv', ['--bounding-set', '-setfcap', command, ...words], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^virtfs-proxy-helper: .*missing: CAP_SETFCAP.*\n$/),
    ]);
  });
});

describe.skipIf(skip || noNamespaces !== undefined)('file capabilities in a user namespace', () => {
  let namespace: UserNamespace;
  beforeAll(async () => {
    namespace = await UserNamespace.make('0 100000 65536');
  });
  afterAll(() => {
    namespace.remove();
  });

  it('are those of its root alone', () => {
    const directory = exportForTest();
    execFileSync('chown', ['100000:100000', directory]);
    const { client, peer } = WireClient.pair();
    const args = ['--nodaemon', '--fd', '3', '--path', directory, '--file-capabilities'];
    const helper = helperForTest(args, { inherit: [peer], wrapper: namespace.enter });
    const { ask, read, onHost } = wordsFor({ client, helper }, directory);
    expect(ask(requests.create('/f', O_CREATE, 0o755, root)), helper.stderr()).toBe('success');
    expect(ask(set('/f'))).toBe('success');
    expect(read('/f')).toBe(value.toString('hex'));
    // revision 3, with the uid of that root
    const revision3 = Buffer.concat([value, Buffer.from('a0860100', 'hex')]);
    revision3[3] = 3;
    expect(onHost('f')).toEqual([`${CAPABILITY}=${revision3.toString('hex')}`]);
  });
});

describe.skipIf(skip).each(recording)('file capabilities in %s', (model) => {
  const started = (...args: string[]): Started => {
    const session = start('--security-model', model, ...args);
    expect(session.ask(requests.create('/f', O_CREATE, 0o755, root)), session.helper.stderr()).toBe(
      'success',
    );
    return session;
  };
  const list = ({ client }: Session, path: string): string[] =>
    client
      .request(requests.llistxattr(4096, path))
      .payload.subarray(2)
      .toString()
      .split('\0')
      .filter(Boolean);

  it('are recorded, and no attribute of the host', () => {
    const session = started();
    const { ask, read, onHost, client } = session;
    expect(read('/f')).toBe('ENODATA');
    expect(list(session, '/f')).toEqual([]);
    expect(ask(set('/f'))).toBe('success');
    expect(read('/f')).toBe(value.toString('hex'));
    expect(client.request(requests.lgetxattr(0, '/f', CAPABILITY)).payload.readUInt32LE(0)).toBe(
      value.length,
    );
    expect(ask(requests.lgetxattr(19, '/f', CAPABILITY))).toBe('ERANGE');
    expect(list(session, '/f')).toEqual([CAPABILITY]);
    expect(client.request(requests.llistxattr(0, '/f')).payload.readUInt32LE(0)).toBe(CAPABILITY.length + 1);
    expect(ask(requests.llistxattr(5, '/f'))).toBe('ERANGE');
    expect(onHost('f').filter((attribute) => attribute.startsWith('security.'))).toEqual([]);
  });

  it('go with the file through chmod, rename and link, and to no other', () => {
    const { ask, read } = started();
    expect(ask(set('/f'))).toBe('success');
    expect(ask(requests.chmod('/f', 0o700))).toBe('success');
    expect(ask(requests.mkdir(root, '/d', 0o755))).toBe('success');
    expect(ask(requests.rename('/f', '/d/g'))).toBe('success');
    expect(ask(requests.link('/d/g', '/h'))).toBe('success');
    expect([read('/d/g'), read('/h')]).toEqual(Array(2).fill(value.toString('hex')));
    expect(ask(requests.lremovexattr('/h', CAPABILITY))).toBe('success');
    expect([read('/d/g'), read('/h')]).toEqual(Array(2).fill('ENODATA'));
    expect(ask(requests.lremovexattr('/h', CAPABILITY))).toBe('ENODATA');
    expect(ask(set('/h'))).toBe('success');
    expect([ask(requests.remove('/h')), ask(requests.remove('/d/g'))]).toEqual(['success', 'success']);
    expect(ask(requests.create('/h', O_CREATE, 0o755, root))).toBe('success');
    expect(read('/h')).toBe('ENODATA');
  });

  it('are gone with another owner, as on any file system', () => {
    const { ask, read } = started();
    expect(ask(set('/f'))).toBe('success');
    expect(ask(requests.chown('/f', { uid: 1000, gid: 0xffff_ffff }))).toBe('success');
    expect(read('/f')).toBe('ENODATA');
  });

  it.each([
    ['opened for writing', requests.open('/f', 1)],
    ['opened to be truncated', requests.open('/f', 0o1000)],
    ['created again', requests.create('/f', 0o102, 0o755, root)],
    ['truncated', requests.truncate('/f', 0)],
  ])('are gone when the file is %s, as the emulator writes without asking', (_how, bytes) => {
    const { ask, read } = started();
    expect(ask(set('/f'))).toBe('success');
    expect([ask(requests.open('/f', 0)), read('/f')]).toEqual(['success', value.toString('hex')]);
    expect([ask(bytes), read('/f')]).toEqual(['success', 'ENODATA']);
  });

  it('follow the flags of setxattr(2), and have to be some', () => {
    const { ask, read } = started();
    const [CREATE, REPLACE] = [1, 2];
    const flagged = (flags: number): Buffer => requests.lsetxattr('/f', CAPABILITY, value, flags);
    expect(ask(flagged(REPLACE))).toBe('ENODATA');
    expect(ask(flagged(CREATE))).toBe('success');
    expect(ask(flagged(CREATE))).toBe('EEXIST');
    expect(ask(flagged(REPLACE))).toBe('success');
    for (const wrong of [
      Buffer.alloc(0),
      Buffer.from('text'),
      Buffer.concat([value, value]),
      Buffer.alloc(20),
    ]) {
      expect(ask(set('/f', wrong))).toBe('EINVAL');
    }
    expect(read('/f')).toBe(value.toString('hex'));
    expect(ask(set('/missing'))).toBe('ENOENT');
    expect(read('/missing')).toBe('ENOENT');
    expect(ask(requests.lremovexattr('/missing', CAPABILITY))).toBe('ENOENT');
  });

  it('cannot be forged by another name, and need no right', () => {
    const { ask, read, helper } = started('--file-capabilities');
    for (const name of ['user.virtfs.security.capability', 'security.capability.x', 'security.selinux']) {
      // in mapped-file user.virtfs.* means nothing
      const isOrdinary = model === 'mapped-file' && name.startsWith('user.');
      expect(isOrdinary ? ['success'] : ['EACCES', 'EOPNOTSUPP']).toContain(
        ask(requests.lsetxattr('/f', name, value)),
      );
    }
    expect(read('/f')).toBe('ENODATA');
    expect(readFileSync(`/proc/${helper.pid}/status`, 'utf8')).toMatch(/^CapEff:\s00000000080000db$/m);
  });
});
