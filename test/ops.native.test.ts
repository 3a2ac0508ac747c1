// Every op of the table on the real library: values and gradients against TensorFlow's own, and against central differences.
import { describe, expect, it } from 'vitest';
import type { HostTensor, PreparedCall, Session } from '../src/main/engine/executor.ts';
import { Graph } from '../src/main/engine/graph.ts';
import type { Tensor } from '../src/main/engine/graph.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { openExecutor } from './kerasFixture.ts';
import { buildOpGraph, openOpValues, readOpIndex, toAttributes } from './opFixture.ts';
import type { OpCase, OpGraph } from './opFixture.ts';

const index = readOpIndex();
const read = openOpValues();
const executor = openExecutor();

function useSession<Result>(graph: Graph, use: (session: Session) => Result): Result {
  const session = executor.load(graph);
  try {
    return use(session);
  } finally {
    session.close();
  }
}

function feedsOf(one: OpCase): { readonly inputs: readonly HostTensor[]; readonly cotangents: readonly HostTensor[] } {
  const inputs = one.inputs.filter(({ constant }) => !constant).map(({ value }) => read(value));
  return { inputs, cotangents: one.cotangents.map(({ value }) => read(value)) };
}

/** Rounding of one operation in the narrow types: 2^-8 and 2^-11, times a few operations in another order. */
function toleranceOf(one: OpCase): number {
  const types = [...one.inputs, ...one.outputs].map(({ dtype }) => dtype);
  if (types.includes('bfloat16')) return 2 ** -6;
  if (types.includes('float16')) return 2 ** -9;
  return 1e-5;
}

function largest(values: HostTensor['data']): number {
  return Math.max(0, ...Array.from(values, Math.abs));
}

/** Within `tolerance` of each value, and of a tenth of the largest one, since sums cancel. */
function expectNear(received: HostTensor | undefined, expected: HostTensor, tolerance: number, what: string): void {
  expect(received?.shape, `shape of ${what}`).toEqual(expected.shape);
  const slack = 0.1 * largest(expected.data);
  const misses: string[] = [];
  expected.data.forEach((wanted: number, position: number) => {
    const found = received?.data[position] ?? Number.NaN;
    const isEqual = Object.is(found, wanted) || Math.abs(found - wanted) <= tolerance * Math.max(Math.abs(wanted), slack);
    if (!isEqual) misses.push(`[${position}] expected ${wanted}, received ${found}`);
  });
  expect(misses.slice(0, 3), what).toEqual([]);
}

function compare(one: OpCase, isBatchKnown: boolean): void {
  const built = buildOpGraph(one, read, isBatchKnown);
  const { inputs, cotangents } = feedsOf(one);
  const call = (session: Session): readonly HostTensor[] =>
    session.prepare([...built.inputFeeds, ...built.cotangentFeeds], [...built.outputs, ...built.gradients])([...inputs, ...cotangents]);
  const results = useSession(built.graph, call);
  one.outputs.forEach(({ value, index: output }, position) => {
    const tolerance = value.store === 'int32' || one.op.startsWith('Stateless') ? 0 : toleranceOf(one);
    expectNear(results[position], read(value), tolerance, `output ${output}`);
  });
  const expected = one.inputs.flatMap(({ gradient }) => (gradient === undefined ? [] : [gradient]));
  expect(built.gradients.length).toBe(expected.length);
  expected.forEach((place, position) => {
    expectNear(results[one.outputs.length + position], read(place), toleranceOf(one), `gradient ${position}`);
  });
}

describe.each(Object.entries(Object.groupBy(index.cases, ({ op }) => op)))('%s', (_, cases = []) => {
  it.each(cases)('gives what TensorFlow gives: $variant', (one) => compare(one, true));
  const batched = cases.filter(({ batchInputs }) => batchInputs.length > 0);
  if (batched.length > 0) it.each(batched)('does so for a batch of unknown size: $variant', (one) => compare(one, false));
  const smooth = cases.filter(isSmooth);
  if (smooth.length > 0) it.each(smooth)('has the slope that central differences show: $variant', checkSlopes);
});

/** Central differences say nothing at ties and corners, about narrow types, and about a gradient that is cut on purpose. */
function isSmooth(one: OpCase): boolean {
  const isFloat32 = [...one.inputs, ...one.outputs].every(({ dtype }) => dtype !== 'bfloat16' && dtype !== 'float16');
  const isCut = one.op === 'StopGradient' || one.variant === 'ties' || one.variant === 'zero and negative base';
  return isFloat32 && !isCut && one.inputs.some(({ gradient }) => gradient !== undefined);
}

const step = 0.01;

