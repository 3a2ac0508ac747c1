// Not test/layers.test.ts (the import rules of the code): this file compares network layers with Keras.
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { castTo } from '../src/main/engine/arithmetic.ts';
import type { HostTensor } from '../src/main/engine/executor.ts';
import { gradients } from '../src/main/engine/gradients.ts';
import { Graph } from '../src/main/engine/graph.ts';
import type { Node, Tensor, Variable } from '../src/main/engine/graph.ts';
import { lowerLayer } from '../src/main/engine/layers/lower.ts';
import type { LoweringContext } from '../src/main/engine/layers/lower.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { layerSchema } from '../src/shared/contract/layers.ts';
import { applyLayerRule } from '../src/shared/domain/networkRules.ts';
import type { ResolvedLayer } from '../src/shared/domain/networkTypes.ts';
import { addAssignment, assignValue, expectClose, openExecutor, openFixture, placeSchema } from './kerasFixture.ts';

const caseSchema = z.strictObject({
  name: z.string(),
  layer: layerSchema,
  inputShapes: z.array(z.array(z.int())),
  precision: z.enum(['mixed_bfloat16']).optional(),
  spread: z.number().optional(),
  steps: z.int().optional(),
  isFrozen: z.boolean().optional(),
  stochastic: z.boolean().optional(),
  weights: z.record(z.string(), placeSchema),
  inputs: z.array(placeSchema),
  inference: placeSchema,
  training: placeSchema.optional(),
  upstream: placeSchema.optional(),
  inputGradients: z.array(placeSchema).optional(),
  weightGradients: z.record(z.string(), placeSchema).optional(),
  averages: z.record(z.string(), placeSchema).optional(),
});
/** isWide: bfloat16 values, products on float32 units. */
type Case = z.infer<typeof caseSchema> & { readonly isWide?: boolean };

const { index, read } = openFixture('layers', 'layers', { cases: z.array(caseSchema) });
const executor = openExecutor();

function resolve(one: Case): ResolvedLayer {
  const rule = applyLayerRule(one.layer, one.inputShapes);
  if (!rule.ok) throw new Error(rule.message);
  const weights = rule.weights.map((weight) => ({ ...weight, path: `layer/${weight.name}` }));
  const inputs = one.inputShapes.map((_, position) => `input${position}`);
  return { name: 'layer', config: one.layer, inputs, inputShapes: one.inputShapes, outputShape: rule.outputShape, weights, parameters: 0 };
}

interface Options {
  readonly isTrainable?: boolean;
  readonly frozenBatchNormalization?: 'inference' | 'batchStatistics';
}

/** One layer between placeholders, lowered for inference and for training, with its weights assigned. */
function openLayer(one: Case, options: Options = {}) {
  const layer = resolve(one);
  const graph = new Graph(opTable);
  const computeType = one.precision === 'mixed_bfloat16' ? 'bfloat16' : 'float32';
  const feeds = one.inputShapes.map((shape, position) => graph.placeholder(`input${position}`, 'float32', [null, ...shape]));
  const step = graph.placeholder('step', 'int32', []);
  const variables = new Map<string, Variable>(layer.weights.map(({ name, shape }) => [name, graph.variable(name, 'float32', shape)]));
  const reads = new Map<string, Tensor>([...variables].map(([name, variable]) => [name, graph.read(variable)]));
  const updates: Node[] = [];
  const find = <Value>(map: ReadonlyMap<string, Value>, name: string): Value => {
    const value = map.get(name);
    if (value === undefined) throw new Error(`The layer asks for a weight ${name} that it does not have.`);
    return value;
  };
  const context = (mode: 'training' | 'inference'): LoweringContext => ({
    graph,
    mode,
    isTrainable: options.isTrainable ?? one.isFrozen !== true,
    frozenBatchNormalization: options.frozenBatchNormalization ?? 'inference',
    computeType,
    productType: one.isWide === true ? 'float32' : computeType,
    weight: (name) => find(reads, name),
    computeWeight: (name) => castTo(graph, find(reads, name), computeType),
    variable: (name) => find(variables, name),
    randomSeed: () => {
      if (mode === 'inference') throw new Error('A layer asks for random numbers in inference mode.');
      return graph.op('Pack', [graph.constant(77, 'int32'), step]);
    },
    addUpdate: (node) => updates.push(node),
  });
  const inputs = feeds.map((feed) => castTo(graph, feed, computeType));
  const lowered = { inference: lowerLayer(layer, inputs, context('inference')), training: lowerLayer(layer, inputs, context('training')) };
  // A layer that changes nothing gives back its feed, which cannot be fetched itself.
  const inference = graph.op('Identity', [castTo(graph, lowered.inference, 'float32')]);
  const training = graph.op('Identity', [castTo(graph, lowered.training, 'float32')]);
  const upstream = graph.placeholder('upstream', 'float32', training.shape);
  const axes = graph.constant(Int32Array.from(training.shape.keys()), 'int32', [training.shape.length]);
  const total = graph.op('Sum', [graph.op('Mul', [training, upstream]), axes], { keep_dims: { kind: 'bool', value: false } });
  const optimized = layer.weights.filter((weight) => weight.isOptimized && one.isFrozen !== true);
  const slopes = gradients(graph, total, [...feeds, ...optimized.map(({ name }) => find(reads, name))]);
  const updated = graph.op('Identity', [graph.constant(1, 'int32')], {}, { name: 'updated', controls: updates });
  const assignments = [...variables.values()].map((variable) => ({ variable, ...addAssignment(graph, variable) }));
  const session = executor.load(graph);
  for (const assignment of assignments)
    assignValue(session, assignment, read(find(new Map(Object.entries(one.weights)), assignment.variable.name)));
  const values = one.inputs.map((place) => read(place));
  return { layer, lowered, feeds, step, session, values, upstream, slopes, optimized, updated, updates, reads, inference, training };
}

