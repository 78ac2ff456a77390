/** The libc calls of the clients and of the stopwatch. No call allocates when it gets a `Uint8Array` of `memory`. */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');

type Call<Arguments extends readonly unknown[]> = (...values: Arguments) => number;
type Pointer = Uint8Array | null;

export const send = libc.func('int64_t send(int, void *, size_t, int)') as Call<
  [number, Pointer, number, number]
>;
export const recv = libc.func('int64_t recv(int, void *, size_t, int)') as Call<
  [number, Pointer, number, number]
>;
export const recvmsg = libc.func('int64_t recvmsg(int, void *, int)') as Call<[number, Pointer, number]>;
export const close = libc.func('int close(int)') as Call<[number]>;
export const read = libc.func('int64_t read(int, void *, size_t)') as Call<[number, Pointer, number]>;
export const poll = libc.func('int poll(void *, uint64_t, int)') as Call<[Pointer, number, number]>;
export const usleep = libc.func('int usleep(uint32_t)') as Call<[number]>;
const clockGettime = libc.func('int clock_gettime(int, void *)') as Call<[number, Pointer]>;
const socketpair = libc.func('int socketpair(int, int, int, void *)') as Call<
  [number, number, number, Pointer]
>;
const socket = libc.func('int socket(int, int, int)') as Call<[number, number, number]>;
const connect = libc.func('int connect(int, void *, uint32_t)') as Call<[number, Pointer, number]>;
const setAffinity = libc.func('int sched_setaffinity(int, size_t, void *)') as Call<
  [number, number, Pointer]
>;

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const CLOCK_MONOTONIC = 1;
const CLOCK_REALTIME = 0;
/** Selects the CPU time of a whole process in a clock's number: CPUCLOCK_SCHED, linux/posix-timers.h. */
const CPU_CLOCK = 2;

/** Memory that V8 never moves: an `ArrayBuffer` of a page or more. */
export function memory(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(Math.max(bytes, 4096)), 0, bytes);
}

export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** A stopwatch in nanoseconds that allocates nothing. */
export class Clock {
  readonly #id: number;
  readonly #time = memory(16);
  readonly #words = new Uint32Array(this.#time.buffer, 0, 4);

  private constructor(id: number) {
    this.#id = id;
  }

  static monotonic(): Clock {
    return new Clock(CLOCK_MONOTONIC);
  }

  static wall(): Clock {
    return new Clock(CLOCK_REALTIME);
  }

  /** What all threads of a process have used, also of one that runs at this moment. */
  static cpuOf(pid: number): Clock {
    return new Clock((~pid << 3) | CPU_CLOCK);
  }

  now(): number {
    clockGettime(this.#id, this.#time);
    return (this.#words[0] ?? 0) * 1e9 + (this.#words[2] ?? 0);
  }
}

/** Two connected stream sockets that are not inherited unless handed over. */
export function connectedPair(): readonly [number, number] {
  const pair = memory(8);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0) {
    throw new Error(`socketpair: errno ${koffi.errno()}`);
  }
  const [ours = -1, theirs = -1] = new Int32Array(pair.buffer, 0, 2);
  return [ours, theirs];
}

/** A stream socket connected to the one that listens at `path`, or undefined when none does yet. */
export function connectUnix(path: string): number | undefined {
  const address = memory(110);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  new TextEncoder().encodeInto(path, address.subarray(2));
  const descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(descriptor, address, 110) === 0) return descriptor;
  close(descriptor);
  return undefined;
}

/** Lets the calling thread run on these cores only. */
export function runOnCores(cores: readonly number[]): void {
  const mask = memory(128);
  for (const core of cores) mask[core >> 3] = (mask[core >> 3] ?? 0) | (1 << (core & 7));
  if (setAffinity(0, 128, mask) !== 0) throw new Error(`sched_setaffinity: errno ${koffi.errno()}`);
}
