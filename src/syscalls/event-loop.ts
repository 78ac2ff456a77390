import { declareWithoutErrno } from './libc.js';
import { Poll, POLLIN } from './poll.js';

/**
 * libuv's functions for a program that has a loop of its own around libuv's: "Backend file descriptor" and "Backend
 * timeout" in its documentation. Node exports them to its addons.
 */
const libuv = {
  defaultLoop: declareWithoutErrno('int64', 'uv_default_loop'),
  backendFd: declareWithoutErrno('int', 'uv_backend_fd', 'int64'),
  backendTimeout: declareWithoutErrno('int', 'uv_backend_timeout', 'int64'),
  updateTime: declareWithoutErrno('int64', 'uv_update_time', 'int64'),
};

/** Node's event loop, seen from code that keeps it waiting. */
export class EventLoop {
  readonly #loop = libuv.defaultLoop();
  /** Of the descriptor that is readable when any descriptor that libuv waits for is ready: epoll(7). */
  readonly #poll = new Poll(libuv.backendFd(this.#loop), POLLIN);

  /** Whether anything waits for a turn of the loop: a signal, a timer, another descriptor, work of Node's own. */
  get hasWork(): boolean {
    libuv.updateTime(this.#loop);
    // 0: a timer is due or something else is; a failed poll must not keep the loop waiting for ever
    return libuv.backendTimeout(this.#loop) === 0 || this.#poll.isReady(0);
  }
}
