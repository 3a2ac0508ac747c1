import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Graph } from '../src/main/engine/graph.ts';
import { computeFans, lowerInitializer } from '../src/main/engine/initializers.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { initializerSchema } from '../src/shared/contract/layers.ts';
import type { Initializer } from '../src/shared/contract/layers.ts';
import { deriveSeedPair } from '../src/shared/domain/rng.ts';
import { openExecutor, openFixture, placeSchema } from './kerasFixture.ts';

const { index, read } = openFixture('initializers', 'initializers', {
  cases: z.array(
    z.strictObject({
      initializer: initializerSchema,
      shape: z.array(z.int()),
      samples: z.int(),
      mean: z.number(),
      deviation: z.number(),
      minimum: z.number(),
      maximum: z.number(),
      quantiles: placeSchema,
    }),
  ),
});
const executor = openExecutor();
const wanted = 200_000;

/** Several draws of one initializer, each under a seed of its own, in one call. */
function draw(initializer: Initializer, shape: readonly number[], seeds: readonly (readonly [number, number])[]): Float32Array[] {
  const graph = new Graph(opTable);
  const values = seeds.map((seed) => lowerInitializer(graph, initializer, shape, seed));
  const session = executor.load(graph);
  const results = session
    .prepare(
      [],
      values,
    )([])
    .map((result) => {
      expect(result.shape).toEqual(shape);
      return Float32Array.from(result.data);
    });
  session.close();
  return results;
}

/** The largest distance between the sample's distribution function and the one given by its quantiles (Kolmogorov and Smirnov). */
function distance(sample: Float32Array, quantiles: Float32Array): number {
  const sorted = sample.toSorted();
  const steps = quantiles.length + 1;
  return Math.max(
    ...quantiles.map((quantile, position) => Math.abs(countBelow(sorted, quantile) / sorted.length - (position + 1) / steps)),
  );
}

function countBelow(sorted: Float32Array, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Number.POSITIVE_INFINITY) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

describe('initializers have the distributions of Keras', () => {
  index.cases.forEach((one, number) => {
    it(`${JSON.stringify(one.initializer)} for [${one.shape.join(', ')}]`, () => {
      const size = one.shape.reduce((product, dimension) => product * dimension, 1);
      const seeds = Array.from({ length: Math.ceil(wanted / size) }, (_, repetition) => deriveSeedPair(7, 'test', number, repetition));
      const sample = Float32Array.from(draw(one.initializer, one.shape, seeds).flatMap((values) => [...values]));
      const quantiles = read(one.quantiles).data;
      if (one.deviation === 0) {
        expect(new Set(sample)).toEqual(new Set([Math.fround(one.mean)]));
        return;
      }
      const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
      const deviation = Math.sqrt(sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sample.length);
      // Both samples are random: standard errors of the mean and of the deviation, and the 0.1 % point of the two-sample KS distance.
      const spread = Math.sqrt(1 / sample.length + 1 / one.samples);
      expect(Math.abs(mean - one.mean)).toBeLessThan(4 * one.deviation * spread);
      expect(Math.abs(deviation / one.deviation - 1)).toBeLessThan(4 * spread);
      expect(distance(sample, quantiles)).toBeLessThan(1.95 * spread);
      // Uniform and truncated distributions end where Keras's do; normal ones have no end.
      const hasEnd = one.maximum < one.mean + 3 * one.deviation;
      if (hasEnd) {
        const slack = 1e-3 * (one.maximum - one.minimum);
        expect(
          Math.abs(Math.max(...minimumAndMaximum(sample).map(Math.abs)) - Math.max(Math.abs(one.minimum), Math.abs(one.maximum))),
        ).toBeLessThan(slack);
      }
    });
  });

  it('covers every initializer', () => {
    const types = initializerSchema.options.flatMap(({ shape: { type } }) => ('options' in type ? type.options : [...type.values]));
    expect(new Set<string>(index.cases.map(({ initializer }) => initializer.type))).toEqual(new Set<string>(types));
  });
});

function minimumAndMaximum(sample: Float32Array): [number, number] {
  return sample.reduce<[number, number]>(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

describe('seeds', () => {
  const initializer: Initializer = { type: 'GlorotUniform' };

  it('equal pairs give equal values, other pairs others', () => {
    const [first, second, other, swapped] = draw(
      initializer,
      [20, 30],
      [
        [3, 4],
        [3, 4],
        [3, 5],
        [4, 3],
      ],
    );
    expect(first).toEqual(second);
    expect(first).not.toEqual(other);
    expect(first).not.toEqual(swapped);
  });

  it('negative seeds work, because pairs are signed 32-bit numbers', () => {
    const [values] = draw(initializer, [20, 30], [[-5, -2147483648]]);
    expect(new Set(values).size).toBeGreaterThan(590);
  });
});

describe('computeFans', () => {
  it('counts as keras.initializers.compute_fans', () => {
    expect(computeFans([])).toEqual({ fanIn: 1, fanOut: 1 });
    expect(computeFans([7])).toEqual({ fanIn: 7, fanOut: 7 });
    expect(computeFans([3, 5])).toEqual({ fanIn: 3, fanOut: 5 });
    expect(computeFans([3, 2, 4, 8])).toEqual({ fanIn: 24, fanOut: 48 });
    expect(computeFans([3, 3, 16, 1])).toEqual({ fanIn: 144, fanOut: 9 });
  });
});