function checkSlopes(one: OpCase): void {
  const built = buildOpGraph(one, read, true);
  const { inputs, cotangents } = feedsOf(one);
  useSession(built.graph, (session) => {
    const weighted = weightedValue(session, built, one);
    const slopes = session.prepare([...built.inputFeeds, ...built.cotangentFeeds], built.gradients)([...inputs, ...cotangents]);
    const wanted = one.inputs.filter(({ constant }) => !constant).flatMap(({ gradient }, feed) => (gradient === undefined ? [] : [feed]));
    wanted.forEach((feed, position) => {
      const base = inputs[feed];
      const slope = slopes[position];
      if (base === undefined || slope === undefined) throw new Error('a gradient is missing');
      for (const seed of [1, 2, 3]) {
        const direction = directionOf(base.data.length, seed);
        const numeric = (weighted(moved(inputs, feed, direction, step)) - weighted(moved(inputs, feed, direction, -step))) / (2 * step);
        const parts = direction.map((part, element) => part * (slope.data[element] ?? Number.NaN));
        const analytic = parts.reduce((total, part) => total + part, 0);
        const size = Math.sqrt(parts.reduce((total, part) => total + part * part, 0));
        expect(Math.abs(numeric - analytic), `input ${feed}: ${numeric} and ${analytic}`).toBeLessThan(0.01 * size + 1e-3);
      }
    });
  });
}

/** sum(output * cotangent) in double precision, so that the difference keeps its digits. */
function weightedValue(session: Session, built: OpGraph, one: OpCase): (inputs: readonly HostTensor[]) => number {
  const cotangents = one.cotangents.map(({ index: output, value }) => ({ output, values: read(value).data }));
  const fetched = one.outputs.map(({ index: output }, position) => ({ output, tensor: built.outputs[position] }));
  const tensors = fetched.flatMap(({ tensor }): Tensor[] => (tensor === undefined ? [] : [tensor]));
  const call: PreparedCall = session.prepare(built.inputFeeds, tensors);
  return (inputs) => {
    const results = call(inputs);
    return cotangents.reduce((total, { output, values }) => {
      const result = results[fetched.findIndex((each) => each.output === output)];
      return Array.from(values).reduce((sum, weight, element) => sum + weight * (result?.data[element] ?? Number.NaN), total);
    }, 0);
  };
}

/** Numbers in [-1, 1] from a small linear congruential generator (Numerical Recipes). */
function directionOf(length: number, seed: number): readonly number[] {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function moved(inputs: readonly HostTensor[], feed: number, direction: readonly number[], distance: number): readonly HostTensor[] {
  return inputs.map((input, position) => {
    if (position !== feed) return input;
    const data = Float32Array.from(input.data, (value, element) => value + distance * (direction[element] ?? 0));
    return { shape: input.shape, data };
  });
}

describe('in-place updates', () => {
  it.each(index.updates)('$op gives what TensorFlow gives: $attributes', (update) => {
    const graph = new Graph(opTable);
    const variables = update.before.map((place, position) => graph.variable(`variable${position}`, 'float32', place.shape));
    const assigned = variables.map(({ handle }, position) => {
      const place = update.before[position];
      if (place === undefined) throw new Error('a start value is missing');
      const { data, shape } = read(place);
      return graph.effect('AssignVariableOp', [handle, graph.constant(data, 'float32', shape)]);
    });
    const started = graph.op('Identity', [graph.constant(1, 'int32')], {}, { controls: assigned });
    const feeds = update.feeds.map((place, position) => graph.placeholder(`feed${position}`, 'float32', place.shape));
    const handles = variables.map(({ handle }) => handle);
    const updated = graph.effect(update.op, [...handles, ...feeds], toAttributes(update.attributes));
    const done = graph.op('Identity', [graph.constant(1, 'int32')], {}, { controls: [updated] });
    const reads = variables.map((variable) => graph.read(variable));
    useSession(graph, (session) => {
      session.prepare([], [started])([]);
      session.prepare(feeds, [done])(update.feeds.map(read));
      const results = session.prepare([], reads)([]);
      update.after.forEach((place, position) => expectNear(results[position], read(place), 1e-5, `variable ${position}`));
    });
  });

  it('adds to and subtracts from a variable', () => {
    const graph = new Graph(opTable);
    const total = graph.variable('total', 'int32', []);
    const start = graph.effect('AssignVariableOp', [total.handle, graph.constant(40, 'int32')]);
    const added = graph.effect('AssignAddVariableOp', [total.handle, graph.constant(5, 'int32')], {}, { controls: [start] });
    const subtracted = graph.effect('AssignSubVariableOp', [total.handle, graph.constant(3, 'int32')], {}, { controls: [added] });
    const result = graph.read(total, { controls: [subtracted] });
    expect(useSession(graph, (session) => session.prepare([], [result])([]))[0]?.data).toEqual(Int32Array.of(42));
  });
});
