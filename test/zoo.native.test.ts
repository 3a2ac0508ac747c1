// The published networks on the real library against Keras: their outputs for equal weights and pictures, and one step of training with
// BatchNormalization frozen, trained within a frozen base, and trained with everything else.
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { planFeatures } from '../src/main/engine/featurePlan.ts';
import { planTraining } from '../src/main/engine/plan.ts';
import { baseSchema, zooNetworks } from '../src/shared/contract/base.ts';
import { layerSchema } from '../src/shared/contract/layers.ts';
import { inputSchema, optimizerSchema, phaseSchema, trainableSchema, type Phase } from '../src/shared/contract/schema.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import type { ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';
import { selectPhaseLayers } from '../src/shared/domain/recipeNetwork.ts';
import { expandLayers } from '../src/shared/domain/zoo/expand.ts';
import { expectClose, openExecutor, openFixture, placeSchema } from './kerasFixture.ts';
import { makeZooPictures, makeZooWeights } from './zooWeights.ts';

const stepSchema = z.strictObject({
  name: z.string(),
  trainable: trainableSchema,
  frozenBatchNormalization: z.enum(['inference', 'trained']),
  loss: z.number(),
  /** Of each weight: the norm of its change, and the change at evenly spaced positions. */
  changes: z.array(z.strictObject({ path: z.string(), norm: z.number(), probes: placeSchema })),
});
type Step = z.infer<typeof stepSchema>;

const { index, read } = openFixture('zoo', 'zoo_parity', {
  forward: z.array(
    z.strictObject({
      network: z.enum(zooNetworks),
      alpha: z.number(),
      cutAt: z.string().nullable(),
      size: z.tuple([z.int(), z.int()]),
      output: placeSchema,
    }),
  ),
  step: z.strictObject({
    network: z.enum(zooNetworks),
    alpha: z.number(),
    side: z.int(),
    batchSize: z.int(),
    classes: z.int(),
    learningRate: z.number(),
  }),
  steps: z.array(stepSchema),
});
const input = inputSchema.parse({ scaling: 'minusOneToOne' });
const executor = openExecutor();
const before = executor.countTensors();
afterAll(() => {
  expect(executor.countTensors()).toBe(before);
});

