// Whether two results differ by more than chance: exact McNemar test for two runs on the same test pictures, bootstrap intervals for means.
import { createStream } from './rng.ts';

/** Two-sided p-value of the exact McNemar test: how many pictures only the first, and only the second, run gets right. */
export function mcnemarExact(onlyFirst: number, onlySecond: number): number {
  const count = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  // Logarithms, because 2^-count underflows long before a test set ends.
  let logarithm = -count * Math.LN2;
  const terms = [logarithm];
  for (let chosen = 1; chosen <= fewer; chosen += 1) {
    logarithm += Math.log((count - chosen + 1) / chosen);
    terms.push(logarithm);
  }
  const largest = logarithm;
  const tail = terms.reduce((total, term) => total + Math.exp(term - largest), 0) * Math.exp(largest);
  return Math.min(1, 2 * tail);
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  readonly resamples?: number;
  /** Share of the resampled means inside the interval. */
  readonly level?: number;
}

/** Percentile interval of the mean; for paired runs give the differences. The same seed gives the same interval. */
export function bootstrapMean(values: ArrayLike<number>, options: BootstrapOptions): Interval {
  const { seed, resamples = 2000, level = 0.95 } = options;
  const count = values.length;
  const means = Float64Array.from({ length: resamples }, (_, resample) => {
    const stream = createStream(seed, 'bootstrap', resample);
    let total = 0;
    for (let draw = 0; draw < count; draw += 1) total += values[stream.integer(count)] ?? 0;
    return total / count;
  }).sort();
  return { low: quantile(means, (1 - level) / 2), high: quantile(means, (1 + level) / 2) };
}

/** Linear between neighbours, as NumPy's default; the values are ascending. */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  const position = share * (ascending.length - 1);
  const below = Math.floor(position);
  const low = ascending[below] ?? 0;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? low;
  return low + (high - low) * (position - below);
}
