import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import { DirectWait } from '../../syscalls/direct-wait.js';
import { stableMemory } from '../../syscalls/memory.js';
import { setBlocking } from '../../syscalls/process.js';
import { receive, receiveWaiting, send, sendMore, setReceiveTimeout } from '../../syscalls/sockets.js';
import { closeStranger } from '../../syscalls/stranger.js';

/** The connection to a client, whatever carries it. */
export interface ClientStream {
  /** How much of what was sent the client has not taken yet. */
  readonly buffered: number;
  /** Sends all parts in their order. Their memory may be used for something else afterwards. */
  send(parts: readonly Uint8Array[]): void;
  /** Receives nothing until `resume`. The client's end is not noticed meanwhile. */
  pause(): void;
  resume(): void;
  /** Nothing is under way: what the client sends next may be waited for, without a turn of the event loop. */
  expect(): void;
  /** Ends the connection. What is buffered is lost, and nothing is told any more. */
  close(): void;
}

/** What is told of a stream, never while one of its methods runs. */
export interface StreamEvents {
  /**
   * @param bytes valid until this returns
   * @returns how many of them it took: all, unless it paused the stream. What it left comes again after `resume`.
   */
  received(bytes: Uint8Array): number;
  /** The client has left; without an error: between two of its messages or not. The stream is closed. */
  closed(error?: string): void;
  /** Nothing is buffered any more. */
  drained(): void;
}

/** Makes the stream of a client. */
export type StreamFactory = (events: StreamEvents) => ClientStream;

/** How much is received at once. */
const RECEIVE_BYTES = 262_144;
/** After so many calls in a row the event loop has a turn, for what else is to be done. */
const CALLS_IN_A_ROW = 16;
/** How long the process sleeps for the client before the event loop takes over: milliseconds. */
const SLEEP_MS = 4;

/** A connected stream socket of any kind, which belongs to this object. */
export class SocketStream implements ClientStream {
  readonly #socket: number;
  readonly #events: StreamEvents;
  readonly #watch: DescriptorWatch;
  readonly #input = stableMemory(RECEIVE_BYTES);
  /** What of `#input` was received and not taken. */
  #untaken: Uint8Array | undefined;
  /** What the socket has not taken. */
  #output: Uint8Array[] = [];
  #buffered = 0;
  #paused = false;
  #open = true;
  readonly #wait: DirectWait | undefined;
  /** Why a send failed: told in a turn of its own. */
  #failure: number | undefined;

  /** @param pollCeiling see `DirectWait`; without it what is expected is the event loop's to wait for, too */
  constructor(socket: number, events: StreamEvents, pollCeiling?: number) {
    this.#socket = socket;
    this.#events = events;
    const wanted = (): boolean => this.#receives && this.#buffered === 0;
    const input = {
      get wanted() {
        return wanted();
      },
      receive: () => receive(socket, this.#input, RECEIVE_BYTES),
      receiveWaiting: () => receiveWaiting(socket, this.#input, RECEIVE_BYTES),
      take: (bytes: number) => {
        this.#take(bytes);
      },
    };
    if (pollCeiling !== undefined) this.#wait = new DirectWait(input, pollCeiling);
    this.#watch = new DescriptorWatch(socket, { readable: true, writable: false }, ({ writable }) => {
      this.#wait?.woken();
      if (writable) this.#flush();
      this.#receive();
    });
    // libuv made it O_NONBLOCK, but never reads
    setBlocking(socket);
    setReceiveTimeout(socket, SLEEP_MS);
  }

  get buffered(): number {
    return this.#buffered;
  }

