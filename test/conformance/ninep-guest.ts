/** A guest of the 9P server, which asks as Linux' client does: name by name, following symbolic links itself. */
import { join } from 'node:path';
import type { BlockingNinepClient } from '../../harness/blocking-ninep-client.js';
import type { SentFields } from '../../harness/ninep-messages.js';
import type { Owner } from '../../harness/requests.js';
import { type Guest, root, type Status, unchanged } from './guest.js';
import { BASIC, NinepPaths, outcome, Refused, S_IFDIR } from './ninep-paths.js';

const open = { WRONLY: 1, RDWR: 2, CREATE: 0o100, EXCL: 0o200, NOFOLLOW: 0o400000 } as const;
const set = {
  MODE: 1,
  UID: 2,
  GID: 4,
  SIZE: 8,
  ATIME: 0x10,
  MTIME: 0x20,
  CTIME: 0x40,
  EXACT: 0x180,
} as const;
const GENERATION = 0x1000;
const XATTR_REPLACE = 2;
const REMOVEDIR = 0x200;

export class NinepGuest implements Guest {
  readonly #paths: NinepPaths;
  readonly #directory: string;

  /** @param aname the part of the export that is the guest's root, which is `directory` on the host */
  constructor(client: BlockingNinepClient, directory: string, aname: string) {
    this.#paths = new NinepPaths(client, aname);
    this.#directory = directory;
  }