type OpenLayer = ReturnType<typeof openLayer>;

function runTraining(open: OpenLayer, inputs: readonly HostTensor[], step: number, fetches: readonly Tensor[]): readonly HostTensor[] {
  const run = open.session.prepare([...open.feeds, open.step], fetches);
  return run([...inputs, { shape: [], data: Int32Array.of(step) }]);
}

describe('layers equal Keras', () => {
  const before = executor.countTensors();
  afterAll(() => {
    expect(executor.countTensors()).toBe(before);
  });

  const cases = index.cases.flatMap((one): Case[] =>
    one.precision === undefined ? [one] : [one, { ...one, name: `${one.name}, products in float32`, isWide: true }],
  );
  for (const one of cases) {
    const isRounded = one.precision === 'mixed_bfloat16';
    // bfloat16 has 8 bits: results agree to about one unit in the last place of the largest summand.
    const [relative, absolute] = isRounded ? [2e-2, 4e-2] : [1e-5, 2e-5];

    it(`${one.name}: inference`, () => {
      const open = openLayer(one);
      const [found] = open.session.prepare(open.feeds, [open.inference])(open.values);
      expectClose(found, read(one.inference), relative, absolute, 'output');
      expect(open.lowered.inference.dtype).toBe(isRounded ? 'bfloat16' : 'float32');
      open.session.close();
    });

    if (one.training === undefined || one.upstream === undefined) continue;
    const { training, upstream } = one;
    it(`${one.name}: training and gradients`, () => {
      const open = openLayer(one);
      const run = open.session.prepare([...open.feeds, open.upstream], [open.training, ...open.slopes]);
      const [output, ...found] = run([...open.values, read(upstream)]);
      expectClose(output, read(training), relative, absolute, 'output');
      const names = open.optimized.map(({ name }) => name);
      const places = [...(one.inputGradients ?? []), ...names.map((name) => one.weightGradients?.[name])];
      expect(found.length, 'number of gradients').toBe(places.length);
      expect(names.toSorted()).toEqual(Object.keys(one.weightGradients ?? {}).toSorted());
      places.forEach((place, position) => {
        if (place !== undefined) expectClose(found[position], read(place), relative, isRounded ? 0.15 : 4e-5, `gradient ${position}`);
      });
      open.session.close();
    });

    if (one.steps === undefined || one.averages === undefined) continue;
    const { steps, averages } = one;
    it(`${one.name}: moving averages after ${steps} steps`, () => {
      const open = openLayer(one);
      for (let step = 0; step < steps; step += 1) {
        const inputs = open.values.map(({ shape, data }) => ({
          shape,
          data: step === 0 ? data : data.map((value) => Math.fround(value * (1 + step)) + step),
        }));
        runTraining(open, inputs, step, [open.updated]);
      }
      for (const [name, place] of Object.entries(averages)) {
        const average = open.reads.get(name);
        if (average === undefined) throw new Error(`There is no ${name}.`);
        expectClose(open.session.prepare([], [average])([])[0], read(place), isRounded ? 1e-2 : 1e-5, isRounded ? 1e-2 : 1e-5, name);
      }
      expect(open.updates.length).toBe(one.isFrozen === true ? 0 : 2);
      open.session.close();
    });
  }

  it('has a case for every type of layer', () => {
    const types = layerSchema.options.flatMap(({ shape: { type } }) => ('options' in type ? type.options : [...type.values]));
    expect(new Set<string>(index.cases.map(({ layer }) => layer.type))).toEqual(new Set<string>(types));
  });
});

