// What lowering adds to a graph, seen without running it: guards, costs, and what must not be there.
import { describe, expect, it } from 'vitest';
import { Graph } from '../src/main/engine/graph.ts';
import type { Node, Tensor } from '../src/main/engine/graph.ts';
import { endsInSoftmax, lowerLayer, outputActivation } from '../src/main/engine/layers/lower.ts';
import type { LoweringContext } from '../src/main/engine/layers/lower.ts';
import { lowerLoss } from '../src/main/engine/losses.ts';
import { lowerOptimizer, slotsOf } from '../src/main/engine/optimizers.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { layerSchema } from '../src/shared/contract/layers.ts';
import { optimizerSchema } from '../src/shared/contract/schema.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import type { ResolvedLayer, ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';

function resolve(layers: readonly object[], inputShape: readonly number[] = [8, 8, 4]): ResolvedNetwork {
  const result = resolveNetwork(
    layers.map((layer) => layerSchema.parse(layer)),
    inputShape,
    null,
  );
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

function lastOf(network: ResolvedNetwork): ResolvedLayer {
  const layer = network.layers.at(-1);
  if (layer === undefined) throw new Error('There is no layer.');
  return layer;
}

function lower(layer: object, change: Partial<LoweringContext> = {}, withoutActivation = false) {
  const graph = new Graph(opTable);
  const resolved = lastOf(resolve([layer]));
  const input = graph.placeholder('pixels', 'float32', [null, 8, 8, 4]);
  const variables = new Map(resolved.weights.map((weight) => [weight.name, graph.variable(weight.name, 'float32', weight.shape)]));
  const variable = (name: string) => {
    const found = variables.get(name);
    if (found === undefined) throw new Error(`There is no weight ${name}.`);
    return found;
  };
  const updates: Node[] = [];
  const context: LoweringContext = {
    graph,
    mode: 'training',
    isTrainable: true,
    frozenBatchNormalization: 'inference',
    computeType: 'float32',
    productType: 'float32',
    weight: (name) => graph.read(variable(name)),
    computeWeight: (name) => graph.read(variable(name)),
    variable,
    randomSeed: () => graph.placeholder('seed', 'int32', [2]),
    addUpdate: (node) => updates.push(node),
    ...change,
  };
  const output = lowerLayer(resolved, [input], context, { withoutActivation });
  return { graph, output, updates, input, context, resolved, ops: graph.nodes.map((node) => node.op) };
}

describe('lowerLayer', () => {
  it('refuses a number of inputs that the layer was not resolved with', () => {
    const { resolved, context, input } = lower({ type: 'Flatten' });
    expect(() => lowerLayer(resolved, [], context)).toThrow(/got 0 inputs/);
    expect(() => lowerLayer(resolved, [input, input], context)).toThrow(/got 2 inputs/);
  });

  it.each([
    { type: 'Dropout', rate: 0.5 },
    { type: 'SpatialDropout2D', rate: 0.5 },
    { type: 'GaussianNoise', stddev: 1 },
  ])('$type is its input in inference mode', (layer) => {
    const { output, input, ops } = lower(layer, { mode: 'inference' });
    expect(output).toBe(input);
    expect(ops).toEqual(['Placeholder']);
  });

  it.each([
    { type: 'Dropout', rate: 0 },
    { type: 'SpatialDropout2D', rate: 0 },
    { type: 'GaussianNoise', stddev: 0 },
  ])('$type without effect is its input in training too', (layer) => {
    expect(lower(layer).ops).toEqual(['Placeholder']);
  });

  it('gives the logits of a softmax layer on request', () => {
    const layer = { type: 'Conv2D', filters: 3, kernelSize: 8, activation: 'softmax' };
    expect(lower(layer).ops).toContain('Softmax');
    expect(lower(layer, {}, true).output.node.op).toBe('BiasAdd');
    expect(lower({ type: 'Activation', activation: 'softmax' }, {}, true).ops).toEqual(['Placeholder']);
  });

  it('moves the averages of a BatchNormalization only while it trains', () => {
    const layer = { type: 'BatchNormalization' };
    expect(lower(layer).updates.map((node) => node.op)).toEqual(['AssignSubVariableOp', 'AssignSubVariableOp']);
    expect(lower(layer, { mode: 'inference' }).updates).toEqual([]);
    expect(lower(layer, { isTrainable: false }).updates).toEqual([]);
    expect(lower(layer, { isTrainable: false, frozenBatchNormalization: 'batchStatistics' }).updates).toEqual([]);
  });

  it('uses one fused op for a BatchNormalization of pictures', () => {
    const inference = lower({ type: 'BatchNormalization' }, { mode: 'inference' });
    expect(inference.ops.filter((op) => op === 'FusedBatchNormV3')).toHaveLength(1);
    expect(inference.output.node.op).toBe('FusedBatchNormV3');
  });
});

describe('endsInSoftmax', () => {
  it('is true for a Dense or Activation output with softmax, and only for a vector', () => {
    const flat = [{ type: 'Flatten' }, { type: 'Dense', units: 3, activation: 'softmax' }];
    expect(endsInSoftmax(resolve(flat))).toBe(true);
    expect(endsInSoftmax(resolve([{ type: 'Flatten' }, { type: 'Dense', units: 3 }, { type: 'Activation', activation: 'softmax' }]))).toBe(
      true,
    );
    expect(endsInSoftmax(resolve([...flat, { type: 'Activation', activation: 'linear' }]))).toBe(false);
    expect(endsInSoftmax(resolve([{ type: 'Conv2D', filters: 3, kernelSize: 8, activation: 'softmax' }]))).toBe(false);
    expect(outputActivation(lastOf(resolve([{ type: 'Flatten' }])).config)).toBe('linear');
  });
});

describe('lowerOptimizer', () => {
  function update(type: string, count: number, slotNames?: readonly string[]) {
    const graph = new Graph(opTable);
    const optimizer = optimizerSchema.parse({ type });
    const lowered = lowerOptimizer(graph, optimizer, graph.placeholder('rate', 'float32', []), graph.placeholder('step', 'int32', []));
    for (let index = 0; index < count; index += 1) {
      const variable = graph.variable(`weight${index}`, 'float32', [3]);
      const names = slotNames ?? slotsOf(optimizer).map((slot) => slot.name);
      const slots = Object.fromEntries(names.map((name) => [name, graph.variable(`${name}${index}`, 'float32', [3])]));
      lowered.apply({ variable, slots, gradient: graph.placeholder(`gradient${index}`, 'float32', [3]), controls: [] });
    }
    return graph.nodes.map((node) => node.op);
  }

  it.each(optimizerSchema.options.map((option) => option.shape.type.value))('%s computes shared scalars once', (type) => {
    const scalarsOf = (ops: readonly string[]) => ops.filter((op) => op === 'Const' || op === 'Pow' || op === 'Cast').length;
    expect(scalarsOf(update(type, 4))).toBe(scalarsOf(update(type, 1)));
    expect(update(type, 4).filter((op) => op.startsWith('ResourceApply'))).toHaveLength(4);
  });

  it('names the slot that the planner forgot', () => {
    expect(() => update('Adam', 1, ['momentum'])).toThrow(/no slot velocity for weight0/);
  });

  it('starts Adagrad with the epsilon inside, as Keras adds it under the root', () => {
    const slots = slotsOf(optimizerSchema.parse({ type: 'Adagrad', initialAccumulatorValue: 0.2, epsilon: 0.05 }));
    expect(slots).toEqual([{ name: 'accumulator', initial: 0.25 }]);
  });
});

describe('lowerLoss', () => {
  const options = { type: 'categoricalCrossentropy', labelSmoothing: 0, classWeights: null } as const;
  const build = (scores: (graph: Graph) => Tensor) => {
    const graph = new Graph(opTable);
    return lowerLoss(graph, scores(graph), graph.placeholder('labels', 'int32', [null]), options, true);
  };

  it('is computed in float32 only, on a known number of classes', () => {
    expect(() => build((graph) => graph.placeholder('scores', 'bfloat16', [null, 3]))).toThrow(/float32/);
    expect(() => build((graph) => graph.placeholder('scores', 'float32', [null, null]))).toThrow(/known number of classes/);
    expect(build((graph) => graph.placeholder('scores', 'float32', [null, 3])).dtype).toBe('float32');
  });
});