  host(path: string): string {
    return join(this.#directory, path);
  }

  create(path: string, mode = 0o644, owner = root, flags = open.CREATE | open.EXCL | open.RDWR): string {
    if ((flags & open.CREATE) === 0) return this.open(path, flags);
    return outcome(() => {
      const isNew = (flags & open.EXCL) !== 0;
      const { directory: fid, name = '.' } = this.#paths.place(path, { follow: !isNew, owner });
      if (this.#paths.exists(fid, name)) {
        if (isNew) throw new Refused('EEXIST');
        this.#paths.ask('Tlopen', { fid: this.#paths.step(fid, name), flags: flags & ~open.CREATE });
        return;
      }
      this.#paths.ask('Tlcreate', { fid, name, flags, mode, gid: owner.gid });
      this.#paths.ask('Tclunk', { fid });
    });
  }

  mkdir(path: string, mode = 0o755, owner = root): string {
    return this.#make(path, owner, (dfid, name) => {
      this.#paths.ask('Tmkdir', { dfid, name, mode, gid: owner.gid });
    });
  }

  mknod(path: string, mode: number, device: number | bigint = 0, owner = root): string {
    const major = Number((BigInt(device) >> 8n) & 0xfffn);
    const minor = Number((BigInt(device) & 0xffn) | ((BigInt(device) >> 12n) & 0xfff00n));
    return this.#make(path, owner, (dfid, name) => {
      this.#paths.ask('Tmknod', { dfid, name, mode, major, minor, gid: owner.gid });
    });
  }

  symlink(target: string, path: string, owner = root): string {
    return this.#make(path, owner, (dfid, name) => {
      this.#paths.ask('Tsymlink', { dfid, name, target, gid: owner.gid });
    });
  }

  link(existing: string, path: string): string {
    return this.#make(path, root, (dfid, name) => {
      this.#paths.ask('Tlink', { dfid, fid: this.#paths.walk(existing, false), name });
    });
  }

  rename(from: string, to: string): string {
    return outcome(() => {
      const { directory: olddirfid, name: oldname = '.' } = this.#paths.place(from);
      const { directory: newdirfid, name: newname = '.' } = this.#paths.place(to);
      this.#paths.ask('Trenameat', { olddirfid, oldname, newdirfid, newname });
    });
  }

  remove(path: string): string {
    return outcome(() => {
      const { directory: dirfd, name } = this.#paths.place(path);
      if (name === undefined) throw new Refused('EBUSY');
      const flags = this.#paths.typeOf(this.#paths.step(dirfd, name)) === S_IFDIR ? REMOVEDIR : 0;
      this.#paths.ask('Tunlinkat', { dirfd, name, flags });
    });
  }

  chmod(path: string, mode: number): string {
    return this.#change(path, true, { valid: set.MODE | set.CTIME, mode });
  }

  chown(path: string, uid: number, gid: number): string {
    const ids = (uid === unchanged ? 0 : set.UID) | (gid === unchanged ? 0 : set.GID);
    return this.#change(path, false, { valid: ids | set.CTIME, uid, gid });
  }

  truncate(path: string, length: number): string {
    const size = BigInt.asUintN(64, BigInt(length));
    return this.#change(path, true, { valid: set.SIZE | set.MTIME | set.CTIME, size });
  }

  utime(path: string, accessed: bigint, modified: bigint): string {
    return this.#change(path, false, {
      valid: set.ATIME | set.MTIME | set.EXACT | set.CTIME,
      atime: { seconds: accessed, nanoseconds: 0n },
      mtime: { seconds: modified, nanoseconds: 0n },
    });
  }

  open(path: string, flags = 0): string {
    return outcome(() => this.#open(path, flags));
  }

  version(path: string): string {
    return outcome(() =>
      this.#paths.ask('Tgetattr', { fid: this.#paths.walk(path, true), mask: GENERATION }),
    );
  }

  statfs(path: string): string {
    return outcome(() => this.#paths.ask('Tstatfs', { fid: this.#paths.walk(path, true) }));
  }

  write(path: string, content: string): string {
    return outcome(() => {
      const data = Buffer.from(content);
      this.#paths.ask('Twrite', { fid: this.#open(path, open.WRONLY), offset: 0, data });
    });
  }

  read(path: string): string {
    return outcome(() => {
      const { data } = this.#paths.ask('Tread', { fid: this.#open(path, 0), offset: 0, count: 4_096 });
      return data.toString('latin1');
    });
  }

  readlink(path: string): string {
    return outcome(() => this.#paths.ask('Treadlink', { fid: this.#paths.walk(path, false) }).target);
  }

  getxattr(path: string, name: string): string {
    return outcome(() => this.#attribute(path, name));
  }

  setxattr(path: string, name: string, value: string | Buffer, flags = 0): string {
    const data = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
    return outcome(() => {
      const fid = this.#paths.walk(path, false);
      this.#paths.ask('Txattrcreate', { fid, name, size: data.length, flags });
      if (data.length > 0) this.#paths.ask('Twrite', { fid, offset: 0, data });
      this.#paths.ask('Tclunk', { fid });
    });
  }

  removexattr(path: string, name: string): string {
    return this.setxattr(path, name, '', XATTR_REPLACE);
  }

  listxattr(path: string): string {
    return outcome(() =>
      this.#attribute(path, '')
        .split('\0')
        .filter((name) => name !== '' && !name.startsWith('security.'))
        .sort()
        .join(' '),
    );
  }

  status(path: string): Status {
    const it = this.#paths.ask('Tgetattr', { fid: this.#paths.walk(path, false), mask: BASIC });
    return {
      mode: it.mode.toString(8),
      owner: `${it.uid}:${it.gid}`,
      links: Number(it.nlink),
      device: it.rdev.toString(16),
      size: Number(it.size),
      modified: BigInt.asIntN(64, it.mtime.seconds),
    };
  }

  exists(path: string): string {
    return outcome(() => this.#paths.walk(path, false));
  }

  look(path: string): string {
    return outcome(() => {
      const { mode, owner } = this.status(path);
      return `${mode} ${owner}`;
    });
  }

  #open(path: string, flags: number): number {
    const fid = this.#paths.walk(path, (flags & open.NOFOLLOW) === 0);
    this.#paths.ask('Tlopen', { fid, flags });
    return fid;
  }

  #make(path: string, owner: Owner, make: (directory: number, name: string) => void): string {
    return outcome(() => {
      const { directory, name } = this.#paths.place(path, { owner });
      if (name === undefined) throw new Refused('EEXIST');
      make(directory, name);
    });
  }

  #change(path: string, follow: boolean, changes: Partial<SentFields<'Tsetattr'>>): string {
    const time = { seconds: 0n, nanoseconds: 0n };
    const unset = { valid: 0, mode: 0, uid: unchanged, gid: unchanged, size: 0, atime: time, mtime: time };
    return outcome(() => {
      const fid = this.#paths.walk(path, follow);
      this.#paths.ask('Tsetattr', { ...unset, ...changes, fid });
    });
  }

  #attribute(path: string, name: string): string {
    const [fid, newfid] = [this.#paths.walk(path, false), this.#paths.newFid()];
    const { size } = this.#paths.ask('Txattrwalk', { fid, newfid, name });
    const { data } = this.#paths.ask('Tread', { fid: newfid, offset: 0, count: Number(size) });
    this.#paths.ask('Tclunk', { fid: newfid });
    return data.toString('latin1');
  }
}
