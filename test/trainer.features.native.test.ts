// Transfer learning in the trainer: a base that starts from a file, and features of its frozen layers that runs share.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../src/shared/contract/schema.ts';
import type { BaseWeights, Report, TrainCommand } from '../src/shared/contract/worker.ts';
import { featureManifestSchema } from '../src/shared/contract/featureCache.ts';
import { resolveWholeNetwork } from '../src/shared/domain/recipeNetwork.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import type { DiskSpace } from '../src/main/trainer/featureCache.ts';
import { decodeTensors, encodeTensors, type NamedTensor } from '../src/main/engine/safetensors.ts';
import { openSmallRun, openTestExecutor, smallRecipe, testCount, trainCount, type SmallRun } from './smallRun.ts';

const executor = openTestExecutor();
const sgd = { optimizer: { type: 'SGD', learningRate: 0.1 }, batchSize: 16, epochs: 2 };
const frozen = { type: 'freezeUpTo', layer: 'conv_pw_2_relu' };

/** Two blocks of a very narrow MobileNet and a head; 150 pictures of 8 x 8. */
function transferRecipe(change: Record<string, unknown> = {}): Recipe {
  return smallRecipe({
    network: {
      base: { network: 'MobileNet', alpha: 0.25, cutAt: 'conv_pw_2_relu' },
      layers: [
        { type: 'GlobalAveragePooling2D', name: 'average' },
        { type: 'Dropout', name: 'drop', rate: 0.25 },
        { type: 'Dense', name: 'answer', units: 3, activation: 'softmax' },
      ],
    },
    phases: [{ name: 'head', ...sgd, trainable: frozen }],
    ...change,
  });
}

/** Drawn values for every weight of the base. */
function drawBase(recipe: Recipe): NamedTensor[] {
  const stream = createStream(3, 'base');
  const { network } = resolveWholeNetwork(recipe, [8, 8, 1], 3);
  return network.layers
    .filter((layer) => layer.name.startsWith('conv'))
    .flatMap((layer) => layer.weights)
    .map(({ path, shape }) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return { name: path, shape, data: Float32Array.from({ length: count }, () => 0.1 + stream.uniform() * 0.4) };
    });
}

