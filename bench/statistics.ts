// The arithmetic of the comparison, pure. Lists are samples of one quantity; an empty list gives NaN.

export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  /** Sample standard deviation (divisor n - 1); 0 for a single value. */
  readonly deviation: number;
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((first, second) => first - second);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Of ratios: the factor that, applied n times, gives their product. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

export function summarize(values: readonly number[]): Summary {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const bounds = n === 0 ? [Number.NaN] : values;
  return {
    n,
    median: median(values),
    minimum: Math.min(...bounds),
    maximum: Math.max(...bounds),
    mean,
    deviation: n === 1 ? 0 : Math.sqrt(squares / (n - 1)),
  };
}

export interface Ratio {
  /** Median of the peer over median of ours: above 1 means that ours is faster. */
  readonly ratio: number;
  /** Smallest and largest ratio of neighbouring runs. */
  readonly minimum: number;
  readonly maximum: number;
}

/** Both lists hold one value per alternation, in order. */
export function compare(peer: readonly number[], ours: readonly number[]): Ratio {
  const neighbours = summarize(ours.map((value, run) => (peer[run] ?? Number.NaN) / value));
  return { ratio: median(peer) / median(ours), minimum: neighbours.minimum, maximum: neighbours.maximum };
}