  send(parts: readonly Uint8Array[]): void {
    if (!this.#open || this.#failure !== undefined) return;
    let next = 0;
    let sent = 0;
    while (this.#buffered === 0 && next < parts.length) {
      const part = parts[next] ?? new Uint8Array();
      const rest = sent === 0 ? part : part.subarray(sent);
      const bytes = rest.length === 0 ? 0 : this.#sendSome(rest, next === parts.length - 1);
      if (bytes < 0) {
        this.#fail(bytes);
        return;
      }
      sent += bytes;
      if (sent < part.length) break;
      next++;
      sent = 0;
    }
    for (const part of parts.slice(next)) {
      // a copy, which slice() makes of no Buffer
      this.#keep(new Uint8Array(part.subarray(sent)));
      sent = 0;
    }
  }

  pause(): void {
    this.#paused = true;
    this.#changeInterest();
  }

  resume(): void {
    this.#paused = false;
    if (this.#untaken === undefined) this.#changeInterest();
    else setImmediate(this.#goOn);
  }

  expect(): void {
    this.#wait?.expect();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#output = [];
    this.#buffered = 0;
    this.#watch.close();
    closeStranger(this.#socket);
  }

  /** @returns how many bytes, 0 when the socket takes none now, or -errno */
  #sendSome(bytes: Uint8Array, isLast: boolean): number {
    for (;;) {
      const sent = (isLast ? send : sendMore)(this.#socket, bytes, bytes.length);
      if (sent !== -errno.EINTR) return sent === -errno.EAGAIN ? 0 : sent;
    }
  }

  #keep(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.#output.push(rest);
    this.#buffered += rest.length;
    this.#changeInterest();
  }

  #flush(): void {
    while (this.#open) {
      const [first] = this.#output;
      if (first === undefined) break;
      const sent = this.#sendSome(first, this.#output.length === 1);
      if (sent < 0) {
        this.#end(sent);
        return;
      }
      this.#buffered -= sent;
      if (sent < first.length) {
        this.#output[0] = first.subarray(sent);
        return;
      }
      this.#output.shift();
    }
    if (!this.#open) return;
    this.#changeInterest();
    this.#events.drained();
  }

  get #receives(): boolean {
    return this.#open && !this.#paused && this.#untaken === undefined && this.#failure === undefined;
  }

  #receive(): void {
    for (let calls = 0; calls < CALLS_IN_A_ROW && this.#receives; calls++) {
      const bytes = receive(this.#socket, this.#input, RECEIVE_BYTES);
      this.#take(bytes);
      // where there was room for more there is no more; the end is told of in another turn
      if (bytes !== -errno.EINTR && bytes < RECEIVE_BYTES) return;
    }
  }

  /** @param bytes how many were received, 0 for the end, or -errno */
  #take(bytes: number): void {
    if (bytes > 0) this.#give(this.#input.subarray(0, bytes));
    else if (bytes !== -errno.EAGAIN && bytes !== -errno.EINTR) this.#end(bytes);
  }

  #give(bytes: Uint8Array): void {
    const taken = this.#events.received(bytes);
    if (taken < bytes.length) this.#untaken = bytes.subarray(taken);
  }

  /** Gives what was left when the stream was paused. */
  readonly #goOn = (): void => {
    const untaken = this.#untaken;
    if (!this.#open || this.#paused || this.#failure !== undefined || untaken === undefined) return;
    this.#untaken = undefined;
    this.#give(untaken);
    this.#changeInterest();
  };

  #changeInterest(): void {
    if (!this.#open) return;
    const readable = !this.#paused && this.#untaken === undefined;
    this.#watch.change({ readable, writable: this.#buffered > 0 });
  }

  #fail(failed: number): void {
    this.#failure = failed;
    setImmediate(() => {
      this.#end(failed);
    });
  }

  /** @param failed 0 for the end of the stream, or -errno */
  #end(failed: number): void {
    if (!this.#open) return;
    this.close();
    // a client that went without reading all has left, as one that did read it
    const hasLeft = failed === 0 || failed === -errno.EPIPE || failed === -errno.ECONNRESET;
    this.#events.closed(hasLeft ? undefined : describeErrno(failed));
  }
}
