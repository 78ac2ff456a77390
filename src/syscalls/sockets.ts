import * as errno from '../abi/errno.js';
import { close } from './files.js';
import { addressOf, declareInt, type Pointer } from './libc.js';
import { littleEndian, stableMemory, wordsOf } from './memory.js';

const libc = {
  socket: declareInt('socket', 'int', 'int', 'int'),
  socketpair: declareInt('socketpair', 'int', 'int', 'int', 'void *'),
  bind: declareInt('bind', 'int', 'void *', 'uint32'),
  connect: declareInt('connect', 'int', 'void *', 'uint32'),
  listen: declareInt('listen', 'int', 'int'),
  fchmod: declareInt('fchmod', 'int', 'uint32'),
  getsockopt: declareInt('getsockopt', 'int', 'int', 'int', 'void *', 'void *'),
  shutdown: declareInt('shutdown', 'int', 'int'),
  poll: declareInt('poll', 'void *', 'int64', 'int'),
  recv: declareInt('recv', 'int', 'void *', 'int64', 'int'),
  send: declareInt('send', 'int', 'void *', 'int64', 'int'),
  sendmsg: declareInt('sendmsg', 'int', 'void *', 'int'),
  setsockopt: declareInt('setsockopt', 'int', 'int', 'int', 'void *', 'uint32'),
};

const AF_UNIX = 1;
export const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export type SocketType = typeof SOCK_STREAM | typeof SOCK_SEQPACKET;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_PEERCRED = 17;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const SCM_RIGHTS = 1;
const SO_SNDBUF = 7;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SHUT_RD = 0;
const SHUT_RDWR = 2;
const POLLHUP = 0x10;
const POLLRDHUP = 0x2000;

/** Ends a connection for both sides, whoever else has descriptors of it: shutdown(2). */
export function shutdown(socket: number): number {
  return libc.shutdown(socket, SHUT_RDWR);
}

/** From now on the other end cannot send anything: EPIPE. */
export function refuseInput(socket: number): number {
  return libc.shutdown(socket, SHUT_RD);
}

