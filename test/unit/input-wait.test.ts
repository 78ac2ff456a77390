import { describe, expect, it } from 'vitest';
import { InputWait } from '../../src/syscalls/input-wait.js';
import { EAGAIN } from '../../src/abi/errno.js';

const BYTES = 30;
const CEILING = 50;

/** Time passes only where somebody asks or waits. */
class Clock {
  now = 0;

  microseconds(): number {
    return this.now;
  }
}

/** A client whose next request comes so many microseconds after the last one was taken. */
class Client {
  readonly clock = new Clock();
  /** Receives that found nothing, and those that slept. */
  inVain = 0;
  slept = 0;
  #due = 0;
  #isLate = false;
  /** Whether the client runs on the helper's own processor: then nothing comes but while the helper sleeps. */
  readonly #shared: boolean;

  constructor(shared: boolean) {
    this.#shared = shared;
  }

  /** @param delay 0: the request is there when the helper looks */
  request(delay: number): void {
    this.#due = this.clock.now + delay;
    this.#isLate = delay > 0;
  }

  receive(): number {
    const there = this.#due <= this.clock.now && !(this.#shared && this.#isLate);
    // what a system call takes
    this.clock.now += 1;
    if (there) return BYTES;
    this.inVain++;
    return -EAGAIN;
  }

  receiveWaiting(): number {
    this.slept++;
    this.clock.now = Math.max(this.clock.now, this.#due) + 5;
    return BYTES;
  }
}

function serve(client: Client, requests: number, delayOf: (request: number) => number): void {
  const wait = new InputWait(client, client.clock, CEILING);
  for (let request = 0; request < requests; request++) {
    client.request(delayOf(request));
    expect(wait.next(client.clock.now)).toBe(BYTES);
    client.clock.now += 10;
  }
}

describe('waiting for requests', () => {
  it('never sleeps when the client answers within the window', () => {
    const client = new Client(false);
    serve(client, 1000, () => 6);
    expect(client.slept).toBe(0);
  });

  it('lengthens the window until it catches the requests', () => {
    const client = new Client(false);
    serve(client, 1000, () => 30);
    expect(client.slept).toBeLessThan(50);
  });

  it('leaves polling alone when the client is slower than the longest window', () => {
    const client = new Client(false);
    serve(client, 10_000, () => 500);
    expect(client.inVain).toBeLessThan(1000);
    expect(client.slept).toBeGreaterThan(9900);
  });

  it('leaves polling alone on a processor that it shares with the client, although most requests are there at once', () => {
    const client = new Client(true);
    serve(client, 31_000, (request) => (request % 31 === 0 ? 8 : 0));
    // 1,000 requests only come while the helper sleeps: some 40 of them are polled for, each at most 50 times
    expect(client.inVain).toBeLessThan(2500);
  });
});
