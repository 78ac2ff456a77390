import * as errno from '../../abi/errno.js';
import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import {
  accept,
  connectedTo,
  type PeerAddress,
  setNoDelay,
  type StreamKind,
} from '../../syscalls/network-sockets.js';
import { peerCredentials } from '../../syscalls/sockets.js';
import { closeStranger, withoutLinger } from '../../syscalls/stranger.js';
import { close } from '../../syscalls/files.js';
import { networkOf } from './address.js';

/** Who connects, as far as the kernel tells. */
export interface Peer {
  /** Of a unix socket. */
  readonly uid?: number;
  /** Of AF_VSOCK: the number of the virtual machine. */
  readonly cid?: number;
  /** Of a TCP client that is not of this machine: where it comes from. */
  readonly network?: string;
}

/** Who may connect; undefined for everybody who can. */
export interface AllowedPeers {
  /** Besides root. */
  readonly uids: readonly number[] | undefined;
  readonly cids: readonly number[] | undefined;
}

const ROOT = 0;

export function mayConnect({ uid, cid }: Peer, { uids, cids }: AllowedPeers): boolean {
  if (uid !== undefined) return uids === undefined || uid === ROOT || uids.includes(uid);
  return cid === undefined || cids === undefined || cids.includes(cid);
}

/** Stops accepting, and closes the listening socket with those who wait at it. */
export interface Acceptance {
  close(): void;
}

/** What becomes of those who connect. */
export interface AcceptanceEvents {
  /** Is given the socket. Says whether to go on listening. */
  connected(descriptor: number, peer: Peer): boolean;
  /** Was sent away. */
  refused(peer: Peer): void;
}

/** Where there is no descriptor left, some time later there may be: milliseconds. */
const PAUSE_MS = 200;
/** After so many the event loop has a turn. */
const CLIENTS_IN_A_ROW = 16;

/** Accepts the clients of a listening socket, which belongs to this function from now on. */
export function acceptClients(
  { descriptor: listening, kind }: { readonly descriptor: number; readonly kind: StreamKind },
  allowed: AllowedPeers,
  events: AcceptanceEvents,
): Acceptance {
  let timer: NodeJS.Timeout | undefined;
  let open = true;
  const stop = (): void => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    watch.close();
    // with the clients in its backlog
    withoutLinger(() => close(listening));
  };
  /** @returns whether there may be another one */
  const acceptOne = (): boolean => {
    const accepted = accept(listening);
    if (typeof accepted === 'number') {
      if (accepted === -errno.EAGAIN) return false;
      // the next one may have stayed
      if (accepted === -errno.EINTR || accepted === -errno.ECONNABORTED) return true;
      watch.change({ readable: false, writable: false });
      timer = setTimeout(() => {
        watch.change({ readable: true, writable: false });
      }, PAUSE_MS);
      return false;
    }
    const { descriptor } = accepted;
    const peer = peerOf(kind, descriptor, accepted);
    if (peer === undefined || !mayConnect(peer, allowed)) {
      // told first: the client learns of it by the close
      events.refused(peer ?? {});
      closeStranger(descriptor);
      return true;
    }
    if (kind === 'tcp') setNoDelay(descriptor);
    if (events.connected(descriptor, peer)) return true;
    stop();
    return false;
  };
  const watch = new DescriptorWatch(listening, { readable: true, writable: false }, () => {
    for (let clients = 0; clients < CLIENTS_IN_A_ROW && open && acceptOne(); clients++);
  });
  return { close: stop };
}

/** Who is connected to a socket; undefined when nothing is known of one of whom something should be. */
export function connectedPeer(kind: StreamKind, descriptor: number): Peer | undefined {
  const address = connectedTo(descriptor);
  return typeof address === 'number' ? undefined : peerOf(kind, descriptor, address);
}

function peerOf(kind: StreamKind, descriptor: number, { cid, ip }: PeerAddress): Peer | undefined {
  switch (kind) {
    case 'tcp': {
      const network = ip === undefined ? undefined : networkOf(ip);
      return network === undefined ? {} : { network };
    }
    case 'vsock':
      return cid === undefined ? undefined : { cid };
    case 'unix': {
      const uid = peerCredentials(descriptor)?.uid;
      return uid === undefined ? undefined : { uid };
    }
  }
}
