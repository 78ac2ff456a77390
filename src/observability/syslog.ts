import { BoundedWriter } from '../syscalls/bounded-writer.js';
import * as errno from '../abi/errno.js';
import { close } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { datagramSocketTo } from '../syscalls/sockets.js';
import { severity } from './severities.js';
import type { LogOutput } from './standard-error.js';

const SOCKET = '/dev/log';
/** LOG_DAEMON: syslog(3). */
const FACILITY = 3 << 3;

/**
 * The system's log. syslog(3) itself would wait without end for a daemon that does not read, and look for a new one after
 * the change of root, where the path names something of the guest's.
 */
export class Syslog implements LogOutput {
  readonly #reconnects: boolean;
  #socket = -errno.ENOTCONN;
  #writer: BoundedWriter | undefined;

  /** @param reconnects whether to look for the daemon again when it is gone: never after a change of root */
  constructor(reconnects: boolean) {
    this.#reconnects = reconnects;
    this.#connect();
  }

  write(level: string, line: string): boolean {
    // without a time: the daemon adds it, and our time zone is in a file that is the guest's after the change of root
    const priority = FACILITY | severity(level);
    const message = cString(`<${priority}>virtfs-proxy-helper[${process.pid}]: ${line}`);
    let sent = this.#send(message);
    if (this.#reconnects && (sent === -errno.ENOTCONN || sent === -errno.ECONNREFUSED)) {
      this.#connect();
      sent = this.#send(message);
    }
    return sent >= 0;
  }

  #send(message: Uint8Array): number {
    return this.#writer?.write(message, message.length - 1) ?? this.#socket;
  }

  #connect(): void {
    if (this.#socket >= 0) close(this.#socket);
    this.#socket = datagramSocketTo(SOCKET);
    this.#writer = this.#socket < 0 ? undefined : new BoundedWriter(this.#socket);
  }
}
