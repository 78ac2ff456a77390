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

/**
 * Counts what a session does, by operation: a fixed amount of memory, and a few additions for each request. 64-bit
 * floating point numbers count exactly for longer than any machine runs.
 */
export class Statistics {
  readonly #names: readonly (string | undefined)[];
  readonly #requests: Float64Array;
  readonly #errors: Float64Array;
  readonly #bytesReceived: Float64Array;
  readonly #bytesSent: Float64Array;
  readonly #microseconds: Float64Array;
  readonly #latencies: Float64Array;
  #opened = 0;
  #passed = 0;

  /** @param names the operations by the number with which they are counted; nothing where there is none */
  constructor(names: readonly (string | undefined)[]) {
    const counters = (): Float64Array => new Float64Array(names.length);
    this.#names = names;
    this.#requests = counters();
    this.#errors = counters();
    this.#bytesReceived = counters();
    this.#bytesSent = counters();
    this.#microseconds = counters();
    this.#latencies = new Float64Array(names.length * LATENCY_BUCKETS);
  }

  /** @param result of the operation: negative when it failed */
  count(operation: number, result: number, bytesReceived: number, bytesSent: number): void {
    add(this.#requests, operation, 1);
    if (result < 0) add(this.#errors, operation, 1);
    add(this.#bytesReceived, operation, bytesReceived);
    add(this.#bytesSent, operation, bytesSent);
  }

  /** @param microseconds from the arrival of the request until its reply was sent */
  time(operation: number, microseconds: number): void {
    add(this.#microseconds, operation, microseconds);
    add(this.#latencies, operation * LATENCY_BUCKETS + latencyBucket(microseconds), 1);
  }

  descriptorOpened(): void {
    this.#opened++;
  }

  descriptorPassed(): void {
    this.#passed++;
  }

  get descriptors(): DescriptorStatistics {
    return { passed: this.#passed, held: this.#opened - this.#passed };
  }

  /** All operations by name, also those that were never asked for. */
  byOperation(): Readonly<Record<string, OperationStatistics>> {
    const operations: Record<string, OperationStatistics> = {};
    this.#names.forEach((name, operation) => {
      if (name === undefined) return;
      const latencies = this.#latencies.subarray(
        operation * LATENCY_BUCKETS,
        (operation + 1) * LATENCY_BUCKETS,
      );
      operations[name] = {
        requests: this.#requests[operation] ?? 0,
        errors: this.#errors[operation] ?? 0,
        bytesReceived: this.#bytesReceived[operation] ?? 0,
        bytesSent: this.#bytesSent[operation] ?? 0,
        latency: summarize(latencies, this.#microseconds[operation] ?? 0),
      };
    });
    return operations;
  }
}

function add(counters: Float64Array, index: number, amount: number): void {
  counters[index] = (counters[index] ?? 0) + amount;
}
