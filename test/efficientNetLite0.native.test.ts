// The bundled ImageNet weights of EfficientNet-Lite0: the file itself, and what the engine computes with it against PyTorch's own outputs
// (made by scripts/fixtures/efficientNetLite0.py with the network and the file that the weights come from).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { baseSchema } from '../src/shared/contract/base.ts';
import { weightsEntrySchema } from '../src/shared/contract/methods/weights.ts';
import { inputSchema } from '../src/shared/contract/schema.ts';
import { countParameters, resolveNetwork } from '../src/shared/domain/network.ts';
import type { ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';
import { expandLayers } from '../src/shared/domain/zoo/expand.ts';
import { planFeatures } from '../src/main/engine/featurePlan.ts';
import type { HostTensor } from '../src/main/engine/executor.ts';
import { decodeTensors } from '../src/main/engine/safetensors.ts';
import { expectClose, openExecutor, openFixture, placeSchema, type Place } from './kerasFixture.ts';

const name = 'efficientNetLite0';
const folder = join(import.meta.dirname, '../resources/weights');
const file = readFileSync(join(folder, 'efficientnet-lite0-imagenet.safetensors'));
const { tensors } = decodeTensors(file, 'the bundled weights');
const entry = weightsEntrySchema.parse(JSON.parse(readFileSync(join(folder, 'efficientnet-lite0-imagenet.json'), 'utf8')));

const caseSchema = z.strictObject({
  pixels: placeSchema,
  /** Means over the places, by the last layer of a block. */
  blocks: z.record(z.string(), placeSchema),
  averages: placeSchema,
  /** Every twentieth channel of the whole feature map. */
  raw: placeSchema,
});
const { index, read } = openFixture(name, name, { cases: z.array(caseSchema) });
const pixels = readFileSync(join(import.meta.dirname, 'fixtures', name, 'pixels.bin'));
const input = inputSchema.parse({ scaling: 'none', normalize: { mean: [127, 127, 127], std: [128, 128, 128] } });
const executor = openExecutor();

/** The network cut behind a layer; null keeps all of it. */
function resolve(shape: readonly number[], cutAt: string | null): ResolvedNetwork {
  const result = resolveNetwork(expandLayers({ base: baseSchema.parse({ network: 'EfficientNetLite0', cutAt }), layers: [] }), shape, null);
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

/** [n, h, w, c] behind the layer `cutAt`, with the bundled weights. */
function compute({ offset, shape }: Place, cutAt: string | null): HostTensor {
  const network = resolve(shape.slice(1), cutAt);
  const program = planFeatures(network, network.layers.length, input, 'float32');
  const session = executor.load(program.graph);
  try {
    const values = tensors.filter((tensor) => program.assign.has(tensor.name));
    expect(values).toHaveLength(program.assign.size);
    const targets = values.flatMap((value) => program.assign.get(value.name) ?? []);
    session.prepare(
      targets.map(({ feed }) => feed),
      targets.map(({ done }) => done),
    )(values);
    const data = Uint8Array.from(pixels.subarray(offset, offset + size(shape)));
    const [features] = session.prepare([program.pixels], [program.features])([{ shape, data }]);
    if (features === undefined) throw new Error('The network returned no features.');
    return features;
  } finally {
    session.close();
  }
}

const size = (shape: readonly number[]): number => shape.reduce((product, one) => product * one, 1);

/** Over the places of each picture: [n, c]. */
function average({ shape, data }: HostTensor): HostTensor {
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  const sums = new Float64Array(count * channels);
  data.forEach((value: number, position: number) => {
    const picture = Math.floor(position / (height * width * channels));
    const target = picture * channels + (position % channels);
    sums[target] = (sums[target] ?? 0) + value;
  });
  return { shape: [count, channels], data: Float32Array.from(sums, (sum) => sum / (height * width)) };
}

function thin({ shape, data }: HostTensor): HostTensor {
  const channels = shape.at(-1) ?? 1;
  const kept = data.filter((_: number, position: number) => (position % channels) % 20 === 0);
  return { shape: [...shape.slice(0, -1), Math.ceil(channels / 20)], data: kept };
}

/** Fails unless every number lies within 1e-4 of the largest expected one; rounding alone gave 5e-6. */
function expectEqual(received: HostTensor, expected: HostTensor, what: string): void {
  const largest = Math.max(...Array.from(expected.data, Math.abs));
  expectClose(received, expected, 0, 1e-4 * largest, what);
}

describe('the bundled file', () => {
  it('is the one that its description names', () => {
    expect(createHash('sha256').update(file).digest('hex')).toBe(entry.fingerprint);
    expect(file.length).toBe(entry.bytes);
    expect(entry).toMatchObject({ id: 'efficientnet-lite0-imagenet', network: 'EfficientNetLite0', alpha: 1, verified: 'bundled' });
    expect(readFileSync(join(folder, 'efficientnet-lite0-imagenet.LICENSE.txt'), 'utf8')).toContain('Apache License');
  });

  it('holds every weight of the network in its shape, and no other', () => {
    const network = resolve([224, 224, 3], null);
    const wanted = network.layers.flatMap(({ weights }) => weights.map(({ path, shape }) => [path, shape]));
    expect(tensors.map((tensor) => [tensor.name, tensor.shape])).toEqual(wanted);
    expect(countParameters(network, new Set()).total).toBe(3_413_024);
  });
});

describe('the network with these weights', () => {
  it.each(index.cases.map((one) => ({ ...one, side: one.pixels.shape[1] })))('computes what PyTorch does at $side x $side', (one) => {
    const features = compute(one.pixels, null);
    expectEqual(average(features), read(one.averages), 'averages of the features');
    expectEqual(thin(features), read(one.raw), 'features');
    for (const [layer, place] of Object.entries(one.blocks)) expectEqual(average(compute(one.pixels, layer)), read(place), layer);
  });
});
