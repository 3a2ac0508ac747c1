// What a recipe will cost: the pure plan, and the sizes that the core finds for datasets that come with the program.
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { recipeSchema, splitSchema, type Recipe, type Split } from '../src/shared/contract/schema.ts';
import { planPreflight } from '../src/shared/domain/preflight.ts';
import { makeSplit, selectClasses } from '../src/shared/domain/split.ts';
import { createRecipes } from '../src/main/services/recipes.ts';
import { openStore } from '../src/main/data/store.ts';
import { fakePrograms, makeFolder, openLab, resourcesFolder, transferRecipe, type Lab } from './lab.ts';

// Processes are started and datasets unpacked here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const transfer = createRecipes(resourcesFolder).show('fashion-transfer-5to9');
const noProblem = { sizes: transfer.phases.map(() => ({ train: 300, validation: 50, test: 0 })), problem: null };

/** The core with the real importer, so that bundled datasets have their labels. */
function openRealLab(): Promise<Lab> {
  const programs = { ...fakePrograms, importer: join(import.meta.dirname, '../src/main/importer.ts') };
  return openLab(makeFolder(), { programs });
}

describe('the plan', () => {
  test('counts parameters, steps and bytes of every phase', () => {
    const { phases, problem } = planPreflight(transfer, {}, noProblem);
    expect(problem).toBeNull();
    expect(phases).toHaveLength(2);
    const [full, tuned] = phases;
    expect(full).toMatchObject({ name: 'full', total: 600_165, trainable: 600_165, nonTrainable: 0, train: 300, stepsPerEpoch: 3 });
    expect(tuned).toMatchObject({ total: 600_165, trainable: 590_597, nonTrainable: 9568, validation: 50, test: 0 });
    // Adadelta: weights, gradients and two slots in float32.
    expect(full?.memory.weights).toBe(4 * 600_165 * 4);
    expect(tuned?.memory.weights).toBe(4 * (600_165 + 3 * 590_597));
    expect(tuned?.memory.activations).toBeLessThan(full?.memory.activations ?? 0);
  });

  test('tells how large cached features will be', () => {
    const [full, tuned] = transfer.phases;
    if (full === undefined || tuned === undefined) throw new Error('The recipe has two phases.');
    const ask = (change: Partial<typeof tuned>, recipe = transfer) =>
      planPreflight({ ...recipe, phases: [full, { ...tuned, ...change }] }, {}, noProblem).phases.map(({ features }) => features);
    // The convolutions give 12 x 12 x 32 numbers per picture up to the dropout; the document watches its test pictures while it trains.
    expect(ask({})).toEqual([null, 300 * 12 * 12 * 32 * 4]);
    expect(ask({ cacheFeatures: false })).toEqual([null, null]);
    expect(ask({ augmentation: augmentationSchema.parse({ horizontalFlip: true }) })).toEqual([null, null]);
    const apart = { ...transfer.splits.document, validation: { type: 'fraction' as const, fraction: 0.1, stratified: true } };
    expect(ask({}, { ...transfer, splits: { ...transfer.splits, document: apart } })).toEqual([null, 350 * 12 * 12 * 32 * 4]);
  });

  test('needs memory for no more pictures than there are', () => {
    const few = { sizes: transfer.phases.map(() => ({ train: 64, validation: 0, test: 0 })), problem: null };
    const bytes = (sizes: typeof few): number => planPreflight(transfer, {}, sizes).phases[0]?.memory.activations ?? 0;
    expect(bytes(few) * 2).toBe(bytes(noProblem));
  });

  test('follows steps per epoch', () => {
    const phases = transfer.phases.map((phase) => ({ ...phase, stepsPerEpoch: 7 }));
    expect(planPreflight({ ...transfer, phases }, {}, noProblem).phases[0]?.stepsPerEpoch).toBe(7);
  });

  test('names the first reason why it cannot run', () => {
    const [, ...others] = transfer.network.layers;
    const layers = others.filter((layer) => layer.type !== 'Flatten');
    const split = { sizes: null, problem: { layer: null, message: 'There is no dataset.', fix: 'Import it.' } };
    const unflattened = planPreflight({ ...transfer, network: { ...transfer.network, layers } }, {}, split);
    expect(unflattened.problem?.fix).toContain('Flatten');
    expect(unflattened.phases[0]).toMatchObject({ name: 'full', train: 0, stepsPerEpoch: 0 });
    expect(planPreflight(transfer, {}, split).problem).toEqual(split.problem);
    const sizes = [
      { train: 10, validation: 0, test: 0 },
      { train: 0, validation: 0, test: 0 },
    ];
    expect(planPreflight(transfer, {}, { sizes, problem: null }).problem).toMatchObject({ layer: 'phases.1.classes' });
  });
});

