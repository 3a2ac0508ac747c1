// The transfer ladder and the start without weights, over the real core.
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { useDraftStore } from '../../src/renderer/stores/draft.ts';
import { useLadderStore } from '../../src/renderer/stores/draftLadder.ts';
import { useRunTableStore } from '../../src/renderer/stores/runTable.ts';
import { useWeightsStore } from '../../src/renderer/stores/weights.ts';
import { fakePrograms, makeFolder, openLab, transferRecipe } from '../lab.ts';
import { openPage } from './page.ts';

const importer = join(import.meta.dirname, '../../src/main/importer.ts');

async function openEditor() {
  const lab = await openLab(makeFolder(), { programs: { ...fakePrograms, importer } });
  const page = openPage(() => lab.core);
  const store = page.use(useDraftStore);
  await vi.waitFor(() => expect(store.datasets?.length).toBeGreaterThan(0), { timeout: 20_000 });
  return { lab, page, store };
}

describe('the ladder', () => {
  it('shows what each rung costs and starts the chosen ones with all seeds as one group', async () => {
    const { lab, page, store } = await openEditor();
    const ladder = page.use(useLadderStore);
    await store.openInstead('cifar-mobilenet-features', 'random');
    store.editDraft('dataset', (draft) => ({ ...draft, datasetId: 'fashion-mnist' }));
    store.setPlace(['input', 'size'], [32, 32]);
    expect(store.missingWeights).toBeNull();
    await ladder.open();
    expect(ladder.plans.map(({ rung }) => rung.id)).toEqual(['features', 'features-augmented', 'finetune-last', 'finetune-all']);
    const trainable = ladder.plans.map(({ preflight }) => preflight?.phases.at(-1)?.trainable);
    expect(trainable).toEqual([399_114, 399_114, expect.any(Number), 3_605_514]);
    for (const { preflight, error } of ladder.plans) expect({ error, problem: preflight?.problem }).toEqual({ error: null, problem: null });

    ladder.choose('features-augmented', false);
    ladder.choose('finetune-last', false);
    ladder.seedText = '4, 4';
    expect([ladder.runCount, ladder.seedFault]).toEqual([0, expect.stringContaining('twice')]);
    ladder.seedText = '4, 5';
    expect(ladder.runCount).toBe(4);
    const group = await ladder.start();
    const rows = await page.use(useRunTableStore).readGroup(group ?? '');
    expect(rows.map(({ name, seed, datasetId }) => [name.split(': ').at(-1), seed, datasetId]).sort()).toEqual([
      ['Features', 4, 'fashion-mnist'],
      ['Features', 5, 'fashion-mnist'],
      ['Fine-tune everything', 4, 'fashion-mnist'],
      ['Fine-tune everything', 5, 'fashion-mnist'],
    ]);
    const shown = await lab.client.call('runs.show', { run: rows[0]?.runId ?? '' });
    expect(shown.recipe.network.base).toMatchObject({ network: 'MobileNet', weights: 'random' });
  }, 60_000);

  it('can be made of document 000 and says why not of a recipe that transfers nothing', async () => {
    const { page, store } = await openEditor();
    const ladder = page.use(useLadderStore);
    await store.openTemplate(transferRecipe.id);
    expect(ladder.reason).toBeNull();
    await store.openTemplate('mnist-test-5');
    expect(ladder.reason).toContain('transfers nothing');
    await expect(ladder.open()).rejects.toMatchObject({ code: 'bad_recipe' });
  });
});

describe('a template whose weights are not there', () => {
  it('says so, and begins at random or with the weights that come with the lab', async () => {
    const { page, store } = await openEditor();
    await page.use(useWeightsStore).refresh();
    await store.openTemplate('cifar-vgg16-features');
    expect(store.missingWeights).toBe('vgg16-imagenet');
    await store.openInstead('cifar-vgg16-features', 'random');
    expect(store.missingWeights).toBeNull();
    expect(store.recipe?.network.base).toMatchObject({ network: 'VGG16', weights: 'random' });
    await store.openInstead('cifar-vgg16-features', 'EfficientNetLite0');
    expect(store.recipe?.network.base).toMatchObject({ network: 'EfficientNetLite0', weights: 'efficientnet-lite0-imagenet' });
    expect(store.recipe?.phases[0]?.trainable).toEqual({ type: 'freezeUpTo', layer: 'top_activation' });
    store.undo();
    expect(store.missingWeights).toBe('vgg16-imagenet');
  });
});
