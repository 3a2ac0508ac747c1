// What we write for Keras: the same description of every layer, in the same order, as Keras itself writes, and files that we read back.
// That Keras opens them and answers the same is checked by hand with scripts/fixtures/readExport.py.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { recipeSchema, type Recipe } from '../src/shared/contract/schema.ts';
import type { ExportWeightsCommand } from '../src/shared/contract/worker.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import { exportWeights } from '../src/main/converter/exportWeights.ts';
import { openHdf5 } from '../src/main/converter/hdf5.ts';
import { readSavedModel } from '../src/main/converter/kerasFile.ts';
import { describeModel, orderLayers } from '../src/main/converter/modelJson.ts';
import { readModelConfig } from '../src/main/converter/modelConfig.ts';
import { decodeTensors, encodeTensors, type NamedTensor } from '../src/main/engine/safetensors.ts';
import { makeFolder } from './lab.ts';
import { alpha, importFile, model, side, weightsFile } from './weightsFixture.ts';

const resolved = resolveNetwork(model.layers, model.inputShape, null);

function recipeWith(change: object): Recipe {
  return recipeSchema.parse({
    version: 1,
    id: 'small',
    title: 'Small',
    dataset: { id: 'small', classes: ['cat', 'dog', 'owl'], shape: [side, side, 3] },
    splits: { document: {}, sound: {} },
    input: { scaling: 'minusOneToOne' },
    phases: [{ name: 'full', optimizer: { type: 'Adam' }, batchSize: 16, epochs: 1 }],
    ...change,
  });
}

const mobileNet = recipeWith({
  network: {
    base: { network: 'MobileNet', alpha },
    layers: [
      { type: 'GlobalAveragePooling2D', name: 'pool' },
      { type: 'Dense', name: 'answer', units: 3, activation: 'softmax' },
    ],
  },
});

/** The weights of the fixture with a head, as a phase would have kept them. */
async function keep(change: (tensors: NamedTensor[]) => NamedTensor[] = (tensors) => tensors) {
  const { tensors } = decodeTensors(readFileSync((await importFile(weightsFile('whole.h5'))).file), 'weights');
  const features = tensors.at(-1)?.shape[0] ?? 0;
  const head: NamedTensor[] = [
    { name: 'answer/kernel', shape: [features, 3], data: new Float32Array(features * 3).map((_, index) => Math.sin(index)) },
    { name: 'answer/bias', shape: [3], data: Float32Array.of(0.1, 0.2, 0.3) },
  ];
  const bytes = Buffer.concat(encodeTensors(change([...tensors, ...head])));
  const path = join(makeFolder(), 'kept.safetensors');
  writeFileSync(path, bytes);
  return { path, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function exported(change: Partial<ExportWeightsCommand>, weights?: ExportWeightsCommand['weights']) {
  const target = join(makeFolder(), 'made.h5');
  const command: ExportWeightsCommand = {
    type: 'exportWeights',
    recipe: mobileNet,
    phase: 0,
    dataset: { shape: [side, side, 3], classes: ['cat', 'dog', 'owl'] },
    runId: '261121-abcde',
    weights: weights ?? (await keep()),
    format: 'keras-h5',
    isPacked: false,
    target,
    ...change,
  };
  return { report: await exportWeights(command), target };
}

describe('the description of a model', () => {
  test('has the layers in the order in which Keras lists them', () => {
    expect(resolved.ok).toBe(true);
    expect(orderLayers(resolved.network).map(({ name }) => name)).toEqual(model.keras.map(({ config }) => config.name));
  });

  test('says of every kind of layer what Keras says', () => {
    const { config } = describeModel(resolved.network, 'every') as { config: { layers: { class_name: string; config: object }[] } };
    const ours = config.layers.slice(1);
    expect(new Set(ours.map((layer) => layer.class_name)).size).toBeGreaterThan(18);
    for (const [index, layer] of ours.entries()) {
      const { dtype, ...options } = layer.config as { dtype: string };
      expect(dtype).toBe('float32');
      expect(model.keras[index]).toMatchObject({ class_name: layer.class_name, config: options });
    }
  });
});

describe('an exported .h5', () => {
  test('holds layers, weights and description as Keras lays them out', async () => {
    const { report, target } = await exported({});
    const bytes = readFileSync(target);
    expect(report).toEqual({ type: 'weightsExported', bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    const file = await openHdf5(bytes, 'made.h5');
    const names = file.strings('/model_weights', 'layer_names');
    expect(names?.slice(0, 4)).toEqual(['input', 'conv1', 'conv1_bn', 'conv1_relu']);
    expect(names?.at(-1)).toBe('answer');
    for (const name of names ?? []) expect(file.keys(`/model_weights/${name}`)).toBeDefined();
    const parts = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
    expect(file.strings('/model_weights/conv1_bn', 'weight_names')).toEqual(parts.map((part) => `conv1_bn/${part}`));
    expect(file.text('/', 'keras_version')).toBe('3.15.1');
    expect(file.text('/model_weights', 'backend')).toBe('tensorflow');
    const saved = readSavedModel(file, 'made.h5');
    expect(saved.layers).toHaveLength(55);
    expect(readModelConfig(saved.config ?? '', 'made.h5').get('answer')).toMatchObject({
      kind: 'Dense',
      config: { units: 3, activation: 'softmax' },
    });
    expect(JSON.parse(file.text('/', 'transfer_lab') ?? '')).toMatchObject({
      run: '261121-abcde',
      classes: ['cat', 'dog', 'owl'],
      input: { shape: [side, side, 3], scaling: 'minusOneToOne', normalize: null },
    });
    file.close();
  });

  test('is imported again as the weights it was made from', async () => {
    const first = await importFile(weightsFile('whole.h5'));
    const { target } = await exported({});
    const again = await importFile(target);
    expect(again.report.fingerprint).toBe(first.report.fingerprint);
    expect(again.report.match.unused).toEqual(['answer']);
  });

  test('is refused for weights that are not those of the network, or not those of the run', async () => {
    const short = await keep((tensors) => tensors.slice(0, -1));
    await expect(exported({}, short)).rejects.toMatchObject({ code: 'conflict', expected: '3', received: 'no such weight' });
    const other = await keep((tensors) => tensors.map((tensor) => (tensor.name === 'answer/bias' ? { ...tensor, shape: [3, 1] } : tensor)));
    await expect(exported({}, other)).rejects.toMatchObject({ code: 'conflict', received: '3x1' });
    await expect(exported({}, { ...other, sha256: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'workspace_damaged' });
  });
});

describe('an exported SavedModel', () => {
  test('is a folder without variables, or one archive with the same files', async () => {
    const weights = await keep();
    const { report, target } = await exported({ format: 'saved-model' }, weights);
    const parts = ['assets.extra/transfer-lab.json', 'saved_model.pb'];
    const listed = readdirSync(target, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(listed.map((entry) => join(entry.parentPath, entry.name).slice(target.length + 1)).sort()).toEqual(parts);
    expect(report.sha256).toBeNull();
    const packed = await exported({ format: 'saved-model', isPacked: true }, weights);
    const entries = new Map<string, Buffer>();
    const reader = extract();
    Readable.from([readFileSync(packed.target)]).pipe(reader);
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      entries.set(entry.header.name, Buffer.concat(chunks));
    }
    expect([...entries.keys()].sort()).toEqual(parts.map((part) => `saved-model/${part}`));
    for (const part of parts) expect(entries.get(`saved-model/${part}`)?.equals(readFileSync(join(target, part)))).toBe(true);
  });
});
