import { declare, declareInt } from './libc.js';
import { stableMemory, wordsOf } from './memory.js';

/**
 * libuv's functions for a program that has a loop of its own around libuv's: "Backend file descriptor" and "Backend
 * timeout" in its documentation. Node exports them to its addons.
 */
const libuv = {
  defaultLoop: declare('uv_default_loop'),
  backendFd: declareInt('uv_backend_fd', 'int64'),
  backendTimeout: declareInt('uv_backend_timeout', 'int64'),
  updateTime: declare('uv_update_time', 'int64'),
};
const poll = declareInt('poll', 'void *', 'uint32', 'int');

const POLLIN = 1;

/** Node's event loop, seen from code that keeps it waiting. */
export class EventLoop {
  readonly #loop = libuv.defaultLoop();
  /** `struct pollfd` of the descriptor that is readable when any descriptor that libuv waits for is ready: epoll(7). */
  readonly #pollfd = stableMemory(8);

  constructor() {
    const words = wordsOf(this.#pollfd);
    words[0] = libuv.backendFd(this.#loop);
    words[1] = POLLIN;
  }

  /** Whether anything waits for a turn of the loop: a signal, a timer, another descriptor, work of Node's own. */
  get hasWork(): boolean {
    libuv.updateTime(this.#loop);
    // 0: a timer is due or something else is; a failed poll must not keep the loop waiting for ever
    return libuv.backendTimeout(this.#loop) === 0 || poll(this.#pollfd, 1, 0) !== 0;
  }
}
