/**
 * The few libc calls Node does not offer and the tests need: stream sockets that carry descriptors, device nodes,
 * extended attributes, sparse-file seeking. Written apart from `src/syscalls`, so that a mistake there shows here.
 */
import { constants } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const F_GETFL = 3;
const FS_IOC_GETVERSION = 0x80087601;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTN = 0x80045430;
const AT_FDCWD = -100;

export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x40000000;
export const SHUT_WR = 1;

const c = {
  socketpair: libc.func('int socketpair(int, int, int, void *)') as (
    domain: number,
    type: number,
    protocol: number,
    pair: Buffer,
  ) => number,
  socket: libc.func('int socket(int, int, int)') as (
    domain: number,
    type: number,
    protocol: number,
  ) => number,
  close: libc.func('int close(int)') as (fd: number) => number,
  connect: libc.func('int connect(int, void *, uint32_t)') as (
    fd: number,
    name: Buffer,
    length: number,
  ) => number,
  bind: libc.func('int bind(int, void *, uint32_t)') as (fd: number, name: Buffer, length: number) => number,
  listen: libc.func('int listen(int, int)') as (fd: number, backlog: number) => number,
  shutdown: libc.func('int shutdown(int, int)') as (fd: number, how: number) => number,
  setsockopt: libc.func('int setsockopt(int, int, int, void *, uint32_t)') as (
    fd: number,
    level: number,
    name: number,
    value: Buffer,
    length: number,
  ) => number,
  getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)') as (
    fd: number,
    level: number,
    name: number,
    value: Buffer,
    length: Buffer,
  ) => number,
  send: libc.func('int64_t send(int, void *, size_t, int)') as (
    fd: number,
    bytes: Buffer,
    length: number,
    flags: number,
  ) => number,
  recv: libc.func('int64_t recv(int, void *, size_t, int)') as (
    fd: number,
    bytes: Buffer,
    length: number,
    flags: number,
  ) => number,
  recvmsg: libc.func('int64_t recvmsg(int, void *, int)') as (
    fd: number,
    header: Buffer,
    flags: number,
  ) => number,
  fcntl: libc.func('int fcntl(int, int, int64_t)') as (
    fd: number,
    command: number,
    argument: number,
  ) => number,
  ioctl: libc.func('int ioctl(int, uint64_t, void *)') as (
    fd: number,
    request: number,
    argument: Buffer,
  ) => number,
  lseek: libc.func('int64_t lseek(int, int64_t, int)') as (
    fd: number,
    offset: number,
    whence: number,
  ) => number,
  mknodat: libc.func('int mknodat(int, void *, uint32_t, uint64_t)') as (
    fd: number,
    path: Buffer,
    mode: number,
    rdev: number,
  ) => number,
  lsetxattr: libc.func('int lsetxattr(void *, void *, void *, size_t, int)') as (
    path: Buffer,
    name: Buffer,
    value: Buffer,
    size: number,
    flags: number,
  ) => number,
  lgetxattr: libc.func('int64_t lgetxattr(void *, void *, void *, size_t)') as (
    path: Buffer,
    name: Buffer,
    value: Buffer,
    size: number,
  ) => number,
  llistxattr: libc.func('int64_t llistxattr(void *, void *, size_t)') as (
    path: Buffer,
    list: Buffer,
    size: number,
  ) => number,
};

const names = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
names.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'); // Linux: the same number as ENOTSUP
names.set(109, 'ETOOMANYREFS'); // Node does not know it
names.set(constants.errno.EAGAIN, 'EAGAIN'); // Linux: the same number as EWOULDBLOCK

/** The symbolic name of an errno, for messages a person reads. */
export function errnoName(errno: number): string {
  return errno === 0 ? 'success' : (names.get(errno) ?? `errno ${errno}`);
}