/** A new unbound `AF_UNIX` socket. */
export function unixSocket(type: SocketType): number {
  return libc.socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

/** The same, of which no call waits: connect(2) neither, which fails with EAGAIN where too many wait to be accepted. */
export function unixSocketThatWaitsForNothing(type: SocketType): number {
  return libc.socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/** Two connected `AF_UNIX` stream sockets, or -errno. */
export function socketPair(): readonly [number, number] | number {
  const pair = stableMemory(8);
  const failed = libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  const [one = -1, other = -1] = new Int32Array(pair.buffer, 0, 2);
  return failed < 0 ? failed : [one, other];
}

/** Longer paths do not fit into `struct sockaddr_un` with their final NUL: unix(7). */
export const MAX_PATH_BYTES = 107;

/** `struct sockaddr_un` of a path. */
function unixAddress(path: string): Uint8Array {
  const address = stableMemory(110);
  new DataView(address.buffer).setUint16(0, AF_UNIX, littleEndian);
  new TextEncoder().encodeInto(path, address.subarray(2));
  return address;
}

export function bindUnix(socket: number, path: string): number {
  return libc.bind(socket, unixAddress(path), 110);
}

export function connectUnix(socket: number, path: string): number {
  return libc.connect(socket, unixAddress(path), 110);
}

/**
 * Whether a process has a socket bound to this file, listening or not.
 *
 * A datagram socket cannot connect to one of another type (EPROTOTYPE), but is told so only when there is one. So nobody
 * is connected to, and nobody's backlog is waited for.
 *
 * @param file an O_PATH descriptor of the socket's file
 */
export function isSocketInUse(file: number): boolean {
  const probe = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const connected = connectUnix(probe, `/proc/self/fd/${file}`);
  close(probe);
  return connected !== -errno.ECONNREFUSED;
}

/**
 * A datagram socket connected to a path, or to an abstract name that is written with an `@` for its NUL: unix(7).
 * What is sent later reaches it whatever the root directory is then.
 *
 * @returns the descriptor or -errno
 */
export function datagramSocketTo(address: string): number {
  const bytes = Buffer.byteLength(address);
  if (bytes > MAX_PATH_BYTES) return -errno.ENAMETOOLONG;
  const target = unixAddress(address);
  if (address.startsWith('@')) target[2] = 0;
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return socket;
  // the length counts: an abstract name has no end of its own
  const connected = libc.connect(socket, target, 2 + bytes);
  if (connected >= 0) return socket;
  close(socket);
  return connected;
}

export function listen(socket: number, backlog: number): number {
  return libc.listen(socket, backlog);
}

/** On an unbound socket this sets the mode that bind(2) gives the new socket file. */
export function fchmod(descriptor: number, mode: number): number {
  return libc.fchmod(descriptor, mode);
}

const optionValue = stableMemory(12);
const optionLength = stableMemory(4);

/** An option of SOL_SOCKET that is an int, or -errno: socket(7). */
export function socketOption(socket: number, option: number): number {
  wordsOf(optionLength)[0] = 4;
  const failed = libc.getsockopt(socket, SOL_SOCKET, option, optionValue, optionLength);
  return failed < 0 ? failed : (wordsOf(optionValue)[0] ?? 0);
}

/** What an inherited descriptor is: a stream socket of the unix domain, listening or connected; or -errno. */
export function unixSocketState(descriptor: number): 'listening' | 'connected' | 'other' | number {
  const domain = socketOption(descriptor, SO_DOMAIN);
  if (domain < 0) return domain;
  if (domain !== AF_UNIX || socketOption(descriptor, SO_TYPE) !== SOCK_STREAM) return 'other';
  if (socketOption(descriptor, SO_ACCEPTCONN) === 1) return 'listening';
  return peerCredentials(descriptor) === undefined ? 'other' : 'connected';
}

/** A process that opened no more files than a few has all of its descriptors below. */
const DESCRIPTORS = 1024;

/** The datagram sockets of this process. */
export function datagramSockets(): readonly number[] {
  return Array.from({ length: DESCRIPTORS }, (_, descriptor) => descriptor).filter(
    (descriptor) => socketOption(descriptor, SO_TYPE) === SOCK_DGRAM,
  );
}

/** Who connected, as the kernel saw it at connect or socketpair: unix(7), SO_PEERCRED. */
export function peerCredentials(socket: number): { pid: number; uid: number; gid: number } | undefined {
  wordsOf(optionLength)[0] = 12;
  if (libc.getsockopt(socket, SOL_SOCKET, SO_PEERCRED, optionValue, optionLength) < 0) return undefined;
  const [pid = 0, uid = 0, gid = 0] = wordsOf(optionValue);
  // an unconnected socket has a peer with no process and the id -1
  return pid === 0 && uid === 0xffffffff ? undefined : { pid, uid, gid };
}

/** `struct pollfd`, poll(2): a descriptor, then the events that are asked for and those that are there, 16 bits each. */
const pollEntry = stableMemory(8);
const pollWords = wordsOf(pollEntry);

/**
 * Whether the other end of a connection sends nothing any more, or is closed. A TCP peer that has closed looks like one that
 * has shut down its sending only.
 */
export function hasHungUp(socket: number): boolean {
  pollWords[0] = socket;
  pollWords[1] = POLLRDHUP;
  const found = libc.poll(pollEntry, 1, 0);
  return found > 0 && ((pollWords[1] >>> 16) & (POLLHUP | POLLRDHUP)) !== 0;
}

/** Takes what is there without waiting: the number of bytes, 0 at the end of the stream, or -errno (EAGAIN). */
export function receive(socket: number, into: Pointer, size: number): number {
  return libc.recv(socket, into, size, MSG_DONTWAIT);
}

/** Waits for bytes, the end of the stream, or the time of `setReceiveTimeout`. The socket must not be O_NONBLOCK. */
export function receiveWaiting(socket: number, into: Pointer, size: number): number {
  return libc.recv(socket, into, size, 0);
}

/** The same, whatever signal comes meanwhile: a time of `setReceiveTimeout` begins anew then. */
export function receiveUninterrupted(socket: number, into: Pointer, size: number): number {
  for (;;) {
    const bytes = receiveWaiting(socket, into, size);
    if (bytes !== -errno.EINTR) return bytes;
  }
}

/** Sends what fits without waiting: the number of bytes, or -errno (EAGAIN, EPIPE). */
export function send(socket: number, from: Pointer, size: number): number {
  return libc.send(socket, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** The same where more follows at once, for which TCP waits: send(2), MSG_MORE. */
export function sendMore(socket: number, from: Pointer, size: number): number {
  return libc.send(socket, from, size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
}

/** How much may be sent that the other end has not received. The kernel doubles it, for its own needs: socket(7). */
export function setSendBuffer(socket: number, bytes: number): number {
  const value = stableMemory(4);
  wordsOf(value)[0] = bytes;
  return libc.setsockopt(socket, SOL_SOCKET, SO_SNDBUF, value, 4);
}

/** From now on a receive that waits gives up after this time with EAGAIN: socket(7), SO_RCVTIMEO. */
export function setReceiveTimeout(socket: number, milliseconds: number): number {
  return setTimeLimit(socket, SO_RCVTIMEO, milliseconds);
}

/** The same for sending and connecting: SO_SNDTIMEO. */
export function setSendTimeout(socket: number, milliseconds: number): number {
  return setTimeLimit(socket, SO_SNDTIMEO, milliseconds);
}

function setTimeLimit(socket: number, option: number, milliseconds: number): number {
  const time = stableMemory(16);
  const view = new DataView(time.buffer);
  view.setBigInt64(0, BigInt(Math.trunc(milliseconds / 1000)), littleEndian);
  view.setBigInt64(8, BigInt((milliseconds % 1000) * 1000), littleEndian);
  return libc.setsockopt(socket, SOL_SOCKET, option, time, 16);
}

/**
 * A message of four bytes that carries one descriptor (SCM_RIGHTS, cmsg(3)), laid out once:
 * `struct msghdr` at 0, `struct iovec` at 64, `struct cmsghdr` with its descriptor at 96, the data at 128.
 */
export class DescriptorMessage {
  readonly #memory = stableMemory(132);
  readonly #address = addressOf(this.#memory);
  readonly #descriptor = new Int32Array(this.#memory.buffer, 112, 1);

  constructor(data: number) {
    const view = new DataView(this.#memory.buffer);
    const long = (at: number, value: bigint): void => {
      view.setBigUint64(at, value, littleEndian);
    };
    long(16, this.#address + 64n); // msg_iov
    long(24, 1n); // msg_iovlen
    long(32, this.#address + 96n); // msg_control
    long(40, 24n); // msg_controllen = CMSG_SPACE(sizeof(int))
    long(64, this.#address + 128n); // iov_base
    long(72, 4n); // iov_len
    long(96, 20n); // cmsg_len = CMSG_LEN(sizeof(int))
    view.setInt32(104, SOL_SOCKET, littleEndian);
    view.setInt32(108, SCM_RIGHTS, littleEndian);
    view.setInt32(128, data, littleEndian);
  }

  /** @returns 4, or -errno */
  send(socket: number, descriptor: number): number {
    this.#descriptor[0] = descriptor;
    return libc.sendmsg(socket, this.#address, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}
