import { describeErrno } from '../abi/errno-text.js';
import { StartError } from '../startup/start-errors.js';
import { close, read } from '../syscalls/files.js';
import { stableMemory } from '../syscalls/memory.js';
import { nonBlockingPipe, write } from '../syscalls/process.js';

/** What a process that is watched is told. */
export interface Heartbeat {
  /** A descriptor: the end of the pipe to write to. */
  readonly descriptor: number;
  /** How often it writes, milliseconds. */
  readonly interval: number;
}

/** Shows whoever watches this process that its event loop turns. */
export function beat({ descriptor, interval }: Heartbeat): void {
  const sign = stableMemory(1);
  setInterval(() => {
    // if the pipe is full, the reader has signs enough
    write(descriptor, sign, 1);
  }, interval).unref();
}

/** More than the signs of one period. */
const READ_BYTES = 4096;

/**
 * Watches whether another process is alive. A service manager watches only its main process, and accepts messages from no
 * other. The signs come through a pipe, because a socket would also carry descriptors. It is read once in a period, so a
 * process that floods it costs nothing.
 */
export class HeartbeatWatch {
  /** The watched process's end, which who starts that process closes. */
  readonly theirs: Heartbeat;
  readonly #ours: number;
  readonly #bytes = stableMemory(READ_BYTES);
  #timer: NodeJS.Timeout | undefined;

  /** @param interval how often the process writes, milliseconds. Throws a StartError. */
  constructor(interval: number) {
    const ends = nonBlockingPipe();
    if (typeof ends === 'number')
      throw new StartError('out-of-resources', `cannot make a pipe: ${describeErrno(ends)}`);
    this.#ours = ends[0];
    this.theirs = { descriptor: ends[1], interval };
  }

  /** Watches until `close`. @param missed is called once, when there was no sign for so many milliseconds */
  begin(missed: (period: number) => void): void {
    const period = 2 * this.theirs.interval;
    this.#timer = setInterval(() => {
      if (read(this.#ours, this.#bytes, READ_BYTES) > 0) return;
      clearInterval(this.#timer);
      missed(period);
    }, period).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    close(this.#ours);
  }
}
