import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LabError } from '../src/shared/contract/errors.ts';
import { layerSchema } from '../src/shared/contract/layers.ts';
import type { Layer } from '../src/shared/contract/layers.ts';
import { optimizerSchema } from '../src/shared/contract/schema.ts';
import { countParameters, estimateMemory, resolveNetwork, selectTrainableLayers } from '../src/shared/domain/network.ts';
import type { ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';

const caseSchema = z.strictObject({
  layers: z.array(layerSchema),
  inputShape: z.array(z.int()),
  error: z.string().optional(),
  expected: z
    .array(
      z.strictObject({
        name: z.string(),
        outputShape: z.array(z.int()),
        weights: z.array(z.tuple([z.string(), z.array(z.int())])),
        parameters: z.int(),
      }),
    )
    .optional(),
});
const fixtureSchema = z.strictObject({ madeWith: z.looseObject({ keras: z.literal('3.15.1') }), rows: z.array(caseSchema) });

/** A new layer type does not compile until it stands here, and is not green until Keras has answered for it. */
const everyType = {
  Activation: true,
  Add: true,
  AveragePooling2D: true,
  BatchNormalization: true,
  Concatenate: true,
  Conv2D: true,
  Dense: true,
  DepthwiseConv2D: true,
  Dropout: true,
  Flatten: true,
  GaussianNoise: true,
  GlobalAveragePooling2D: true,
  GlobalMaxPooling2D: true,
  LayerNormalization: true,
  MaxPooling2D: true,
  Rescaling: true,
  SeparableConv2D: true,
  SpatialDropout2D: true,
  ZeroPadding2D: true,
} satisfies Record<Layer['type'], true>;

function layersOf(...layers: z.input<typeof layerSchema>[]): Layer[] {
  return layers.map((layer) => layerSchema.parse(layer));
}

function resolved(layers: Layer[], shape: number[] = [8, 8, 3]): ResolvedNetwork {
  const result = resolveNetwork(layers, shape, null);
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

function problemOf(layers: Layer[], shape: number[], classCount: number | null) {
  const result = resolveNetwork(layers, shape, classCount);
  if (result.ok) throw new Error('The network was accepted.');
  return result.problem;
}

describe('resolveNetwork against Keras', () => {
  const { rows } = fixtureSchema.parse(JSON.parse(readFileSync(new URL('fixtures/network/cases.json', import.meta.url), 'utf8')));

  it.each(rows.map((row, index) => [index, row] as const))('agrees on case %i', (_, row) => {
    const result = resolveNetwork(row.layers, row.inputShape, null);
    expect(result.ok).toBe(row.error === undefined);
    if (row.expected === undefined) return;
    const found = result.network.layers.map(({ name, outputShape, weights, parameters }) => ({
      name,
      outputShape,
      weights: weights.map((weight) => [weight.name, weight.shape]),
      parameters,
    }));
    expect(found).toEqual(row.expected);
  });

  it('has cases that Keras refuses and cases of every layer type', () => {
    const types = new Set(rows.flatMap((row) => row.layers.map((layer) => layer.type)));
    expect(rows.filter((row) => row.error !== undefined).length).toBeGreaterThan(20);
    expect([...types].sort()).toEqual(Object.keys(everyType).sort());
  });
});

describe('problems of a network', () => {
  const convolution = { type: 'Conv2D', filters: 4, kernelSize: 3 } as const;
  const dense = { type: 'Dense', units: 10, activation: 'softmax' } as const;

  it('names the missing Flatten and Dense, and keeps the counts so far', () => {
    const result = resolveNetwork(layersOf({ ...convolution, filters: 32 }, { type: 'MaxPooling2D' }), [28, 28, 1], 10);
    expect(result.ok ? null : result.problem).toEqual({
      layer: 'max_pooling2d',
      message: 'The network ends with [13,13,32], but 10 classes need one vector [10]: the Flatten and Dense layers are missing.',
      fix: "Add Flatten and then Dense with 10 units and activation softmax after 'max_pooling2d'.",
    });
    expect(countParameters(result.network, new Set(['conv2d'])).total).toBe(320);
  });

  it('names the Dense layer before which Flatten is missing', () => {
    const problem = problemOf(layersOf(convolution, { type: 'Dense', units: 8 }, dense), [8, 8, 1], 10);
    expect(problem).toMatchObject({ layer: 'dense', fix: "Add Flatten before 'dense'." });
  });

  it('corrects the units of the last Dense layer', () => {
    const layers = layersOf({ type: 'Flatten' }, { type: 'Dense', units: 7 }, { type: 'Activation', activation: 'softmax' });
    expect(problemOf(layers, [8, 8, 1], 10)).toMatchObject({ layer: 'dense', fix: "Set units of 'dense' to 10." });
  });

  it('asks for Dense when the network ends with features', () => {
    const problem = problemOf(layersOf(convolution, { type: 'GlobalAveragePooling2D' }), [8, 8, 1], 10);
    expect(problem.layer).toBe('global_average_pooling2d');
    expect(problem.fix).toContain('Add Dense with 10 units');
  });

  it('stops at the layer that has nothing left and keeps those before it', () => {
    const result = resolveNetwork(layersOf(convolution, convolution, convolution, { type: 'Flatten' }, dense), [6, 6, 1], 10);
    expect(result.network.layers.map((layer) => layer.name)).toEqual(['conv2d', 'conv2d_1']);
    expect(result.ok ? null : result.problem.layer).toBe('conv2d_2');
  });

  it('names near layers when an input does not exist', () => {
    const layers = layersOf({ ...convolution, name: 'first' }, { ...convolution, inputs: ['frist'] });
    expect(problemOf(layers, [8, 8, 1], null)).toMatchObject({ layer: 'conv2d', fix: "Use 'first'." });
  });

  it('refuses an input that comes later, a name used twice, the reserved name and a branch that leads nowhere', () => {
    const later = layersOf({ ...convolution, inputs: ['second'] }, { ...convolution, name: 'second' });
    expect(problemOf(later, [8, 8, 1], null).fix).toBe("Move 'second' before this layer.");
    const twice = layersOf({ ...convolution, name: 'same' }, { ...convolution, name: 'same' });
    expect(problemOf(twice, [8, 8, 1], null).message).toBe("Two layers are called 'same'.");
    expect(problemOf(layersOf({ ...convolution, name: 'input' }), [8, 8, 1], null).message).toContain('reserved');
    const branch = layersOf(convolution, { ...convolution, inputs: ['input'] });
    expect(problemOf(branch, [8, 8, 1], null).layer).toBe('conv2d');
  });

  it('refuses two inputs for a layer that takes one, and branches whose shapes differ', () => {
    const two = layersOf(convolution, { type: 'Flatten', inputs: ['input', 'conv2d'] });
    expect(problemOf(two, [8, 8, 1], null).message).toContain('exactly one input');
    const add = layersOf(convolution, { type: 'Add', inputs: ['input', 'conv2d'] });
    expect(problemOf(add, [8, 8, 1], null).message).toContain('[8,8,1] and [6,6,4]');
  });

  it('refuses unequal strides, which TensorFlow cannot run for depthwise convolutions', () => {
    const problem = problemOf(layersOf({ type: 'DepthwiseConv2D', kernelSize: 3, strides: [1, 2] }), [8, 8, 1], null);
    expect(problem.fix).toBe('Set strides to [1,1].');
  });

  it('skips default names that another layer carries explicitly', () => {
    const network = resolved(layersOf({ ...convolution, name: 'conv2d' }, convolution, { ...convolution, name: 'conv2d_2' }));
    expect(network.layers.map((layer) => layer.name)).toEqual(['conv2d', 'conv2d_1', 'conv2d_2']);
    expect(network.layers[1]?.weights.map((weight) => weight.path)).toEqual(['conv2d_1/kernel', 'conv2d_1/bias']);
  });
});

describe('trainable layers and counts', () => {
  const network = resolved(
    layersOf(
      { type: 'Conv2D', filters: 4, kernelSize: 3 },
      { type: 'BatchNormalization' },
      { type: 'Flatten' },
      { type: 'Dense', units: 5 },
      { type: 'Dense', units: 2 },
    ),
  );

  it('counts a trained BatchNormalization half and a frozen one not at all', () => {
    const all = countParameters(network, selectTrainableLayers(network, { type: 'all' }));
    expect(all.layers.map((layer) => layer.trainable)).toEqual([112, 8, 0, 725, 12]);
    expect(all).toMatchObject({ total: 865, trainable: 857, nonTrainable: 8 });
    const frozen = countParameters(network, selectTrainableLayers(network, { type: 'freezeUpTo', layer: 'flatten' }));
    expect(frozen).toMatchObject({ total: 865, trainable: 737, nonTrainable: 128 });
  });

  it('selects nothing, the last layers with weights, or the layers named', () => {
    expect(selectTrainableLayers(network, { type: 'none' })).toEqual(new Set());
    expect(selectTrainableLayers(network, { type: 'lastLayers', count: 3 })).toEqual(new Set(['batch_normalization', 'dense', 'dense_1']));
    expect(selectTrainableLayers(network, { type: 'layers', names: ['dense'] })).toEqual(new Set(['dense']));
  });

  it('names near layers when one does not exist, and refuses more layers than there are', () => {
    const call = (): unknown => selectTrainableLayers(network, { type: 'freezeUpTo', layer: 'dense_2' });
    expect(call).toThrow(expect.objectContaining({ code: 'bad_recipe', received: 'dense_2' }));
    expect(call).toThrow(expect.objectContaining({ expected: expect.stringContaining('dense_1') as string }));
    expect(() => selectTrainableLayers(network, { type: 'layers', names: ['dense', 'nothing'] })).toThrow(LabError);
    expect(() => selectTrainableLayers(network, { type: 'lastLayers', count: 5 })).toThrow(/more layers than the network has/);
  });

  it('estimates memory from weights, optimizer slots and activations', () => {
    const adam = optimizerSchema.parse({ type: 'Adam' });
    const estimate = estimateMemory(network, 10, adam);
    expect(estimate).toMatchObject({ weights: 865 * 4, gradients: 857 * 4, slots: 857 * 8 });
    // Input 192, outputs 144 + 144 + 144 + 5 + 2, and the two largest gradients.
    expect(estimate.activations).toBe((192 + 439 + 288) * 40);
    expect(estimate.total).toBe(estimate.weights + estimate.gradients + estimate.slots + estimate.activations);
    const frozen = estimateMemory(network, 10, adam, new Set(['dense_1']));
    expect(frozen.slots).toBe(12 * 8);
    expect(frozen.activations).toBeLessThan(estimate.activations);
  });

  it.each([
    [{ type: 'SGD' }, 0],
    [{ type: 'SGD', momentum: 0.9 }, 1],
    [{ type: 'RMSprop', momentum: 0.9, centered: true }, 3],
    [{ type: 'AdamW', amsgrad: true }, 3],
    [{ type: 'Adadelta' }, 2],
    [{ type: 'Adagrad' }, 1],
  ] as const)('knows the slots of %j', (optimizer, slots) => {
    const estimate = estimateMemory(network, 1, optimizerSchema.parse(optimizer));
    expect(estimate.slots).toBe(857 * 4 * slots);
  });
});
