import { LATENCY_BUCKETS, latencyBucket, type LatencySummary, summarize } from './latencies.js';

/** The descriptors that were opened for the client. */
export interface DescriptorStatistics {
  readonly passed: number;
  /** Those that the client has not taken yet: all others are its own and no longer open here. */
  readonly held: number;
}

/** What is known of one kind of request. */
export interface OperationStatistics {
  readonly requests: number;
  readonly errors: number;
  /** Bytes of requests and of replies, headers included. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly latency: LatencySummary;
}

/** Where the numbers of one operation are among those of all: together, so that counting touches few cache lines. */
const REQUESTS = 0;
const ERRORS = 1;
const BYTES_RECEIVED = 2;
const BYTES_SENT = 3;
const MICROSECONDS = 4;
const LATENCIES = 5;
const COUNTERS = LATENCIES + LATENCY_BUCKETS;

/**
 * Counts what a session does, by operation: a fixed amount of memory, and a few additions for each request. 64-bit
 * floating point numbers count exactly for longer than any machine runs.
 */
export class Statistics {
  readonly #names: readonly (string | undefined)[];
  private readonly counters: Float64Array;
  #opened = 0;
  #passed = 0;

  /** @param names the operations by the number with which they are counted; nothing where there is none */
  constructor(names: readonly (string | undefined)[]) {
    this.#names = names;
    this.counters = new Float64Array(names.length * COUNTERS);
  }

  /** @param result of the operation: negative when it failed */
  count(operation: number, result: number, bytesReceived: number, bytesSent: number): void {
    const at = operation * COUNTERS;
    this.#add(at + REQUESTS, 1);
    if (result < 0) this.#add(at + ERRORS, 1);
    this.#add(at + BYTES_RECEIVED, bytesReceived);
    this.#add(at + BYTES_SENT, bytesSent);
  }

  /** @param microseconds from the arrival of the request until its reply was sent */
  time(operation: number, microseconds: number): void {
    const at = operation * COUNTERS;
    this.#add(at + MICROSECONDS, microseconds);
    this.#add(at + LATENCIES + latencyBucket(microseconds), 1);
  }

  descriptorOpened(): void {
    this.#opened++;
  }

  descriptorPassed(): void {
    this.#passed++;
  }

  /** What was counted as a success of this operation failed at its end. */
  descriptorRefused(operation: number): void {
    this.#opened--;
    this.#add(operation * COUNTERS + ERRORS, 1);
  }

  get descriptors(): DescriptorStatistics {
    return { passed: this.#passed, held: this.#opened - this.#passed };
  }

  /** All operations by name, also those that were never asked for. */
  byOperation(): Readonly<Record<string, OperationStatistics>> {
    const operations: Record<string, OperationStatistics> = {};
    this.#names.forEach((name, operation) => {
      if (name === undefined) return;
      const counters = this.counters.subarray(operation * COUNTERS, (operation + 1) * COUNTERS);
      operations[name] = {
        requests: counters[REQUESTS] ?? 0,
        errors: counters[ERRORS] ?? 0,
        bytesReceived: counters[BYTES_RECEIVED] ?? 0,
        bytesSent: counters[BYTES_SENT] ?? 0,
        latency: summarize(counters.subarray(LATENCIES), counters[MICROSECONDS] ?? 0),
      };
    });
    return operations;
  }

  #add(index: number, amount: number): void {
    this.counters[index] = (this.counters[index] ?? 0) + amount;
  }
}
