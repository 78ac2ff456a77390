import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { type Fail, StartError } from '../../startup/start-errors.js';
import { openPlace, pathIn } from '../../startup/place.js';
import { SocketFile } from '../../startup/socket-file.js';
import { NEW, Staging } from '../../startup/staging.js';
import { removeStale } from '../../startup/stale-socket.js';
import { chownDescriptor, O_NOFOLLOW, O_PATH, openat } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import {
  type StreamKind,
  type StreamSocketState,
  streamSocketState,
  tcpSocket,
  vsockSocket,
} from '../../syscalls/network-sockets.js';
import { bindUnix, fchmod, listen, SOCK_STREAM, unixSocket } from '../../syscalls/sockets.js';
import type { ListenAddress } from './address.js';

/** A socket that clients come from. */
export interface ClientSocket {
  readonly descriptor: number;
  /** Or connected. */
  readonly listening: boolean;
  readonly kind: StreamKind;
}

/** Who owns the file of a unix socket. */
export interface SocketOwner {
  readonly uid: number;
  readonly gid: number;
}

/** How many clients may wait. */
const BACKLOG = 128;
/** Owner and group may connect. */
const SOCKET_MODE = 0o770;

/** A socket for clients, and what is to be removed after them. */
export interface OpenedSocket {
  readonly client: ClientSocket;
  /** Undefined for a socket that has no file, or not one of ours. */
  readonly file: SocketFile | undefined;
}

/** Makes the socket of an address, or checks the one that was passed. The umask has to be 0. Throws a StartError. */
export function openClientSocket(address: ListenAddress, owner: SocketOwner): OpenedSocket {
  const fail: Fail = (code, reason) => new StartError(code, `${address.origin}: ${reason}`);
  const check = (result: number): number => {
    if (result < 0)
      throw fail(
        result === -errno.EADDRINUSE ? 'already-in-use' : 'address-not-available',
        describeErrno(result),
      );
    return result;
  };
  switch (address.kind) {
    case 'unix':
      return listenAt(address.path, owner);
    case 'tcp':
    case 'vsock': {
      const { kind, port } = address;
      const descriptor = check(kind === 'tcp' ? tcpSocket(address.address, port) : vsockSocket(port));
      check(listen(descriptor, BACKLOG));
      return { client: { descriptor, listening: true, kind }, file: undefined };
    }
    case 'descriptor':
      return {
        client: { descriptor: address.descriptor, ...inheritedSocket(address, fail) },
        file: undefined,
      };
  }
}

function inheritedSocket(
  { descriptor, carries }: ListenAddress & { readonly kind: 'descriptor' },
  fail: Fail,
): StreamSocketState {
  const state = streamSocketState(descriptor);
  if (state === -errno.EBADF) throw fail('socket-unsuitable', 'no such descriptor was passed');
  if (typeof state === 'object' && (carries === '9p' || state.kind === 'unix')) return state;
  if (carries === 'vhost-user')
    throw fail('socket-unsuitable', 'must be a connected or listening unix stream socket');
  throw fail('socket-unsuitable', 'must be a connected or listening stream socket (unix, TCP or AF_VSOCK)');
}

/** Nobody else can enter the staging directory, so the socket has its owner before anybody can see it. */
function listenAt(path: string, { uid, gid }: SocketOwner): OpenedSocket {
  const fail: Fail = (code, reason) => new StartError(code, `cannot create the socket ${path}: ${reason}`);
  const check = (result: number): number => {
    if (result < 0) throw fail('file-not-created', describeErrno(result));
    return result;
  };
  const socket = check(unixSocket(SOCK_STREAM));
  fchmod(socket, SOCKET_MODE);
  const place = openPlace(path, fail);
  const file = Staging.run(place, (staging) => {
    check(bindUnix(socket, pathIn(staging.directory, NEW)));
    const made = check(openat(staging.directory, cString(NEW), O_PATH | O_NOFOLLOW, 0));
    check(chownDescriptor(made, uid, gid));
    check(listen(socket, BACKLOG));
    let published = staging.publish();
    if (published === -errno.EEXIST) {
      removeStale(place, staging, { mode: SOCKET_MODE, uid, gid });
      published = staging.publish();
    }
    check(published);
    return made;
  });
  return {
    client: { descriptor: socket, listening: true, kind: 'unix' },
    file: new SocketFile(place, file),
  };
}