/** A recipe of this split on the bundled MNIST, whose second phase uses three classes. */
function mnistRecipe(split: Split): Recipe {
  const base = createRecipes(resourcesFolder).show('mnist-test-1');
  const fallback = base.dataset.fallback === null ? null : { ...base.dataset.fallback, splits: { document: split, sound: split } };
  const layers = base.network.layers.map((layer, index, all) =>
    index === all.length - 1 && 'units' in layer ? { ...layer, units: 3 } : layer,
  );
  const [phase] = base.phases;
  const phases = [
    { ...phase, name: 'high', classes: [9, 7, 8] },
    { ...phase, name: 'low', classes: [0, 1, 2] },
  ];
  const dataset = { ...base.dataset, id: 'mnist-10k', fallback };
  return recipeSchema.parse({
    ...base,
    dataset,
    splits: { document: split, sound: split },
    network: { ...transfer.network, layers },
    phases,
  });
}

describe('the core', () => {
  test('finds the sizes of document 000', async () => {
    const { client } = await openRealLab();
    const { phases, problem } = await client.call('recipes.preflight', { recipe: transferRecipe });
    expect(problem).toBeNull();
    const sizes = { train: 30_000, validation: 5000, test: 5000, stepsPerEpoch: 235 };
    expect(phases).toMatchObject([
      { name: 'full', trainable: 600_165, ...sizes },
      { name: 'tuned', trainable: 590_597, ...sizes },
    ]);
  });

  test('finds the sizes that training would, whatever the split', async () => {
    const { client, folder } = await openRealLab();
    await client.call('datasets.show', { datasetId: 'mnist-10k' });
    const store = openStore(join(folder, 'datasets', 'mnist-10k'));
    const labels = store.readLabels();
    const splits = [
      { test: { type: 'fraction', fraction: 0.2 }, validation: { type: 'fraction', fraction: 0.1 } },
      { test: { type: 'count', count: 1234, stratified: false }, validation: { type: 'count', count: 777, position: 'random' } },
      { test: { type: 'count', count: 500 }, validation: { type: 'count', count: 1001, position: 'first' }, trainLimit: 499 },
      { test: { type: 'fraction', fraction: 0.13 }, validation: { type: 'fold', folds: 7, fold: 3 }, seed: 4 },
      { test: { type: 'fraction', fraction: 0.1 }, validation: { type: 'testSet' }, trainLimit: 100 },
      { test: { type: 'fraction', fraction: 0.1 }, validation: { type: 'none' } },
    ].map((split) => splitSchema.parse(split));
    for (const split of splits) {
      const content = mnistRecipe(split);
      const { phases, problem } = await client.call('recipes.preflight', { recipe: { from: 'content', content } });
      expect(problem).toBeNull();
      const lists = makeSplit({ labels, trainCount: 10_000, testCount: 0, classCount: 10, split });
      const count = (indices: Uint32Array, classes: number[]): number => selectClasses(indices, labels, classes).indices.length;
      const expected = [
        [9, 7, 8],
        [0, 1, 2],
      ].map((classes) => ({
        train: count(lists.train, classes),
        validation: count(lists.validation, classes),
        test: count(lists.test, classes),
      }));
      expect(phases).toMatchObject(expected);
    }
    store.close();
  });

  test('says why a recipe cannot run, and how to change that', async () => {
    const { client } = await openRealLab();
    const ask = async (content: unknown, datasetId: string | null = null) => {
      const { problem } = await client.call('recipes.preflight', { recipe: { from: 'content', content }, datasetId });
      return problem;
    };
    const elsewhere = { ...transfer, dataset: { ...transfer.dataset, id: 'nowhere' } };
    expect(await ask(elsewhere)).toMatchObject({ layer: null, message: expect.stringContaining('nowhere') as string });
    expect((await ask(elsewhere))?.fix).toContain('Import it');
    expect(await ask(transfer, 'unknown')).toMatchObject({ layer: null, fix: expect.stringContaining('datasets list') as string });
    // The bundled part of MNIST has no test pictures of its own.
    expect(await ask(transfer, 'mnist-10k')).toMatchObject({
      layer: 'splits',
      message: expect.stringContaining('test pictures') as string,
    });
    const late = { ...transfer, phases: transfer.phases.map((phase) => ({ ...phase, classes: [5, 6, 7, 8, 12] })) };
    expect(await ask(late)).toMatchObject({ layer: 'phases.0.classes' });
    const greedy = splitSchema.parse({ test: { type: 'fraction', fraction: 0.2 }, trainLimit: 9000 });
    expect(await ask(mnistRecipe(greedy))).toMatchObject({ layer: 'splits', message: expect.stringContaining('at most 8000') as string });
    await expect(ask({ title: 'no recipe' })).rejects.toMatchObject({ code: 'bad_recipe' });
  });
});
