// The whole engine against Keras: the network of document 003, 50 steps under each optimizer, from equal weights on equal batches.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { HostTensor } from '../src/main/engine/executor.ts';
import { planTraining } from '../src/main/engine/plan.ts';
import { layerSchema } from '../src/shared/contract/layers.ts';
import { inputSchema, optimizerSchema } from '../src/shared/contract/schema.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import { expectClose, openExecutor, openFixture, placeSchema } from './kerasFixture.ts';

const caseSchema = z.strictObject({
  name: z.string(),
  optimizer: optimizerSchema,
  losses: placeSchema,
  norms: z.array(z.number()),
  probes: z.array(placeSchema),
});
type Case = z.infer<typeof caseSchema>;

const { index, read } = openFixture('trajectories', 'trajectories', {
  batchSize: z.int(),
  pictures: z.int(),
  labels: z.array(z.int()),
  weights: z.array(placeSchema.extend({ path: z.string() })),
  cases: z.array(caseSchema),
});
const pictures = readFileSync(join(import.meta.dirname, 'fixtures/trajectories/pictures.bin'));
const steps = 50;
const pixels = 28 * 28;
const executor = openExecutor();

function makeNetwork() {
  const layers = [
    { type: 'Conv2D', filters: 32, kernelSize: 3, activation: 'relu' },
    { type: 'MaxPooling2D' },
    { type: 'Conv2D', filters: 64, kernelSize: 3, activation: 'relu' },
    { type: 'MaxPooling2D' },
    { type: 'Conv2D', filters: 64, kernelSize: 3, activation: 'relu' },
    { type: 'Flatten' },
    { type: 'Dense', units: 128, activation: 'relu' },
    { type: 'Dense', units: 10, activation: 'softmax' },
  ];
  const result = resolveNetwork(
    layers.map((layer) => layerSchema.parse(layer)),
    [28, 28, 1],
    10,
  );
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

/** scripts/fixtures/trajectories.py, batch_positions. */
function batchOf(step: number): readonly [HostTensor, HostTensor] {
  const { batchSize } = index;
  const positions = Array.from({ length: batchSize }, (_, position) => (position + step * (batchSize + 37)) % index.pictures);
  const data = new Uint8Array(batchSize * pixels);
  positions.forEach((picture, position) => data.set(pictures.subarray(picture * pixels, (picture + 1) * pixels), position * pixels));
  const labels = Int32Array.from(positions, (picture) => index.labels[picture] ?? -1);
  return [
    { shape: [batchSize, 28, 28, 1], data },
    { shape: [batchSize], data: labels },
  ];
}

function train({ optimizer }: Case, precision: 'float32' | 'mixed_bfloat16') {
  const network = makeNetwork();
  const program = planTraining({
    network,
    trainableLayers: new Set(network.layers.map((layer) => layer.name)),
    frozenBatchNormalization: 'inference',
    input: inputSchema.parse({}),
    source: { kind: 'pixels' },
    optimizer,
    loss: { type: 'categoricalCrossentropy', labelSmoothing: 0, classWeights: null },
    precision,
    stepsPerEpoch: steps,
    seed: 1,
  });
  const session = executor.load(program.graph);
  session.prepare([], [program.endpoints.initialize])([]);
  for (const { path, ...place } of index.weights) {
    const access = program.access.get(path);
    if (access === undefined) throw new Error(`The network has no weight ${path}.`);
    session.prepare([access.feed], [access.assign])([read(place)]);
  }
  const rates = { shape: [steps], data: new Float32Array(steps).fill(optimizer.learningRate) };
  session.prepare([program.feeds.learningRates], [program.endpoints.setLearningRates])([rates]);
  const step = session.prepare([program.feeds.training, program.feeds.labels], [program.endpoints.trainStep]);
  const losses = Float32Array.from({ length: steps }, (_, number) => step(batchOf(number))[0]?.data[0] ?? Number.NaN);
  const weights = index.weights.map(({ path }) => {
    const access = program.access.get(path);
    return access === undefined ? new Float32Array() : (session.prepare([], [access.read])([])[0]?.data ?? new Float32Array());
  });
  session.close();
  return { losses, weights };
}

/** The largest |found - expected| / |expected|. */
function largestDeviation(found: Float32Array, expected: Float32Array): number {
  return Math.max(
    ...found.map((value, position) => Math.abs(value - (expected[position] ?? Number.NaN)) / Math.abs(expected[position] ?? Number.NaN)),
  );
}

describe('the network of document 003 trains as in Keras', () => {
  const before = executor.countTensors();
  afterAll(() => {
    expect(executor.countTensors()).toBe(before);
  });

  for (const one of index.cases) {
    it(`${one.name}: ${steps} losses and the final weights`, () => {
      const { losses, weights } = train(one, 'float32');
      const expected = read(one.losses);
      expectClose({ shape: [steps], data: losses }, expected, 1e-4, 1e-6, 'losses');
      weights.forEach((weight, position) => {
        const path = index.weights[position]?.path ?? '';
        const norm = Math.hypot(...weight);
        const wanted = one.norms[position] ?? Number.NaN;
        expect(Math.abs(norm - wanted), `norm of ${path}`).toBeLessThan(1e-4 * wanted);
        const place = one.probes[position];
        if (place === undefined) throw new Error(`There are no values of ${path}.`);
        const count = place.shape[0] ?? 0;
        const probes = Float32Array.from(
          { length: count },
          (_, probe) => weight[Math.trunc((probe * (weight.length - 1)) / (count - 1))] ?? Number.NaN,
        );
        expectClose({ shape: [count], data: probes }, read(place), 1e-3, 1e-4, path);
      });
    });
  }

  it('mixed_bfloat16 follows the float32 losses within rounding', () => {
    const one = index.cases.find(({ name }) => name === 'SGD nesterov');
    if (one === undefined) throw new Error('There is no such case.');
    const { losses } = train(one, 'mixed_bfloat16');
    expect(largestDeviation(losses, read(one.losses).data)).toBeLessThan(0.02);
  });
});
