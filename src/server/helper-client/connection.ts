import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import { InputWait } from '../../syscalls/input-wait.js';
import { Poll, POLLIN, POLLOUT } from '../../syscalls/poll.js';
import { type MonotonicClock, setBlocking } from '../../syscalls/process.js';
import { setReceiveTimeout } from '../../syscalls/sockets.js';
import { closeStranger } from '../../syscalls/stranger.js';
import type { ReplyStream } from './reply-stream.js';

/** How long the process sleeps for a reply before the event loop takes over, and a tick of the kernel at least. */
export const WAIT_MS = 1;

const READ = { readable: true, writable: false };
const READ_AND_WRITE = { readable: true, writable: true };

/** What a connection is waited for with. */
interface Waiting {
  readonly replies: ReplyStream;
  readonly clock: MonotonicClock;
  readonly pollCeiling: number;
  /** The event loop has something. */
  readonly woken: () => void;
}

/** A helper at the end of a socket, which belongs to this object. */
export class Connection {
  readonly socket: number;
  readonly wait: InputWait;
  readonly #watch: DescriptorWatch;
  readonly #inputOrRoom: Poll;

  constructor(socket: number, { replies, clock, pollCeiling, woken }: Waiting) {
    this.socket = socket;
    this.#watch = new DescriptorWatch(socket, READ, woken);
    // libuv made it O_NONBLOCK, but never reads
    setBlocking(socket);
    setReceiveTimeout(socket, WAIT_MS);
    const input = {
      receive: () => replies.receive(socket),
      receiveWaiting: () => replies.receiveWaiting(socket),
    };
    this.wait = new InputWait(input, clock, pollCeiling);
    this.#inputOrRoom = new Poll(socket, POLLIN | POLLOUT);
  }

  /** Sleeps for a reply, or for room for requests. @returns whether there is one */
  isReady(): boolean {
    return this.#inputOrRoom.isReady(WAIT_MS);
  }

  /** What the event loop waits for. @param blocked whether the socket takes no more requests */
  expect(blocked: boolean): void {
    this.#watch.change(blocked ? READ_AND_WRITE : READ);
  }

  close(): void {
    this.#watch.close();
    closeStranger(this.socket);
  }
}