function findCase(name: string): Case {
  const one = index.cases.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`There is no case ${name}.`);
  return one;
}

describe('a frozen BatchNormalization', () => {
  it('with batchStatistics normalises by the batch and leaves the averages alone', () => {
    const one = findCase('batch');
    const open = openLayer(one, { isTrainable: false, frozenBatchNormalization: 'batchStatistics' });
    const [output] = runTraining(open, open.values, 0, [open.training]);
    expectClose(output, read(one.training ?? one.inference), 1e-5, 2e-5, 'output');
    expect(open.updates).toEqual([]);
    open.session.close();
  });
});

describe('random layers', () => {
  const size = 24;
  const wide = (layer: Case['layer']): Case => ({
    name: 'wide',
    layer,
    inputShapes: [[size, size, 8]],
    weights: {},
    inputs: [],
    inference: { offset: 0, shape: [] },
    stochastic: true,
  });
  const ones = { shape: [16, size, size, 8], data: new Float32Array(16 * size * size * 8).fill(1) };

  for (const rate of [0.25, 0.3, 0.5, 0.1]) {
    it(`Dropout(${rate}) keeps 1 - rate of the elements and scales them by 1 / (1 - rate)`, () => {
      const open = openLayer(wide({ type: 'Dropout', rate }));
      const [first] = runTraining(open, [ones], 0, [open.training]);
      const data = first?.data ?? new Float32Array();
      const scale = Math.fround(1 / (1 - rate));
      expect(new Set(data)).toEqual(new Set([0, scale]));
      const kept = data.filter((value) => value !== 0).length / data.length;
      // Four standard deviations of a binomial share.
      expect(Math.abs(kept - (1 - rate))).toBeLessThan(4 * Math.sqrt((rate * (1 - rate)) / data.length));
      const again = runTraining(open, [ones], 0, [open.training])[0]?.data;
      const next = runTraining(open, [ones], 1, [open.training])[0]?.data;
      expect(again).toEqual(data);
      expect(next).not.toEqual(data);
      open.session.close();
    });
  }

  it('Dropout passes the gradient through the same mask', () => {
    const open = openLayer(wide({ type: 'Dropout', rate: 0.3 }));
    const [slope] = open.slopes;
    if (slope === undefined) throw new Error('There is no gradient.');
    const run = open.session.prepare([...open.feeds, open.step, open.upstream], [open.training, slope]);
    const [output, gradient] = run([ones, { shape: [], data: Int32Array.of(5) }, ones]);
    expect(gradient?.data).toEqual(output?.data);
    open.session.close();
  });

  it('Dropout works for an odd number of elements', () => {
    const one = { ...wide({ type: 'Dropout', rate: 0.5 }), inputShapes: [[7]] };
    const open = openLayer(one);
    const input = { shape: [30000, 7], data: new Float32Array(210000).fill(1) };
    const data = runTraining(open, [input], 0, [open.training])[0]?.data ?? new Float32Array();
    const kept = data.filter((value) => value !== 0).length / data.length;
    expect(Math.abs(kept - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / data.length));
    open.session.close();
  });

  it('SpatialDropout2D drops whole feature maps', () => {
    const open = openLayer(wide({ type: 'SpatialDropout2D', rate: 0.5 }));
    const data = runTraining(open, [ones], 3, [open.training])[0]?.data ?? new Float32Array();
    const maps = Array.from({ length: 16 * 8 }, (_, map) => {
      const [picture, channel] = [Math.floor(map / 8), map % 8];
      const values = Array.from({ length: size * size }, (__, pixel) => data[(picture * size * size + pixel) * 8 + channel]);
      return new Set(values);
    });
    expect(maps.every((values) => values.size === 1)).toBe(true);
    const kept = maps.filter((values) => !values.has(0)).length;
    expect(kept).toBeGreaterThan(40);
    expect(kept).toBeLessThan(88);
    open.session.close();
  });

  it('GaussianNoise adds normal noise of the given deviation', () => {
    const open = openLayer(wide({ type: 'GaussianNoise', stddev: 0.5 }));
    const data = runTraining(open, [ones], 0, [open.training])[0]?.data ?? new Float32Array();
    const noise = [...data].map((value) => value - 1);
    const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
    const deviation = Math.sqrt(noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / noise.length);
    expect(Math.abs(mean)).toBeLessThan((4 * 0.5) / Math.sqrt(noise.length));
    expect(Math.abs(deviation - 0.5)).toBeLessThan((4 * 0.5) / Math.sqrt(2 * noise.length));
    expect(noise.filter((value) => Math.abs(value) < 0.5).length / noise.length).toBeCloseTo(0.6827, 2);
    open.session.close();
  });
});
