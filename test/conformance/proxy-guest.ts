import { closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import type { Reply } from '../../harness/wire-client.js';
import { type Guest, root, type Status } from './guest.js';

const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const XATTR_ROOM = 4_096;

/** A guest whose requests go to the helper as QEMU's proxy driver sends them. */
export class ProxyGuest implements Guest {
  readonly #session: Session;
  readonly #directory: string;

  constructor(session: Session, directory: string) {
    this.#session = session;
    this.#directory = directory;
  }

  host(path: string): string {
    return join(this.#directory, path);
  }

  #ask(request: Buffer): Reply {
    return this.#session.client.request(request);
  }

  #done(request: Buffer): string {
    const { errno, descriptor } = this.#ask(request);
    if (descriptor !== undefined) closeSync(descriptor);
    return errno === 0 ? 'ok' : errnoName(errno);
  }

  create(path: string, mode = 0o644, owner = root, flags = O_CREAT | O_EXCL | O_RDWR): string {
    return this.#done(requests.create(path, flags, mode, owner));
  }

  mkdir(path: string, mode = 0o755, owner = root): string {
    return this.#done(requests.mkdir(owner, path, mode));
  }

  mknod(path: string, mode: number, device: number | bigint = 0, owner = root): string {
    return this.#done(requests.mknod(owner, path, mode, device));
  }

  symlink(target: string, path: string, owner = root): string {
    return this.#done(requests.symlink(owner, target, path));
  }

  link(existing: string, path: string): string {
    return this.#done(requests.link(existing, path));
  }

  rename(from: string, to: string): string {
    return this.#done(requests.rename(from, to));
  }

  remove(path: string): string {
    return this.#done(requests.remove(path));
  }

  chmod(path: string, mode: number): string {
    return this.#done(requests.chmod(path, mode));
  }

  chown(path: string, uid: number, gid: number): string {
    return this.#done(requests.chown(path, { uid, gid }));
  }

  truncate(path: string, length: number): string {
    return this.#done(requests.truncate(path, length));
  }

  utime(path: string, accessed: bigint, modified: bigint): string {
    return this.#done(requests.utime(path, [accessed, 0n], [modified, 0n]));
  }

  open(path: string, flags = 0): string {
    return this.#done(requests.open(path, flags));
  }

  version(path: string): string {
    return this.#done(requests.getversion(path));
  }

  statfs(path: string): string {
    return this.#done(requests.statfs(path));
  }

  write(path: string, content: string): string {
    return this.#with(path, 1, (descriptor) => {
      writeSync(descriptor, content);
      return 'ok';
    });
  }

  read(path: string): string {
    return this.#with(path, 0, (descriptor) => {
      const bytes = Buffer.alloc(XATTR_ROOM);
      return bytes.toString('latin1', 0, readSync(descriptor, bytes));
    });
  }

  #with(path: string, flags: number, use: (descriptor: number) => string): string {
    const { errno, descriptor } = this.#ask(requests.open(path, flags));
    if (descriptor === undefined) return errnoName(errno);
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  readlink(path: string): string {
    return this.#string(requests.readlink(path, XATTR_ROOM));
  }

  getxattr(path: string, name: string): string {
    return this.#string(requests.lgetxattr(XATTR_ROOM, path, name));
  }

  setxattr(path: string, name: string, value: string | Buffer, flags = 0): string {
    return this.#done(requests.lsetxattr(path, name, value, flags));
  }

  removexattr(path: string, name: string): string {
    return this.#done(requests.lremovexattr(path, name));
  }

  listxattr(path: string): string {
    const whole = this.#string(requests.llistxattr(XATTR_ROOM, path));
    const length = this.#ask(requests.llistxattr(0, path));
    if (length.errno === 0 && length.payload.readInt32LE(0) !== whole.length) return 'two lengths';
    return whole
      .split('\0')
      .filter((name) => name !== '' && !name.startsWith('security.'))
      .sort()
      .join(' ');
  }

  #string(request: Buffer): string {
    const { errno, payload } = this.#ask(request);
    return errno === 0 ? payload.toString('latin1', 2) : errnoName(errno);
  }

  status(path: string): Status {
    const { errno, payload } = this.#ask(requests.lstat(path));
    if (errno !== 0) throw new Error(`lstat ${path}: ${errnoName(errno)}`);
    return {
      mode: payload.readUInt32LE(24).toString(8),
      owner: `${payload.readUInt32LE(28)}:${payload.readUInt32LE(32)}`,
      links: Number(payload.readBigUInt64LE(16)),
      device: payload.readBigUInt64LE(36).toString(16),
      size: Number(payload.readBigUInt64LE(44)),
      modified: payload.readBigInt64LE(84),
    };
  }

  exists(path: string): string {
    return this.#done(requests.lstat(path));
  }

  look(path: string): string {
    const { errno } = this.#ask(requests.lstat(path));
    if (errno !== 0) return errnoName(errno);
    const { mode, owner } = this.status(path);
    return `${mode} ${owner}`;
  }
}
