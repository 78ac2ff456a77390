import { Clock, close } from '../libc.js';
import type { BlockingClient } from './blocking-client.js';
import type { Cycle } from './cycles.js';

const clock = Clock.monotonic();

/** The times of the steps of one cycle, in nanoseconds: memory for all of them is there before the first request. */
export class Times {
  readonly #samples: readonly Float64Array[];
  #count = 0;

  constructor(cycle: Cycle, repetitions: number) {
    this.#samples = cycle.steps.map(() => new Float64Array(repetitions));
  }

  record(step: number, nanoseconds: number): void {
    const samples = this.#samples[step];
    if (samples !== undefined) samples[this.#count] = nanoseconds;
  }

  next(): void {
    this.#count++;
  }

  ofStep(step: number): Float64Array {
    return this.#samples[step]?.subarray(0, this.#count) ?? new Float64Array();
  }
}

/** Goes through a cycle again and again. A received descriptor is closed outside the measured time. */
export function repeat(client: BlockingClient, cycle: Cycle, repetitions: number, times: Times): void {
  const { steps } = cycle;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index];
      if (step === undefined) continue;
      const before = clock.now();
      const descriptor = client.exchange(step);
      times.record(index, clock.now() - before);
      if (descriptor >= 0) close(descriptor);
    }
    times.next();
  }
}

/** The same without looking at the clock. */
export function run(client: BlockingClient, cycle: Cycle, repetitions: number): void {
  const { steps } = cycle;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const step of steps) {
      const descriptor = client.exchange(step);
      if (descriptor >= 0) close(descriptor);
    }
  }
}
