/** The value below which a share of the samples lies; NaN without samples. */
export function percentile(samples: Float64Array | readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort();
  if (sorted.length === 0) return NaN;
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function median(samples: Float64Array | readonly number[]): number {
  return percentile(samples, 0.5);
}

/** The median of the ratios within the rounds of two that took turns: the machine's own speed changes. */
export function medianRatio(rounds: readonly number[], others: readonly number[]): number {
  return median(rounds.map((value, round) => value / (others[round] ?? NaN)));
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
