/** A client process of its own, told over IPC when to be busy and with which of the helpers that it inherited. */
import { Clock } from '../libc.js';
import { percentile } from '../statistics.js';
import { BlockingClient } from './blocking-client.js';
import { lookingMix } from './cycles.js';
import { repeat, Times } from './measure.js';

export interface Order {
  readonly descriptor: number;
  readonly milliseconds: number;
}

export interface Report {
  readonly requestsPerSecond: number;
  /** In nanoseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** As many cycles as pass between two looks at the deadline. */
const CYCLES = 5;
const MAX_CYCLES = 50_000;

const clock = Clock.monotonic();
const clients = new Map<number, BlockingClient>();

function work({ descriptor, milliseconds }: Order): Report {
  const client = clients.get(descriptor) ?? new BlockingClient(descriptor);
  clients.set(descriptor, client);
  const times = new Times(lookingMix, MAX_CYCLES);
  const start = clock.now();
  let cycles = 0;
  while (clock.now() - start < milliseconds * 1e6 && cycles < MAX_CYCLES) {
    repeat(client, lookingMix, CYCLES, times);
    cycles += CYCLES;
  }
  const seconds = (clock.now() - start) / 1e9;
  const all = Float64Array.from(lookingMix.steps.flatMap((_, step) => [...times.ofStep(step)]));
  return {
    requestsPerSecond: (cycles * lookingMix.steps.length) / seconds,
    p50: percentile(all, 0.5),
    p99: percentile(all, 0.99),
  };
}

process.on('message', (order) => {
  process.send?.(work(order as Order));
});
