/**
 * How long requests took, as counts in buckets: exact below 4 microseconds, then four buckets for every power of two, so
 * that a limit is never more than a quarter above what it stands for. The last one has everything over four minutes.
 */
const SUB_BUCKETS = 4;
const HIGHEST_POWER = 28;
export const LATENCY_BUCKETS = SUB_BUCKETS * HIGHEST_POWER;

/** The bucket of a time in whole microseconds. */
export function latencyBucket(microseconds: number): number {
  if (microseconds < SUB_BUCKETS) return microseconds;
  const power = 31 - Math.clz32(microseconds);
  const bucket = (power - 1) * SUB_BUCKETS + ((microseconds >> (power - 2)) & (SUB_BUCKETS - 1));
  return Math.min(bucket, LATENCY_BUCKETS - 1);
}

/** What all times of a bucket are shorter than, microseconds. */
export function latencyLimit(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket + 1;
  const power = Math.trunc(bucket / SUB_BUCKETS) + 1;
  return (SUB_BUCKETS + (bucket % SUB_BUCKETS) + 1) * 2 ** (power - 2);
}

/** The limits of the few buckets that are shown to a monitoring system: every power of four up to a second. */
export const shownLimits: readonly number[] = Array.from({ length: 10 }, (_, index) => 4 ** (index + 1));

/** The latencies of one kind of request. Times are microseconds. */
export interface LatencySummary {
  /** How many requests were timed, and how long they took together. */
  readonly count: number;
  readonly sum: number;
  /** Half, nine tenths and 99 hundredths of the requests were answered in less than this; 0 when there was none. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  /** For each of `shownLimits`, how many took less. */
  readonly below: readonly number[];
}

/** Sums up the counts of all buckets. */
export function summarize(counts: Float64Array, sum: number): LatencySummary {
  const count = counts.reduce((total, one) => total + one, 0);
  const quantile = (share: number): number => {
    if (count === 0) return 0;
    const rank = Math.ceil(share * count);
    let seen = 0;
    return latencyLimit(counts.findIndex((one) => (seen += one) >= rank));
  };
  const below = shownLimits.map((limit) =>
    counts.subarray(0, latencyBucket(limit)).reduce((total, one) => total + one, 0),
  );
  return { count, sum, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), below };
}
