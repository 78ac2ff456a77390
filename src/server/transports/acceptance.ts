import { acceptFrom, type Acceptance } from '../../accepting/acceptance.js';
import {
  connectedTo,
  type PeerAddress,
  setNoDelay,
  type StreamKind,
} from '../../syscalls/network-sockets.js';
import { peerCredentials } from '../../syscalls/sockets.js';
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

/** What becomes of those who connect. */
export interface AcceptanceEvents {
  /** Is given the socket. Says whether to go on listening. */
  connected(descriptor: number, peer: Peer): boolean;
  /** Was sent away. */
  refused(peer: Peer): void;
}

/** Accepts the guests of a listening socket, which belongs to this function from now on. */
export function acceptGuests(
  { descriptor: listening, kind }: { readonly descriptor: number; readonly kind: StreamKind },
  allowed: AllowedPeers,
  events: AcceptanceEvents,
): Acceptance {
  return acceptFrom(listening, {
    identify: (descriptor, address) => peerOf(kind, descriptor, address),
    admits: (peer) => mayConnect(peer, allowed),
    connected: (descriptor, peer) => {
      if (kind === 'tcp') setNoDelay(descriptor);
      return events.connected(descriptor, peer);
    },
    refused: (peer = {}) => {
      events.refused(peer);
    },
  });
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
