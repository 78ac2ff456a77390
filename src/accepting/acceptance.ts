import * as errno from '../abi/errno.js';
import { DescriptorWatch } from '../syscalls/descriptor-watch.js';
import { close } from '../syscalls/files.js';
import { accept, type PeerAddress } from '../syscalls/network-sockets.js';
import { closeStranger, withoutLinger } from '../syscalls/stranger.js';

/** Stops accepting, and closes the listening socket with those who wait at it. */
export interface Acceptance {
  close(): void;
}

/** Who may connect, and what becomes of those who do. */
export interface Admission<Peer> {
  /** Who it is, as far as the kernel tells; undefined when it tells nothing of one of whom it should. */
  identify(descriptor: number, address: PeerAddress): Peer | undefined;
  admits(peer: Peer): boolean;
  /** Is given the socket. Says whether to go on listening. */
  connected(descriptor: number, peer: Peer): boolean;
  /** Is sent away. */
  refused(peer: Peer | undefined): void;
}

/** Where there is no descriptor left, some time later there may be: milliseconds. */
const PAUSE_MS = 200;
/** After so many the event loop has a turn. */
const CLIENTS_IN_A_ROW = 16;

/** Accepts the clients of a listening socket, which belongs to this function from now on. */
export function acceptFrom<Peer>(listening: number, admission: Admission<Peer>): Acceptance {
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
    const peer = admission.identify(descriptor, accepted);
    if (peer === undefined || !admission.admits(peer)) {
      // told first: the client learns of it by the close
      admission.refused(peer);
      closeStranger(descriptor);
      return true;
    }
    if (admission.connected(descriptor, peer)) return true;
    stop();
    return false;
  };
  const watch = new DescriptorWatch(listening, { readable: true, writable: false }, () => {
    for (let clients = 0; clients < CLIENTS_IN_A_ROW && open && acceptOne(); clients++);
  });
  return { close: stop };
}
