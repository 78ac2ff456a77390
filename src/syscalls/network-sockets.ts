import { declareInt } from './libc.js';
import { littleEndian, stableMemory, wordsOf } from './memory.js';
import { socketOption } from './sockets.js';

/** Stream sockets that others connect to, over whatever carries them: ip(7), ipv6(7), vsock(7), unix(7). */

const libc = {
  socket: declareInt('socket', 'int', 'int', 'int'),
  bind: declareInt('bind', 'int', 'void *', 'uint32'),
  accept4: declareInt('accept4', 'int', 'void *', 'void *', 'int'),
  getsockname: declareInt('getsockname', 'int', 'void *', 'void *'),
  getpeername: declareInt('getpeername', 'int', 'void *', 'void *'),
  setsockopt: declareInt('setsockopt', 'int', 'int', 'int', 'void *', 'uint32'),
  inetPton: declareInt('inet_pton', 'int', 'void *', 'void *'),
};

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_VSOCK = 40;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** Every context id of this machine. */
const VMADDR_CID_ANY = 0xffff_ffff;
const VMADDR_BYTES = 16;
/** `struct sockaddr_storage` */
const ANY_ADDRESS_BYTES = 128;

export type StreamKind = 'unix' | 'tcp' | 'vsock';

const kinds: Readonly<Record<number, StreamKind>> = {
  [AF_UNIX]: 'unix',
  [AF_INET]: 'tcp',
  [AF_INET6]: 'tcp',
  [AF_VSOCK]: 'vsock',
};

/** What a stream socket is; undefined for another kind of socket. */
export interface StreamSocketState {
  readonly kind: StreamKind;
  readonly listening: boolean;
}

/** @returns -errno for what is no socket */
export function streamSocketState(descriptor: number): StreamSocketState | undefined | number {
  const domain = socketOption(descriptor, SO_DOMAIN);
  if (domain < 0) return domain;
  const kind = kinds[domain];
  if (kind === undefined || socketOption(descriptor, SO_TYPE) !== SOCK_STREAM) return undefined;
  return { kind, listening: socketOption(descriptor, SO_ACCEPTCONN) === 1 };
}

/** The bytes of an IP address, 4 or 16; undefined for a text that is none: inet_pton(3). */
export function ipAddress(text: string): Uint8Array | undefined {
  const bytes = stableMemory(16);
  const name = stableMemory(text.length + 1);
  if (new TextEncoder().encodeInto(text, name).read !== text.length) return undefined;
  if (libc.inetPton(AF_INET, name, bytes) === 1) return bytes.subarray(0, 4);
  return libc.inetPton(AF_INET6, name, bytes) === 1 ? bytes : undefined;
}

/** A new socket bound to a port of an address, or -errno. A port that was used until a moment ago is free. */
export function tcpSocket(address: Uint8Array, port: number): number {
  const isVersion6 = address.length === 16;
  const socket = newSocket(isVersion6 ? AF_INET6 : AF_INET);
  if (socket < 0) return socket;
  setOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (isVersion6) setOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  const bytes = stableMemory(isVersion6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isVersion6 ? AF_INET6 : AF_INET, littleEndian);
  // in network order
  view.setUint16(2, port);
  bytes.set(address, isVersion6 ? 8 : 4);
  return bind(socket, bytes);
}

/** The same for a port of AF_VSOCK, on all context ids of this machine: `struct sockaddr_vm`. */
export function vsockSocket(port: number): number {
  const socket = newSocket(AF_VSOCK);
  if (socket < 0) return socket;
  const bytes = stableMemory(VMADDR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_VSOCK, littleEndian);
  view.setUint32(4, port, littleEndian);
  view.setUint32(8, VMADDR_CID_ANY, littleEndian);
  return bind(socket, bytes);
}

function newSocket(domain: number): number {
  return libc.socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/** Nobody else has a descriptor that is not returned: it is closed when the process ends, which a failed start does. */
function bind(socket: number, address: Uint8Array): number {
  const failed = libc.bind(socket, address, address.length);
  return failed < 0 ? failed : socket;
}

function setOption(socket: number, level: number, option: number, value: number): number {
  const bytes = stableMemory(4);
  wordsOf(bytes)[0] = value;
  return libc.setsockopt(socket, level, option, bytes, 4);
}

/** Sends what is there at once, rather than to wait for more: tcp(7). */
export function setNoDelay(socket: number): number {
  return setOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

const address = stableMemory(ANY_ADDRESS_BYTES);
const addressView = new DataView(address.buffer);
const addressLength = stableMemory(4);

/** The port that a socket is bound to; of a unix socket 0. */
export function boundPort(socket: number): number {
  wordsOf(addressLength)[0] = ANY_ADDRESS_BYTES;
  const failed = libc.getsockname(socket, address, addressLength);
  if (failed < 0) return failed;
  const family = addressView.getUint16(0, littleEndian);
  if (family === AF_UNIX) return 0;
  return family === AF_VSOCK ? addressView.getUint32(4, littleEndian) : addressView.getUint16(2);
}

/** Who is at the other end, as far as the address tells. */
export interface PeerAddress {
  /** The context id of AF_VSOCK. */
  readonly cid: number | undefined;
  /** The bytes of an IP address, 4 or 16. */
  readonly ip: Uint8Array | undefined;
}

/** A connection that was accepted. */
export interface Accepted extends PeerAddress {
  readonly descriptor: number;
}

/** Takes the next connection, closed on exec, or -errno. The listening socket is O_NONBLOCK (EAGAIN). */
export function accept(listening: number): Accepted | number {
  wordsOf(addressLength)[0] = ANY_ADDRESS_BYTES;
  const descriptor = libc.accept4(listening, address, addressLength, SOCK_CLOEXEC);
  return descriptor < 0 ? descriptor : { descriptor, ...peerAddress() };
}

/** The other end of a connection, or -errno. */
export function connectedTo(socket: number): PeerAddress | number {
  wordsOf(addressLength)[0] = ANY_ADDRESS_BYTES;
  const failed = libc.getpeername(socket, address, addressLength);
  return failed < 0 ? failed : peerAddress();
}

/** What the kernel wrote to `address`. */
function peerAddress(): PeerAddress {
  switch (addressView.getUint16(0, littleEndian)) {
    case AF_VSOCK:
      return { cid: addressView.getUint32(8, littleEndian), ip: undefined };
    case AF_INET:
      return { cid: undefined, ip: Uint8Array.from(address.subarray(4, 8)) };
    case AF_INET6:
      return { cid: undefined, ip: Uint8Array.from(address.subarray(8, 24)) };
    default:
      return { cid: undefined, ip: undefined };
  }
}