function writeBase(run: SmallRun, tensors: readonly NamedTensor[]): BaseWeights {
  const path = join(dirname(run.folder), 'base.safetensors');
  writeFileSync(path, Buffer.concat(encodeTensors(tensors)));
  return { path, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
}

const featuresOf = (run: SmallRun): string => join(dirname(run.folder), 'features');
const logs = (run: SmallRun): string[] => run.reports.flatMap((report) => (report.type === 'log' ? [report.text] : []));
const computed = (run: SmallRun): Report[] => run.reports.filter((report) => report.type === 'featuresComputed');
const results = (run: SmallRun) =>
  run.reports.flatMap((report) => (report.type === 'epochFinished' ? [report.train, report.validation] : [])).map((pair) => ({ ...pair }));
const readWeights = (file: string): Map<string, NamedTensor> =>
  new Map(decodeTensors(readFileSync(file), file).tensors.map((tensor) => [tensor.name, tensor]));

/** Another run of the same workspace: a folder of its own beside the first, the same shared features. */
async function trainAnother(run: SmallRun, name: string, change: Partial<TrainCommand> = {}): Promise<Buffer> {
  run.reports.length = 0;
  const runFolder = join(dirname(run.folder), name);
  mkdirSync(runFolder);
  await run.train({ runId: name, runFolder, ...change });
  return readFileSync(join(runFolder, 'phases', '1', 'weights.safetensors'));
}

describe('a base with weights', () => {
  it('starts from its file in the first phase and wherever weights are fresh; the head is drawn', async () => {
    const later = { ...sgd, epochs: 1, trainable: frozen };
    const recipe = transferRecipe({
      phases: [
        { name: 'all', ...sgd, epochs: 1 },
        { name: 'again', ...later, startFrom: 'fresh' },
        { name: 'on', ...later, cacheFeatures: false, startFrom: 'fresh' },
      ],
    });
    const run = await openSmallRun(executor, recipe);
    const base = drawBase(recipe);
    await run.train({ baseWeights: writeBase(run, base) });
    const [all, again, on] = [1, 2, 3].map((phase) => readWeights(join(run.folder, 'phases', String(phase), 'weights.safetensors')));
    for (const { name, data } of base) {
      expect(again?.get(name)?.data, name).toEqual(data);
      expect(on?.get(name)?.data, name).toEqual(data);
    }
    expect(all?.get('conv1/kernel')?.data).not.toEqual(again?.get('conv1/kernel')?.data);
    expect(all?.get('answer/kernel')?.data).not.toEqual(again?.get('answer/kernel')?.data);
  });

  it('is trained onwards by a phase that continues', async () => {
    const recipe = transferRecipe({
      phases: [
        { name: 'head', ...sgd, epochs: 1, trainable: frozen },
        { name: 'all', ...sgd, epochs: 1, optimizer: { type: 'SGD', learningRate: 1e-12 } },
      ],
    });
    const run = await openSmallRun(executor, recipe);
    await run.train({ baseWeights: writeBase(run, drawBase(recipe)) });
    const [head, all] = [1, 2].map((phase) => readWeights(join(run.folder, 'phases', String(phase), 'weights.safetensors')));
    expect(all?.get('answer/kernel')?.data).toEqual(head?.get('answer/kernel')?.data);
    expect(all?.get('conv1/kernel')?.data).toEqual(head?.get('conv1/kernel')?.data);
  });

  it('is refused when the file is gone, another one, incomplete or of another shape', async () => {
    const recipe = transferRecipe();
    const run = await openSmallRun(executor, recipe);
    const base = drawBase(recipe);
    const file = writeBase(run, base);
    const refuse = (baseWeights: BaseWeights) => expect(run.train({ baseWeights })).rejects;
    await refuse({ ...file, path: `${file.path}.gone` }).toMatchObject({ code: 'weights_missing' });
    await refuse({ ...file, sha256: '0'.repeat(64) }).toMatchObject({ code: 'weights_missing', received: `SHA-256 ${file.sha256}` });
    await refuse(writeBase(run, base.slice(1))).toMatchObject({
      code: 'bad_input',
      message: expect.stringContaining('conv1/kernel') as string,
      received: 'nothing of this name',
    });
    const [first, ...others] = base;
    if (first === undefined) throw new Error('The base has no weights.');
    await refuse(writeBase(run, [{ ...first, shape: [first.data.length] }, ...others])).toMatchObject({
      code: 'bad_input',
      expected: 'float32 of shape [3, 3, 1, 8]',
    });
    const numbers = { ...first, data: new Int32Array(first.data.length) };
    await refuse(writeBase(run, [numbers, ...others])).toMatchObject({ received: 'int32 of shape [3, 3, 1, 8]' });
  });
});

describe('features that runs share', () => {
  it('are computed by the first run and read by the next, which gives the same bits', async () => {
    const recipe = transferRecipe();
    const run = await openSmallRun(executor, recipe);
    const baseWeights = writeBase(run, drawBase(recipe));
    const first = await trainAnother(run, 'first', { baseWeights });
    const [report] = computed(run);
    expect(report).toMatchObject({ images: trainCount + testCount, bytes: (trainCount + testCount) * 32 * 4 });
    expect(logs(run).join()).toContain('kept for later runs');
    const expected = results(run);
    const manifests = readdirSync(featuresOf(run)).map((key) =>
      featureManifestSchema.parse(JSON.parse(readFileSync(join(featuresOf(run), key, 'manifest.json'), 'utf8'))),
    );
    expect(manifests.map(({ part, images }) => ({ part, images })).toSorted((a, b) => a.images - b.images)).toEqual([
      { part: 'validation', images: 30 },
      { part: 'test', images: testCount },
      { part: 'train', images: trainCount - 30 },
    ]);
    expect(manifests[0]).toMatchObject({
      madeBy: 'first',
      recipe: 'Small',
      base: 'MobileNet with alpha 0.25, random weights',
      dataset: 'small',
    });

    expect((await trainAnother(run, 'second', { baseWeights })).equals(first)).toBe(true);
    expect(computed(run)).toEqual([]);
    expect(logs(run)).toContain('Features of 210 pictures (0 MB) were read from the cache (made by first).');
    expect(results(run)).toEqual(expected);

    rmSync(featuresOf(run), { recursive: true });
    expect((await trainAnother(run, 'third', { baseWeights })).equals(first)).toBe(true);
    expect(computed(run)).toHaveLength(1);
  });

  it('serve another head and seed, and the same test pictures beside another split', async () => {
    const recipe = transferRecipe();
    const run = await openSmallRun(executor, recipe);
    const baseWeights = writeBase(run, drawBase(recipe));
    await trainAnother(run, 'first', { baseWeights });
    const layers = recipe.network.layers.map((layer) => (layer.type === 'Dropout' ? { ...layer, name: 'other', rate: 0.5 } : layer));
    await trainAnother(run, 'second', { baseWeights, seed: 77, recipe: { ...recipe, network: { ...recipe.network, layers } } });
    expect(computed(run)).toEqual([]);
    await trainAnother(run, 'third', { baseWeights, recipe: { ...recipe, protocol: 'sound' } });
    expect(computed(run)).toMatchObject([{ images: trainCount }]);
    expect(logs(run)).toContain(`Features of ${testCount} pictures (0 MB) were read from the cache (made by first).`);
  });

  it.each([
    [
      'other weights',
      () => ({}),
      (tensors: NamedTensor[]) => tensors.toReversed().map((tensor, index) => (index > 0 ? tensor : shifted(tensor))),
    ],
    [
      'another scaling',
      (recipe: Recipe) => ({ recipe: { ...recipe, input: { ...recipe.input, scaling: 'minusOneToOne' as const } } }),
      null,
    ],
  ])('are not taken for %s', async (_, change, changeWeights) => {
    const recipe = transferRecipe();
    const run = await openSmallRun(executor, recipe);
    const base = drawBase(recipe);
    await trainAnother(run, 'first', { baseWeights: writeBase(run, base) });
    await trainAnother(run, 'second', { ...change(recipe), baseWeights: writeBase(run, changeWeights?.(base) ?? base) });
    expect(computed(run)).toMatchObject([{ images: trainCount + testCount }]);
  });

  it('are computed again when a file was damaged', async () => {
    const recipe = transferRecipe();
    const run = await openSmallRun(executor, recipe);
    const baseWeights = writeBase(run, drawBase(recipe));
    const first = await trainAnother(run, 'first', { baseWeights });
    for (const key of readdirSync(featuresOf(run))) truncateSync(join(featuresOf(run), key, 'features.f32'), 100);
    expect((await trainAnother(run, 'second', { baseWeights })).equals(first)).toBe(true);
    expect(computed(run)).toMatchObject([{ images: trainCount + testCount }]);
  });

  it('lie on the disk when they are too large for the memory, to the same result, in a run that was stopped too', async () => {
    const recipe = transferRecipe({ phases: [{ name: 'head', ...sgd, epochs: 3, keep: 'bestValLoss', trainable: frozen }] });
    const run = await openSmallRun(executor, recipe);
    const baseWeights = writeBase(run, drawBase(recipe));
    const straight = await trainAnother(run, 'straight', { baseWeights });
    run.reports.length = 0;
    const change = { baseWeights, featureCacheBytes: 1 };
    const stop = await run.train(change, (report) => {
      if (report.type === 'epochFinished' && report.epoch === 1) run.control.receive('stop');
    });
    expect(stop).toBe('stopped');
    const checkpoints = join(run.folder, 'checkpoints');
    const newest = join(checkpoints, readdirSync(checkpoints).toSorted().at(-1) ?? '');
    // The frozen layers are not in the checkpoints: they are where the phase began.
    for (const file of ['values.safetensors', 'best.safetensors']) {
      const names = [...readWeights(join(newest, file)).keys()];
      expect(names).toContain('answer/kernel');
      expect(names.filter((name) => name.startsWith('conv'))).toEqual([]);
    }
    expect(await run.train({ ...change, resume: true })).toBe('finished');
    expect(run.readWeights(0).equals(straight)).toBe(true);
    expect(readWeights(join(run.folder, 'phases', '1', 'weights.safetensors')).has('conv1/kernel')).toBe(true);
    expect(computed(run)).toEqual([]);
  });

  it('stay with the run, in memory or on the disk, or are not made at all where the disk is full', async () => {
    const recipe = transferRecipe();
    const run = await openSmallRun(executor, recipe);
    const baseWeights = writeBase(run, drawBase(recipe));
    const train = async (featureCacheBytes: number, disk: DiskSpace): Promise<Buffer> => {
      run.reports.length = 0;
      await run.train({ baseWeights, featureCacheBytes }, undefined, { measureDisk: () => disk });
      expect(readdirSync(featuresOf(run))).toEqual([]);
      expect(readdirSync(join(dirname(run.folder), 'cache'))).toEqual([]);
      return run.readWeights(0);
    };
    const held = await train(1_000_000, { freeBytes: 0, totalBytes: 10 ** 12 });
    expect(computed(run)).toHaveLength(1);
    // A fifth of this disk is less than the features.
    expect((await train(1, { freeBytes: 10 ** 10, totalBytes: 1000 })).equals(held)).toBe(true);
    expect(computed(run)).toHaveLength(1);
    await train(1, { freeBytes: 10 ** 9, totalBytes: 10 ** 12 });
    expect(computed(run)).toEqual([]);
    expect(logs(run).join()).toContain('no room for the features');
    const shared = await trainAnother(run, 'shared', { baseWeights });
    expect(shared.equals(held)).toBe(true);
  });

  it('are not made of layers that the run itself trained, nor of augmented pictures', async () => {
    const tuned = { name: 'tuned', ...sgd, epochs: 1, trainable: frozen };
    const recipe = transferRecipe({
      phases: [
        { name: 'augmented', ...sgd, epochs: 1, trainable: frozen, augmentation: { rotationRange: 10 } },
        { name: 'all', ...sgd, epochs: 1 },
        tuned,
      ],
    });
    const run = await openSmallRun(executor, recipe);
    await run.train();
    expect(computed(run)).toMatchObject([{ phase: 2 }]);
    expect(existsSync(featuresOf(run)) ? readdirSync(featuresOf(run)) : []).toEqual([]);
  });
});

function shifted(tensor: NamedTensor): NamedTensor {
  return { ...tensor, data: tensor.data instanceof Float32Array ? tensor.data.map((value) => value + 0.01) : tensor.data };
}
