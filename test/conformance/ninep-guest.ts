/** A guest of the 9P server, which asks as Linux' client does: name by name, following symbolic links itself. */
import { join } from 'node:path';
import type { BlockingNinepClient } from '../support/blocking-ninep-client.js';
import { errnoName } from '../support/libc.js';
import {
  NOFID,
  type ReceivedFields,
  type ReplyTo,
  type RequestName,
  type SentFields,
} from '../support/ninep-messages.js';
import type { Owner } from '../support/requests.js';
import { type Guest, root, type Status, unchanged } from './guest.js';

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
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const BASIC = 0x7ff;
const GENERATION = 0x1000;
const XATTR_REPLACE = 2;
const REMOVEDIR = 0x200;
/** Where the kernel gives up: path_resolution(7). */
const MOST_LINKS = 40;

/** The server refused, or the guest's own kernel would; the message is the name of the error. */
class Refused extends Error {}

/** Where a path leads: the directory, and the last name in it. `undefined` for the root. */
interface Place {
  readonly directory: number;
  readonly name: string | undefined;
}

const outcome = (work: () => unknown): string => {
  try {
    const result = work();
    return typeof result === 'string' ? result : 'ok';
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
};

export class NinepGuest implements Guest {
  readonly #client: BlockingNinepClient;
  readonly #directory: string;
  readonly #aname: string;
  /** The root as each user attached it. */
  readonly #roots = new Map<number, number>();

  /** @param aname the part of the export that is the guest's root, which is `directory` on the host */
  constructor(client: BlockingNinepClient, directory: string, aname: string) {
    this.#client = client;
    this.#directory = directory;
    this.#aname = aname;
  }

  host(path: string): string {
    return join(this.#directory, path);
  }

  create(path: string, mode = 0o644, owner = root, flags = open.CREATE | open.EXCL | open.RDWR): string {
    if ((flags & open.CREATE) === 0) return this.open(path, flags);
    return outcome(() => {
      const isNew = (flags & open.EXCL) !== 0;
      const { directory: fid, name = '.' } = this.#place(path, { follow: !isNew, owner });
      if (this.#exists(fid, name)) {
        if (isNew) throw new Refused('EEXIST');
        this.#ask('Tlopen', { fid: this.#step(fid, name), flags: flags & ~open.CREATE });
        return;
      }
      this.#ask('Tlcreate', { fid, name, flags, mode, gid: owner.gid });
      this.#ask('Tclunk', { fid });
    });
  }

  mkdir(path: string, mode = 0o755, owner = root): string {
    return this.#make(path, owner, (dfid, name) => {
      this.#ask('Tmkdir', { dfid, name, mode, gid: owner.gid });
    });
  }

  mknod(path: string, mode: number, device: number | bigint = 0, owner = root): string {
    const major = Number((BigInt(device) >> 8n) & 0xfffn);
    const minor = Number((BigInt(device) & 0xffn) | ((BigInt(device) >> 12n) & 0xfff00n));
    return this.#make(path, owner, (dfid, name) => {
      this.#ask('Tmknod', { dfid, name, mode, major, minor, gid: owner.gid });
    });
  }

  symlink(target: string, path: string, owner = root): string {
    return this.#make(path, owner, (dfid, name) => {
      this.#ask('Tsymlink', { dfid, name, target, gid: owner.gid });
    });
  }

  link(existing: string, path: string): string {
    return this.#make(path, root, (dfid, name) => {
      this.#ask('Tlink', { dfid, fid: this.#walk(existing, false), name });
    });
  }

  rename(from: string, to: string): string {
    return outcome(() => {
      const { directory: olddirfid, name: oldname = '.' } = this.#place(from);
      const { directory: newdirfid, name: newname = '.' } = this.#place(to);
      this.#ask('Trenameat', { olddirfid, oldname, newdirfid, newname });
    });
  }

  remove(path: string): string {
    return outcome(() => {
      const { directory: dirfd, name } = this.#place(path);
      if (name === undefined) throw new Refused('EBUSY');
      const flags = this.#typeOf(this.#step(dirfd, name)) === S_IFDIR ? REMOVEDIR : 0;
      this.#ask('Tunlinkat', { dirfd, name, flags });
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
    return outcome(() => this.#ask('Tgetattr', { fid: this.#walk(path, true), mask: GENERATION }));
  }

  statfs(path: string): string {
    return outcome(() => this.#ask('Tstatfs', { fid: this.#walk(path, true) }));
  }

  write(path: string, content: string): string {
    return outcome(() => {
      const data = Buffer.from(content);
      this.#ask('Twrite', { fid: this.#open(path, open.WRONLY), offset: 0, data });
    });
  }

  read(path: string): string {
    return outcome(() => {
      const { data } = this.#ask('Tread', { fid: this.#open(path, 0), offset: 0, count: 4_096 });
      return data.toString('latin1');
    });
  }

  readlink(path: string): string {
    return outcome(() => this.#ask('Treadlink', { fid: this.#walk(path, false) }).target);
  }

  getxattr(path: string, name: string): string {
    return outcome(() => this.#attribute(path, name));
  }

  setxattr(path: string, name: string, value: string | Buffer, flags = 0): string {
    const data = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
    return outcome(() => {
      const fid = this.#walk(path, false);
      this.#ask('Txattrcreate', { fid, name, size: data.length, flags });
      if (data.length > 0) this.#ask('Twrite', { fid, offset: 0, data });
      this.#ask('Tclunk', { fid });
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
    const it = this.#ask('Tgetattr', { fid: this.#walk(path, false), mask: BASIC });
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
    return outcome(() => this.#walk(path, false));
  }

  look(path: string): string {
    return outcome(() => {
      const { mode, owner } = this.status(path);
      return `${mode} ${owner}`;
    });
  }

  #ask<Name extends RequestName>(name: Name, fields: SentFields<Name>): ReceivedFields<ReplyTo<Name>> {
    const reply = this.#client.request(name, fields);
    if (reply.errno !== 0) throw new Refused(errnoName(reply.errno));
    return reply.fields;
  }

  #root({ uid }: Owner): number {
    const known = this.#roots.get(uid);
    if (known !== undefined) return known;
    const fid = this.#client.newFid();
    this.#ask('Tattach', { fid, afid: NOFID, uname: '', aname: this.#aname, n_uname: uid });
    this.#roots.set(uid, fid);
    return fid;
  }

  /** A new fid of a name in a directory. */
  #step(fid: number, ...names: readonly string[]): number {
    const newfid = this.#client.newFid();
    this.#ask('Twalk', { fid, newfid, names });
    return newfid;
  }

  #exists(fid: number, name: string): boolean {
    const found = outcome(() => this.#step(fid, name));
    if (found !== 'ok' && found !== 'ENOENT') throw new Refused(found);
    return found === 'ok';
  }

  #typeOf(fid: number): number {
    return this.#ask('Tgetattr', { fid, mask: BASIC }).mode & S_IFMT;
  }

  /** What path_resolution(7) says. @param follow whether the last name is followed when it is a symbolic link */
  #place(path: string, { follow = false, owner = root }: { follow?: boolean; owner?: Owner } = {}): Place {
    if (path === '') throw new Refused('ENOENT');
    let way = [this.#step(this.#root(owner))];
    const names = path.split('/');
    for (let links = 0; ;) {
      const name = names.shift();
      if (name === undefined) return { directory: way.at(-1)!, name: undefined };
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length > 1) way.pop();
        continue;
      }
      const directory = way.at(-1)!;
      const isLast = names.every((rest) => rest === '');
      if (isLast && !follow) return { directory, name };
      if (isLast && !this.#exists(directory, name)) return { directory, name };
      const fid = this.#step(directory, name);
      const type = this.#typeOf(fid);
      if (type === S_IFLNK) {
        if (++links > MOST_LINKS) throw new Refused('ELOOP');
        const { target } = this.#ask('Treadlink', { fid });
        if (target.startsWith('/')) way = way.slice(0, 1);
        names.unshift(...target.split('/'));
        continue;
      }
      if (isLast) return { directory, name };
      if (type !== S_IFDIR) throw new Refused('ENOTDIR');
      way.push(fid);
    }
  }

  /** A fid of what a path leads to. */
  #walk(path: string, follow: boolean): number {
    const { directory, name } = this.#place(path, { follow });
    return name === undefined ? this.#step(directory) : this.#step(directory, name);
  }

  #open(path: string, flags: number): number {
    const fid = this.#walk(path, (flags & open.NOFOLLOW) === 0);
    this.#ask('Tlopen', { fid, flags });
    return fid;
  }

  #make(path: string, owner: Owner, make: (directory: number, name: string) => void): string {
    return outcome(() => {
      const { directory, name } = this.#place(path, { owner });
      if (name === undefined) throw new Refused('EEXIST');
      make(directory, name);
    });
  }

  #change(path: string, follow: boolean, changes: Partial<SentFields<'Tsetattr'>>): string {
    const time = { seconds: 0n, nanoseconds: 0n };
    const unset = { valid: 0, mode: 0, uid: unchanged, gid: unchanged, size: 0, atime: time, mtime: time };
    return outcome(() => {
      const fid = this.#walk(path, follow);
      this.#ask('Tsetattr', { ...unset, ...changes, fid });
    });
  }

  #attribute(path: string, name: string): string {
    const [fid, newfid] = [this.#walk(path, false), this.#client.newFid()];
    const { size } = this.#ask('Txattrwalk', { fid, newfid, name });
    const { data } = this.#ask('Tread', { fid: newfid, offset: 0, count: Number(size) });
    this.#ask('Tclunk', { fid: newfid });
    return data.toString('latin1');
  }
}