export class SystemError extends Error {
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call}: ${errnoName(errno)}`);
    this.errno = errno;
  }
}

/** koffi.errno() has to be read before anything else runs, so each call is checked on the spot. */
function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, koffi.errno());
  return result;
}

const terminated = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.of(0)]);

export function socketpair(): [number, number] {
  const pair = Buffer.alloc(8);
  checked('socketpair', c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

function unixAddress(path: string): Buffer {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2, 108);
  return address;
}

const unixSocket = (): number => checked('socket', c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

/** A stream socket connected to the one bound at `path`. */
export function connectUnix(path: string): number {
  const fd = unixSocket();
  try {
    checked('connect', c.connect(fd, unixAddress(path), 110));
  } catch (error) {
    // one that tries until somebody listens must not run out of descriptors
    c.close(fd);
    throw error;
  }
  return fd;
}

/** A listening stream socket at `path`. */
export function listenUnix(path: string): number {
  const fd = unixSocket();
  checked('bind', c.bind(fd, unixAddress(path), 110));
  checked('listen', c.listen(fd, 1));
  return fd;
}

/** A datagram socket bound to a path, or to an abstract name that is written with an `@`. */
export function bindDatagrams(name: string): number {
  const fd = checked('socket', c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const address = unixAddress(name);
  if (name.startsWith('@')) address[2] = 0;
  checked('bind', c.bind(fd, address, 2 + Buffer.byteLength(name)));
  return fd;
}

/** Sends datagrams to a path until no more are taken. @returns how many were */
export function fillDatagrams(path: string): number {
  const fd = checked('socket', c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  checked('connect', c.connect(fd, unixAddress(path), 110));
  let sent = 0;
  while (c.send(fd, Buffer.from('FULL=1'), 6, MSG_DONTWAIT) > 0) sent++;
  c.close(fd);
  return sent;
}

/** A datagram that has come, or undefined. */
export function receiveDatagram(fd: number): string | undefined {
  const bytes = Buffer.alloc(4_096);
  const length = c.recv(fd, bytes, bytes.length, MSG_DONTWAIT);
  return length < 0 ? undefined : bytes.toString('utf8', 0, length);
}

/** Makes blocking calls on a socket give up with EAGAIN, so that a silent helper fails a test instead of hanging it. */
export function setSocketTimeout(fd: number, seconds: number): void {
  const value = Buffer.alloc(16);
  value.writeBigInt64LE(BigInt(Math.floor(seconds)), 0);
  value.writeBigInt64LE(BigInt(Math.round((seconds % 1) * 1e6)), 8);
  checked('setsockopt', c.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, value, 16));
  checked('setsockopt', c.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, value, 16));
}

/** The pid of the process that listened, or that made the pair. */
export function socketPeer(fd: number): number {
  const credentials = Buffer.alloc(12);
  const length = Buffer.of(12, 0, 0, 0);
  checked('getsockopt', c.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length));
  return credentials.readInt32LE(0);
}

export const shutdown = (fd: number, how: number): void => void checked('shutdown', c.shutdown(fd, how));

export const send = (fd: number, bytes: Buffer, flags: number): number =>
  checked('send', c.send(fd, bytes, bytes.length, flags));

export const recvmsg = (fd: number, header: Buffer, flags: number): number =>
  checked('recvmsg', c.recvmsg(fd, header, flags));

/** The address of memory that does not move: only of an ArrayBuffer well over V8's 64 bytes of inline storage. */
export function addressOf(memory: ArrayBuffer): bigint {
  return koffi.address(memory);
}

/** The status flags of an open descriptor (access mode, O_APPEND, O_PATH and so on). */
export const statusFlags = (fd: number): number => checked('fcntl', c.fcntl(fd, F_GETFL, 0));

/** The generation of an open file's inode, or undefined where the file system has none. */
export function inodeGeneration(fd: number): number | undefined {
  const value = Buffer.alloc(8);
  return c.ioctl(fd, FS_IOC_GETVERSION, value) < 0 ? undefined : value.readUInt32LE(0);
}

/** Unlocks the other side of a pseudo-terminal and gives its path: ioctl_tty(2). */
export function terminalOf(master: number): string {
  const value = Buffer.alloc(8);
  checked('ioctl', c.ioctl(master, TIOCSPTLCK, value));
  checked('ioctl', c.ioctl(master, TIOCGPTN, value));
  return `/dev/pts/${value.readUInt32LE(0)}`;
}

/** lseek, giving -1 where there is nothing more to find (SEEK_DATA behind the last extent). */
export const lseek = (fd: number, offset: number, whence: number): number => c.lseek(fd, offset, whence);

export const mknod = (path: Buffer, mode: number, rdev: number): void =>
  void checked('mknodat', c.mknodat(AT_FDCWD, terminated(path), mode, rdev));

export const setXattr = (path: Buffer, name: Buffer, value: Buffer): void =>
  void checked('lsetxattr', c.lsetxattr(terminated(path), terminated(name), value, value.length, 0));

const xattrSpace = Buffer.alloc(65_536);

/**
 * All extended attributes of an object itself (never of what a symlink points to). For a value the kernel refuses to
 * read back (a security attribute it cannot make sense of) its error's name stands in.
 */
export function xattrs(path: Buffer): [name: Buffer, value: Buffer][] {
  const target = terminated(path);
  const length = checked('llistxattr', c.llistxattr(target, xattrSpace, xattrSpace.length));
  if (length === 0) return [];
  const list = Buffer.from(xattrSpace.subarray(0, length - 1));
  return splitAtNul(list).map((name) => {
    const size = c.lgetxattr(target, terminated(name), xattrSpace, xattrSpace.length);
    return [name, Buffer.from(size < 0 ? errnoName(koffi.errno()) : xattrSpace.subarray(0, size))];
  });
}

function splitAtNul(list: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let end = list.indexOf(0); end >= 0; end = list.indexOf(0, start)) {
    parts.push(list.subarray(start, end));
    start = end + 1;
  }
  return [...parts, list.subarray(start)];
}
