import type koffiPackage from 'koffi';
import { loadPackage } from '../native/load.js';
import { close } from './files.js';
import { declareInt } from './libc.js';
import { stableMemory, wordsOf } from './memory.js';

const koffi = loadPackage('koffi') as typeof koffiPackage;

const libc = {
  epollCreate: declareInt('epoll_create1', 'int'),
  epollControl: declareInt('epoll_ctl', 'int', 'int', 'int', 'void *'),
};
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLRDHUP = 0x2000;

/** A descriptor that is readable when another one has one of the events, or -errno: epoll(7). */
function epollOf(descriptor: number, events: number): number {
  const epoll = libc.epollCreate(EPOLL_CLOEXEC);
  if (epoll < 0) return epoll;
  const event = stableMemory(16);
  wordsOf(event)[0] = events;
  const failed = libc.epollControl(epoll, EPOLL_CTL_ADD, descriptor, event);
  if (failed >= 0) return epoll;
  close(epoll);
  return failed;
}

/** Whether a descriptor of somebody else can be watched at all, unlike a file: without that a watch ends the process. */
export function isWatchable(descriptor: number): boolean {
  const epoll = epollOf(descriptor, 0);
  if (epoll >= 0) close(epoll);
  return epoll >= 0;
}

/** What a descriptor is waited for, and what it is ready for. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** koffi's own declaration leaves out the first argument, which is libuv's status. */
type PollCallback = (status: number, events: Readiness) => void;

/**
 * Tells when a descriptor becomes ready, from libuv's event loop: for what is neither a file nor one of Node's own
 * sockets. As with poll(2) a descriptor that stays ready is told again in every turn, until the interest in it ends.
 *
 * There is at most one watch of a descriptor, and it makes the descriptor O_NONBLOCK. Close the watch before the
 * descriptor.
 */
export class DescriptorWatch {
  readonly #handle: ReturnType<typeof koffi.node.poll>;
  readonly #callback: (ready: Readiness) => void;
  #interest: Readiness;
  #readable = false;
  #writable = false;
  #failed = false;
  #scheduled = false;
  #open = true;

  /** @param callback also told of an error or the end of a connection: the next call on the descriptor says which */
  constructor(descriptor: number, interest: Readiness, callback: (ready: Readiness) => void) {
    this.#callback = callback;
    this.#interest = interest;
    this.#handle = koffi.node.poll(descriptor, interest, this.#polled as never);
    if (!interest.readable && !interest.writable) this.#handle.stop();
  }

  /** From now on waits for this instead. */
  change(interest: Readiness): void {
    const { readable, writable } = this.#interest;
    if (!this.#open || (interest.readable === readable && interest.writable === writable)) return;
    this.#interest = interest;
    if (interest.readable || interest.writable) this.#handle.start(interest, this.#polled as never);
    else this.#handle.stop();
  }

  /** The callback is not called any more. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#handle.close();
  }

  /**
   * koffi calls this outside of everything that Node knows of: what is thrown would be lost, and promises would go on at
   * no certain time. An immediate is run in the same turn of the loop.
   */
  readonly #polled: PollCallback = (status, events) => {
    // on an error of the descriptor libuv gives up, and says nothing of what is ready
    if (status < 0) {
      this.#failed = true;
      this.#interest = { readable: false, writable: false };
    }
    this.#readable ||= events.readable;
    this.#writable ||= events.writable;
    if (this.#scheduled) return;
    this.#scheduled = true;
    // not counted as work that the loop still has: `EventLoop.hasWork` may be asked from the callback
    setImmediate(this.#tell).unref();
  };

  readonly #tell = (): void => {
    // the interest may be another one since then
    const readable = this.#failed || (this.#readable && this.#interest.readable);
    const writable = this.#failed || (this.#writable && this.#interest.writable);
    this.#scheduled = false;
    this.#failed = false;
    this.#readable = false;
    this.#writable = false;
    if (this.#open && (readable || writable)) this.#callback({ readable, writable });
  };
}

/**
 * Tells once when the other end of a connection is closed. What comes over the connection is neither read nor noticed, and
 * the socket stays as it is, O_NONBLOCK or not: another process uses it.
 */
export class HangUpWatch {
  readonly #epoll: number;
  readonly #watch: DescriptorWatch | undefined;
  #open = true;

  /** @param hungUp also called where the connection cannot be watched */
  constructor(socket: number, hungUp: () => void) {
    this.#epoll = epollOf(socket, EPOLLRDHUP);
    const tell = (): void => {
      if (!this.#open) return;
      this.close();
      hungUp();
    };
    if (this.#epoll < 0) setImmediate(tell);
    else this.#watch = new DescriptorWatch(this.#epoll, { readable: true, writable: false }, tell);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch?.close();
    if (this.#epoll >= 0) close(this.#epoll);
  }
}
