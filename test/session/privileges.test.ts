/** Rights: what the process has, what it has while it creates, and that all of it is back afterwards. */
import { closeSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Session, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { type Owner, requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();

/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID, MKNOD. */
const KEPT = '00000000080000db';
const NONE = '0000000000000000';
const O_CREATE = 0x42;
const root = { uid: 0, gid: 0 };
const user = { uid: 1000, gid: 1000 };

type TaskStatus = Readonly<Record<string, string | undefined>>;

function tasks(pid: number): TaskStatus[] {
  return readdirSync(`/proc/${pid}/task`).map((task) => {
    const lines = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8').split('\n');
    return Object.fromEntries(
      lines.map((line) => line.split(':', 2).map((part) => part.trim()) as [string, string]),
    );
  });
}

const rights = (status: TaskStatus): unknown => ({
  permitted: status['CapPrm'],
  effective: status['CapEff'],
  bounding: status['CapBnd'],
  inheritable: status['CapInh'],
  ambient: status['CapAmb'],
  noNewPrivileges: status['NoNewPrivs'],
  groups: status['Groups'],
  uids: status['Uid']?.split('\t'),
  gids: status['Gid']?.split('\t'),
});

const expected = {
  permitted: KEPT,
  effective: KEPT,
  bounding: KEPT,
  inheritable: NONE,
  ambient: NONE,
  noNewPrivileges: '1',
  groups: '',
  uids: ['0', '0', '0', '0'],
  gids: ['0', '0', '0', '0'],
};

function start(options: Parameters<typeof sessionForTest>[1] = {}): Session & { directory: string } {
  const directory = exportForTest();
  return { directory, ...sessionForTest(directory, options) };
}

/** All four requests that make something for a user. */
function createAll({ client }: Session, owner: Owner, prefix: string): string[] {
  const file = client.request(requests.create(`${prefix}file`, O_CREATE, 0o644, owner));
  if (file.descriptor !== undefined) closeSync(file.descriptor);
  return [
    file,
    client.request(requests.mkdir(owner, `${prefix}directory`, 0o755)),
    client.request(requests.symlink(owner, 'target', `${prefix}link`)),
    client.request(requests.mknod(owner, `${prefix}fifo`, 0o10644, 0)),
  ].map(({ errno }) => errnoName(errno));
}

const made = ['file', 'directory', 'link', 'fifo'];

describe.skipIf(skipped !== undefined)('the rights of the process', () => {
  it('are the same few on every thread', () => {
    const session = start();
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const all = tasks(session.helper.pid);
    // V8's and libuv's threads as well as the one that serves.
    expect(all.length).toBeGreaterThan(1);
    expect(all.map(rights)).toEqual(all.map(() => expected));
  });

  it('are the same after it created for others, and after it was refused', () => {
    const session = start();
    for (const [index, owner] of [user, { uid: 0, gid: 500 }, { uid: 500, gid: 0 }, root].entries()) {
      expect(createAll(session, owner, `/${index}`)).toEqual(made.map(() => 'success'));
      expect(createAll(session, owner, `/missing/${index}`)).toEqual(made.map(() => 'ENOENT'));
      const device = requests.mknod(owner, `/device${index}`, 0o20666, 0x103);
      expect(errnoName(session.client.request(device).errno)).toBe(
        owner.uid === 0 && owner.gid === 0 ? 'success' : 'EPERM',
      );
    }
    const all = tasks(session.helper.pid);
    expect(all.map(rights)).toEqual(all.map(() => expected));
  });

  it('do not include the groups of the caller', () => {
    const session = start({ wrapper: ['setpriv', '--groups', '500,501'] });
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const all = tasks(session.helper.pid);
    expect(all.map(rights)).toEqual(all.map(() => expected));
  });

  it('do not include what the caller passes on', () => {
    // Inheritable and ambient capabilities survive an exec; the helper has no use for any.
    const session = start({
      wrapper: ['setpriv', '--inh-caps', '+chown,+kill', '--ambient-caps', '+chown,+kill'],
    });
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const all = tasks(session.helper.pid);
    expect(all.map(rights)).toEqual(all.map(() => expected));
  });

  it('include nothing outside the export', () => {
    const { client, helper, directory } = start();
    expect(errnoName(client.request(requests.lstat('/../../../../etc/passwd')).errno)).toBe('ENOENT');
    expect(client.request(requests.symlink(root, '/etc/passwd', '/absolute')).errno).toBe(0);
    expect(client.request(requests.symlink(root, '../../../../../etc/passwd', '/relative')).errno).toBe(0);
    for (const path of ['/absolute', '/relative']) {
      expect(errnoName(client.request(requests.open(path, 0)).errno)).toBe('ENOENT');
    }
    const directories = readdirSync(`/proc/${helper.pid}/fd`).map((fd) => {
      try {
        return lstatSync(`/proc/${helper.pid}/fd/${fd}/.`).ino;
      } catch {
        return 0; // not a directory
      }
    });
    // An open directory outside the export would be a way out: a `..` away from the whole host.
    const inside = lstatSync(directory).ino;
    const outside = directories.filter(
      (ino) => ino !== 0 && ino !== inside && ino !== lstatSync(`/proc/${helper.pid}/fd/.`).ino,
    );
    expect(outside).toEqual([]);
  });
});

describe.skipIf(skipped !== undefined)('what is created', () => {
  it.each([
    { uid: 0, gid: 0 },
    { uid: 1000, gid: 1001 },
    { uid: 1000, gid: 0 },
    { uid: 0, gid: 1000 },
    { uid: 65_534, gid: 65_534 },
    { uid: 4_294_967_294, gid: 4_294_967_294 },
  ])('belongs to $uid:$gid', (owner) => {
    const session = start();
    expect(createAll(session, owner, '/')).toEqual(made.map(() => 'success'));
    for (const name of made) {
      const { uid, gid } = lstatSync(join(session.directory, name));
      expect({ uid, gid }).toEqual(owner);
    }
  });

  it("belongs to the directory's group in a set-gid directory, and a directory is set-gid too", () => {
    const session = start();
    expect(session.client.request(requests.chown('/', { uid: 0, gid: 500 })).errno).toBe(0);
    expect(session.client.request(requests.chmod('/', 0o2777)).errno).toBe(0);
    expect(createAll(session, user, '/')).toEqual(made.map(() => 'success'));
    for (const name of made) {
      const { uid, gid } = lstatSync(join(session.directory, name));
      expect([name, uid, gid]).toEqual([name, 1000, 500]);
    }
    expect(lstatSync(join(session.directory, 'directory')).mode & 0o7777).toBe(0o2755);
  });

  it('may be made where the user alone could not: the groups of the guest are not on the wire', () => {
    const session = start();
    expect(session.client.request(requests.chmod('/', 0o700)).errno).toBe(0);
    expect(createAll(session, user, '/')).toEqual(made.map(() => 'success'));
  });

  it("is not set-gid for a group that its owner is not in (the kernel's own rule)", () => {
    const session = start();
    const { client, directory } = session;
    expect(client.request(requests.chown('/', { uid: 0, gid: 500 })).errno).toBe(0);
    expect(client.request(requests.chmod('/', 0o2777)).errno).toBe(0);
    const { descriptor, errno } = client.request(requests.create('/f', O_CREATE, 0o2755, user));
    expect(errno).toBe(0);
    closeSync(descriptor!);
    const { mode, gid } = lstatSync(join(directory, 'f'));
    expect([(mode & 0o7777).toString(8), gid]).toEqual(['755', 500]);
  });

  it('goes on after the sequence that ends a share on the C helper', () => {
    const { client, directory } = start();
    // A set-gid directory of another group; root creates in it (the guest says so with that group) and changes the
    // owner; then an ordinary user creates.
    expect(client.request(requests.mkdir(root, '/shared', 0o777)).errno).toBe(0);
    expect(client.request(requests.chown('/shared', { uid: 0, gid: 500 })).errno).toBe(0);
    expect(client.request(requests.chmod('/shared', 0o2777)).errno).toBe(0);
    const first = client.request(requests.create('/shared/root', O_CREATE, 0o644, { uid: 0, gid: 500 }));
    expect(first.errno).toBe(0);
    closeSync(first.descriptor!);
    expect(client.request(requests.chown('/shared/root', user)).errno).toBe(0);
    const second = client.request(requests.create('/shared/user', O_CREATE, 0o644, user));
    expect(second.errno).toBe(0);
    closeSync(second.descriptor!);
    expect(lstatSync(join(directory, 'shared/root')).uid).toBe(1000);
    expect(lstatSync(join(directory, 'shared/user')).gid).toBe(500);
  });

  it('has the mode that was asked for, whatever the umask of the caller', () => {
    const session = start({ wrapper: ['sh', '-c', 'umask 077 && exec "$@"', 'sh'] });
    expect(createAll(session, user, '/')).toEqual(made.map(() => 'success'));
    const modes = made.map((name) => (lstatSync(join(session.directory, name)).mode & 0o7777).toString(8));
    expect(modes).toEqual(['644', '755', '777', '644']);
  });
});
