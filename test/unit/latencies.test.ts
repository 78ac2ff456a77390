import { describe, expect, it } from 'vitest';
import {
  LATENCY_BUCKETS,
  latencyBucket,
  latencyLimit,
  shownLimits,
  summarize,
} from '../../src/observability/latencies.js';

/** The summary of these times. */
function summary(times: readonly number[]): ReturnType<typeof summarize> {
  const counts = new Float64Array(LATENCY_BUCKETS);
  for (const time of times) counts[latencyBucket(time)]! += 1;
  return summarize(
    counts,
    times.reduce((sum, time) => sum + time, 0),
  );
}

describe('the buckets of latencies', () => {
  it('hold every time below their limit, and none that is a quarter smaller', () => {
    for (let time = 0; time < 2 ** 28; time = Math.ceil(1.01 * time) + 1) {
      const limit = latencyLimit(latencyBucket(time));
      expect(time).toBeLessThan(limit);
      expect(time).toBeGreaterThanOrEqual(limit - 1 - time / 4);
    }
  });

  it('take any time there is', () => {
    expect(latencyBucket(2 ** 31 - 1)).toBe(LATENCY_BUCKETS - 1);
  });

  it('tell of each limit exactly how many times were below', () => {
    for (const limit of shownLimits) {
      const { below } = summary([limit - 1, limit]);
      expect(below[shownLimits.indexOf(limit)]).toBe(1);
    }
  });
});

describe('percentiles', () => {
  it('are 0 of nothing', () => {
    expect(summary([])).toMatchObject({ count: 0, sum: 0, p50: 0, p90: 0, p99: 0 });
  });

  it('are those of the times, at most a quarter too high', () => {
    const times = Array.from({ length: 1000 }, (_, index) => index + 1);
    const { count, sum, p50, p90, p99 } = summary(times);
    expect([count, sum]).toEqual([1000, 500_500]);
    for (const [shown, exact] of [[p50, 500] as const, [p90, 900] as const, [p99, 990] as const]) {
      expect(shown).toBeGreaterThan(exact);
      expect(shown).toBeLessThanOrEqual(1.25 * exact + 1);
    }
  });

  it('show a few slow ones only where they belong', () => {
    const { p50, p99 } = summary([...Array<number>(99).fill(10), 100_000]);
    expect([p50, p99]).toEqual([12, 12]);
    expect(summary([...Array<number>(98).fill(10), 100_000, 100_000]).p99).toBeGreaterThan(100_000);
  });
});
