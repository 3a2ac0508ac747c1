import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { lowerActivation } from '../src/main/engine/activations.ts';
import { gradients } from '../src/main/engine/gradients.ts';
import { Graph } from '../src/main/engine/graph.ts';
import { lowerLoss } from '../src/main/engine/losses.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { regularizationLoss } from '../src/main/engine/regularizers.ts';
import { regularizerSchema } from '../src/shared/contract/layers.ts';
import type { WeightSpec } from '../src/shared/domain/networkTypes.ts';
import { expectClose, openExecutor, openFixture, placeSchema } from './kerasFixture.ts';

const { index, read } = openFixture('losses', 'losses', {
  classes: z.int(),
  labels: z.array(z.int()),
  cases: z.array(
    z.strictObject({
      type: z.enum(['categoricalCrossentropy', 'meanSquaredError']),
      output: z.enum(['softmax', 'sigmoid', 'relu']),
      labelSmoothing: z.number(),
      classWeights: z.array(z.number()).nullable(),
      inputs: placeSchema,
      loss: z.number(),
      gradient: placeSchema,
    }),
  ),
  penalties: z.array(z.strictObject({ ...regularizerSchema.shape, weight: placeSchema, penalty: z.number(), gradient: placeSchema })),
});
const executor = openExecutor();

function scalar(value: number) {
  return { shape: [], data: Float32Array.of(value) };
}

describe('losses equal Keras in value and gradient', () => {
  const labels = { shape: [index.labels.length], data: Int32Array.from(index.labels) };

  for (const one of index.cases) {
    const weighting = one.classWeights === null ? '' : ', class weights';
    it(`${one.type} of ${one.output}, smoothing ${one.labelSmoothing}${weighting}`, () => {
      const graph = new Graph(opTable);
      const values = graph.placeholder('values', 'float32', [null, index.classes]);
      const labelFeed = graph.placeholder('labels', 'int32', [null]);
      const isSoftmax = one.output === 'softmax';
      const scores = isSoftmax ? values : lowerActivation(graph, one.output, values);
      const loss = lowerLoss(graph, scores, labelFeed, one, isSoftmax);
      const session = executor.load(withGradient(graph, loss, values));
      const [found, gradient] = session.prepare([values, labelFeed], [loss, gradientOf(graph)])([read(one.inputs), labels]);
      session.close();
      expectClose(found, scalar(one.loss), 1e-5, 1e-6, 'loss');
      expectClose(gradient, read(one.gradient), 1e-5, 1e-6, 'gradient');
    });
  }
});

function withGradient(graph: Graph, loss: Parameters<typeof gradients>[1], source: Parameters<typeof gradients>[1]): Graph {
  const [gradient] = gradients(graph, loss, [source]);
  if (gradient === undefined) throw new Error('There is no gradient.');
  graph.op('Identity', [gradient], {}, { name: 'gradient' });
  return graph;
}

function gradientOf(graph: Graph) {
  const output = graph.nodes.find((node) => node.name === 'gradient')?.outputs[0];
  if (output === undefined) throw new Error('There is no gradient.');
  return output;
}

function specOf(path: string, shape: readonly number[], regularizer: WeightSpec['regularizer']): WeightSpec {
  return { name: 'kernel', path, shape, initializer: { type: 'Zeros' }, regularizer, isOptimized: true };
}

describe('weight penalties equal Keras', () => {
  for (const { l1, l2, weight, penalty, gradient } of index.penalties) {
    it(`l1 ${l1}, l2 ${l2}`, () => {
      const graph = new Graph(opTable);
      const value = graph.placeholder('weight', 'float32', weight.shape);
      const loss = regularizationLoss(graph, [specOf('a/kernel', weight.shape, { l1, l2 })], () => value);
      if (loss === null) throw new Error('There is no penalty.');
      const session = executor.load(withGradient(graph, loss, value));
      const [found, slope] = session.prepare([value], [loss, gradientOf(graph)])([read(weight)]);
      session.close();
      expectClose(found, scalar(penalty), 1e-5, 0, 'penalty');
      expectClose(slope, read(gradient), 1e-5, 1e-7, 'gradient');
    });
  }

  it('adds the penalties of all weights and is nothing without any', () => {
    const [first] = index.penalties;
    if (first === undefined) throw new Error('There is no penalty.');
    const graph = new Graph(opTable);
    const value = graph.placeholder('weight', 'float32', first.weight.shape);
    const penalized = specOf('a/kernel', first.weight.shape, { l1: first.l1, l2: first.l2 });
    const free = specOf('b/kernel', first.weight.shape, null);
    expect(regularizationLoss(graph, [free], () => value)).toBeNull();
    expect(regularizationLoss(graph, [specOf('c/kernel', [1], { l1: 0, l2: 0 })], () => value)).toBeNull();
    const loss = regularizationLoss(graph, [penalized, free, penalized], () => value);
    if (loss === null) throw new Error('There is no penalty.');
    const session = executor.load(graph);
    expectClose(session.prepare([value], [loss])([read(first.weight)])[0], scalar(2 * first.penalty), 1e-5, 0, 'penalty');
    session.close();
  });
});
