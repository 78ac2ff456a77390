import { listen, send } from '../syscalls/sockets.js';
import { closeStranger } from '../syscalls/stranger.js';
import { acceptFrom } from './acceptance.js';

/** How many may wait to be answered. */
const BACKLOG = 8;

/**
 * Answers everybody who connects to a listening socket of SOCK_SEQPACKET with one message. Nothing is read from them, and
 * nothing waits for them: what the socket does not take at once is not sent.
 *
 * To be called before the process is confined: it listens, so that the kernel tells who connects that it is this process
 * that answers, and not the one that made the socket.
 */
export function answerAll(listening: number, answer: () => string): void {
  listen(listening, BACKLOG);
  acceptFrom(listening, {
    identify: () => 'anybody',
    admits: () => true,
    connected: (descriptor) => {
      const message = new TextEncoder().encode(answer());
      send(descriptor, message, message.length);
      closeStranger(descriptor);
      return true;
    },
    refused: () => undefined,
  });
}
