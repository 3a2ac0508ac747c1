// Stateless random numbers on the real library: they follow from the seed pair alone and have the moments their names promise.
import { describe, expect, it } from 'vitest';
import { type } from '../src/main/engine/attributes.ts';
import { Graph } from '../src/main/engine/graph.ts';
import type { DataType } from '../src/main/engine/graph.ts';
import { cast, integers, runtimeShape } from '../src/main/engine/ops/emit.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { openExecutor } from './kerasFixture.ts';

const executor = openExecutor();
const count = 100_000;

function draw(op: string, dtype: DataType, ...pairs: readonly (readonly [number, number])[]): readonly (readonly number[])[] {
  const graph = new Graph(opTable);
  const seed = graph.placeholder('seed', 'int32', [2]);
  const numbers = graph.op(op, [integers(graph, [count]), seed], { dtype: type(dtype) });
  const fetched = dtype === 'int32' ? numbers : cast(graph, numbers, 'float32');
  const session = executor.load(graph);
  const call = session.prepare([seed], [fetched]);
  const results = pairs.map((pair) => [...(call([{ shape: [2], data: Int32Array.from(pair) }])[0]?.data ?? [])]);
  session.close();
  return results;
}

function moments(values: readonly number[]): {
  readonly mean: number;
  readonly variance: number;
  readonly least: number;
  readonly most: number;
} {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
  const least = values.reduce((smallest, value) => Math.min(smallest, value), Infinity);
  const most = values.reduce((largest, value) => Math.max(largest, value), -Infinity);
  return { mean, variance, least, most };
}

const ops = ['StatelessRandomUniform', 'StatelessRandomNormal', 'StatelessTruncatedNormal'] as const;

describe('stateless random numbers', () => {
  it.each([...ops.map((op) => [op, 'float32'] as const), ['StatelessRandomUniformFullInt', 'int32'] as const])(
    '%s depends on both seeds and on nothing else',
    (op, dtype) => {
      const [first, again, otherFirst, otherSecond] = draw(op, dtype, [7, 11], [7, 11], [8, 11], [7, 12]);
      const [inAnotherGraph] = draw(op, dtype, [7, 11]);
      expect(again).toEqual(first);
      expect(inAnotherGraph).toEqual(first);
      for (const other of [otherFirst, otherSecond]) {
        const equal = other?.filter((value, position) => value === first?.[position]).length ?? count;
        expect(equal).toBeLessThan(count / 1000);
      }
    },
  );

  // Tolerances are five standard errors of 100,000 draws.
  it('is uniform in [0, 1)', () => {
    const { mean, variance, least, most } = moments(draw('StatelessRandomUniform', 'float32', [1, 2])[0] ?? []);
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.0046);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.0012);
    expect(least).toBeGreaterThanOrEqual(0);
    expect(most).toBeLessThan(1);
  });

  it('is normal with mean 0 and variance 1', () => {
    const { mean, variance, most } = moments(draw('StatelessRandomNormal', 'float32', [1, 2])[0] ?? []);
    expect(Math.abs(mean)).toBeLessThan(0.016);
    expect(Math.abs(variance - 1)).toBeLessThan(0.023);
    expect(most).toBeGreaterThan(3);
  });

  it('cuts the normal off at two standard deviations', () => {
    const { mean, variance, least, most } = moments(draw('StatelessTruncatedNormal', 'float32', [1, 2])[0] ?? []);
    expect(Math.abs(mean)).toBeLessThan(0.014);
    // 1 - 4 phi(2) / (2 Phi(2) - 1)
    expect(Math.abs(variance - 0.77374)).toBeLessThan(0.013);
    expect(least).toBeGreaterThanOrEqual(-2);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('fills every bit of an integer with a fair coin', () => {
    const values = draw('StatelessRandomUniformFullInt', 'int32', [1, 2])[0] ?? [];
    for (let bit = 0; bit < 32; bit += 1) {
      const ones = values.filter((value) => ((value >>> bit) & 1) === 1).length;
      expect(Math.abs(ones / count - 0.5), `bit ${bit}`).toBeLessThan(0.008);
    }
  });

  it('draws bfloat16 numbers below 1', () => {
    const { mean, most } = moments(draw('StatelessRandomUniform', 'bfloat16', [1, 2])[0] ?? []);
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(most).toBeLessThan(1);
  });

  it('takes the batch from another tensor at run time', () => {
    const graph = new Graph(opTable);
    const images = graph.placeholder('images', 'float32', [null, 4, 4, 3]);
    const mask = graph.op('StatelessRandomUniform', [runtimeShape(graph, [null, 1, 1, 3], images), integers(graph, [1, 2])]);
    const session = executor.load(graph);
    const call = session.prepare([images], [mask]);
    expect([1, 5].map((batch) => call([{ shape: [batch, 4, 4, 3], data: new Float32Array(batch * 48) }])[0]?.shape)).toEqual([
      [1, 1, 1, 3],
      [5, 1, 1, 3],
    ]);
    session.close();
  });
});
