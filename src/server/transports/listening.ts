import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { type Fail, StartError } from '../../startup/start-errors.js';
import { listenAt, type SocketFile, type SocketOwner } from '../../startup/socket-file.js';
import {
  type StreamKind,
  type StreamSocketState,
  streamSocketState,
  tcpSocket,
  vsockSocket,
} from '../../syscalls/network-sockets.js';
import { listen } from '../../syscalls/sockets.js';
import type { ListenAddress } from './address.js';

/** A socket that clients come from. */
export interface ClientSocket {
  readonly descriptor: number;
  /** Or connected. */
  readonly listening: boolean;
  readonly kind: StreamKind;
}

/** How many clients may wait. */
const BACKLOG = 128;

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
    case 'unix': {
      const { descriptor, file } = listenAt(address.path, owner, BACKLOG);
      return { client: { descriptor, listening: true, kind: 'unix' }, file };
    }
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