function resolve(base: z.input<typeof baseSchema>, head: readonly z.input<typeof layerSchema>[], [height, width]: readonly number[]) {
  const layers = expandLayers({ base: baseSchema.parse(base), layers: head.map((layer) => layerSchema.parse(layer)) });
  const result = resolveNetwork(layers, [height ?? 0, width ?? 0, 3], null);
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

function requireWeight<Target>(targets: ReadonlyMap<string, Target>, path: string): Target {
  const target = targets.get(path);
  if (target === undefined) throw new Error(`The network has no weight ${path}.`);
  return target;
}

function computeOutput(network: ResolvedNetwork, pictures: ReturnType<typeof makeZooPictures>) {
  const program = planFeatures(network, network.layers.length, input, 'float32');
  const session = executor.load(program.graph);
  const weights = makeZooWeights(network);
  const targets = weights.map(({ name }) => requireWeight(program.assign, name));
  session.prepare(
    targets.map(({ feed }) => feed),
    targets.map(({ done }) => done),
  )(weights);
  const output = session.prepare([program.pixels], [program.features])([pictures])[0];
  session.close();
  return output;
}

describe('networks of the zoo give the outputs of Keras', () => {
  for (const { network, alpha, cutAt, size, output } of index.forward) {
    it(`${network}, alpha ${alpha}, ${size.join(' x ')}${cutAt === null ? '' : `, cut at ${cutAt}`}`, () => {
      const resolved = resolve({ network, alpha, cutAt }, [], size);
      expectClose(computeOutput(resolved, makeZooPictures('pictures', [2, ...size, 3])), read(output), 0, 1e-4, 'output');
    });
  }
});

function trainOnce({ trainable, frozenBatchNormalization }: Pick<Phase, 'trainable' | 'frozenBatchNormalization'>) {
  const { side, batchSize, classes, learningRate } = index.step;
  const head = [
    { type: 'GlobalAveragePooling2D', name: 'pool' },
    { type: 'Dense', name: 'classes', units: classes, activation: 'softmax' },
  ] as const;
  const network = resolve({ network: index.step.network, alpha: index.step.alpha }, head, [side, side]);
  const optimizer = optimizerSchema.parse({ type: 'SGD', learningRate });
  const phase = phaseSchema.parse({ name: 'step', trainable, frozenBatchNormalization, optimizer, batchSize, epochs: 1 });
  const program = planTraining({
    network,
    trainableLayers: selectPhaseLayers(network, phase),
    frozenBatchNormalization: frozenBatchNormalization === 'batchStatistics' ? 'batchStatistics' : 'inference',
    input,
    source: { kind: 'pixels' },
    optimizer,
    loss: { type: 'categoricalCrossentropy', labelSmoothing: 0, classWeights: null },
    precision: 'float32',
    stepsPerEpoch: 1,
    seed: 1,
  });
  const session = executor.load(program.graph);
  session.prepare([], [program.endpoints.initialize])([]);
  const weights = makeZooWeights(network);
  const access = weights.map(({ name }) => requireWeight(program.access, name));
  session.prepare(
    access.map(({ feed }) => feed),
    access.map(({ assign }) => assign),
  )(weights);
  const rates = { shape: [1], data: Float32Array.of(learningRate) };
  session.prepare([program.feeds.learningRates], [program.endpoints.setLearningRates])([rates]);
  const labels = { shape: [batchSize], data: Int32Array.from({ length: batchSize }, (_, position) => position % classes) };
  const step = session.prepare([program.feeds.training, program.feeds.labels], [program.endpoints.trainStep]);
  const loss = step([makeZooPictures('batch', [batchSize, side, side, 3]), labels])[0]?.data[0];
  const after = session.prepare(
    [],
    access.map(({ read: value }) => value),
  )([]);
  const changes = new Map(
    weights.map(({ name, data }, place) => {
      const values = after[place]?.data ?? [];
      return [name, Float32Array.from(data, (value, position) => Number(values[position]) - value)];
    }),
  );
  session.close();
  return { loss, changes };
}

function expectChange(changes: ReadonlyMap<string, Float32Array>, { path, norm, probes }: Step['changes'][number]): void {
  const change = requireWeight(changes, path);
  expect(Math.abs(Math.hypot(...change) - norm), `norm of the change of ${path}`).toBeLessThanOrEqual(1e-4 * norm);
  const count = probes.shape[0] ?? 0;
  const found = Float32Array.from(
    { length: count },
    (_, probe) => change[Math.trunc((probe * (change.length - 1)) / Math.max(1, count - 1))] ?? Number.NaN,
  );
  const largest = Math.max(...read(probes).data.map(Math.abs));
  expectClose({ shape: [count], data: found }, read(probes), 1e-3, 1e-3 * largest + 1e-7, `change of ${path}`);
}

describe('one step of training changes the weights as in Keras', () => {
  for (const one of index.steps) {
    it(one.name, () => {
      const { loss, changes } = trainOnce(one);
      expect([...changes.keys()].sort()).toEqual(one.changes.map(({ path }) => path).sort());
      expect(Math.abs((loss ?? Number.NaN) - one.loss)).toBeLessThan(1e-5 * one.loss);
      for (const change of one.changes) expectChange(changes, change);
    });
  }

  it('base frozen with batch statistics: the head learns as if everything trained, and nothing else changes', () => {
    const everything = index.steps.find(({ name }) => name === 'everything trained');
    if (everything === undefined) throw new Error('There is no such step.');
    const trainable = { type: 'freezeUpTo', layer: 'conv_pw_13_relu' } as const;
    const { loss, changes } = trainOnce({ trainable, frozenBatchNormalization: 'batchStatistics' });
    expect(Math.abs((loss ?? Number.NaN) - everything.loss)).toBeLessThan(1e-5 * everything.loss);
    const isHead = (path: string): boolean => path.startsWith('classes/');
    for (const change of everything.changes.filter(({ path }) => isHead(path))) expectChange(changes, change);
    const others = [...changes].filter(([path]) => !isHead(path));
    expect(others.filter(([, change]) => change.some((value) => value !== 0)).map(([path]) => path)).toEqual([]);
  });
});
