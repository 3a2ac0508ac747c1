// The editor's stores over the real core: what a person starts here is what the command line would start.
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { CoreOptions } from '../../src/main/core.ts';
import { useDraftStore } from '../../src/renderer/stores/draft.ts';
import { useRecipesStore } from '../../src/renderer/stores/recipes.ts';
import type { RunId } from '../../src/shared/contract/schema.ts';
import { addPhase } from '../../src/shared/domain/draft/phases.ts';
import { applySetting } from '../../src/shared/domain/recipe.ts';
import { fakePrograms, makeFolder, openLab, script, transferRecipe, type Lab } from '../lab.ts';
import { openPage } from './page.ts';

const patience = { timeout: 20_000 };

async function openEditor(changed: Partial<CoreOptions> = {}) {
  const lab = await openLab(makeFolder(), changed);
  const page = openPage(() => lab.core);
  const store = page.use(useDraftStore);
  await vi.waitFor(() => expect(store.datasets?.length).toBeGreaterThan(0), patience);
  return { lab, page, store };
}

async function showRun(lab: Lab, run: RunId | null) {
  return lab.client.call('runs.show', { run: run ?? '' });
}

describe('the draft', () => {
  it('starts an unchanged template as the command line does', async () => {
    const { lab, store } = await openEditor();
    await store.openTemplate(transferRecipe.id);
    expect(store.result?.ok).toBe(true);
    const ours = await showRun(lab, await store.start());
    const { runs } = await lab.client.call('runs.create', { recipe: transferRecipe });
    const theirs = await showRun(lab, runs[0]?.runId ?? null);
    for (const key of ['recipe', 'name', 'recipeId', 'seed', 'protocol', 'group'] as const) expect(ours[key]).toEqual(theirs[key]);
    expect(ours.dataset.id).toBe(theirs.dataset.id);
  });

  it('starts a changed recipe with its content, one run per seed', async () => {
    const { lab, store } = await openEditor();
    await store.openTemplate(transferRecipe.id);
    store.setPlace(['description'], JSON.parse(script({ steps: 1 }).json) as string);
    store.setPlace(['phases', 1, 'epochs'], 2);
    store.editDraft('seeds', (draft) => ({ ...draft, seeds: [4, 5] }));
    const first = await showRun(lab, await store.start());
    expect(first.recipe).toEqual(store.recipe);
    expect(first.phases.map(({ plannedEpochs }) => plannedEpochs)).toEqual([5, 2]);
    expect(first.name).toBe(`${first.recipe.title}, changed`);
    const { rows } = await lab.client.call('runs.query', { filters: [{ field: 'group', operator: '=', value: first.group ?? '' }] });
    expect(rows.map(({ seed }) => seed).sort()).toEqual([4, 5]);
  });

  it('shows why test 3 of document 003 cannot train, and repairs it', async () => {
    const { lab, store } = await openEditor();
    await store.openTemplate('mnist-test-3');
    expect(store.dataset?.id).toBe('mnist-10k');
    expect(store.problem?.layer).toBe('max_pooling2d');
    await expect(store.start()).rejects.toMatchObject({ code: 'bad_recipe' });
    const [repair] = store.repairs;
    expect(repair?.label).toBe('Insert Flatten and Dense');
    store.editRecipe('repair', (recipe) => repair?.recipe ?? recipe);
    expect(store.problem).toBeNull();
    expect((await showRun(lab, await store.start())).phases[0]).toMatchObject({ total: 54_410, trainable: 54_410 });
  });

  it('answers the pre-flight shortly after an edit', async () => {
    const importer = join(import.meta.dirname, '../../src/main/importer.ts');
    const { store } = await openEditor({ programs: { ...fakePrograms, importer } });
    await store.openTemplate(transferRecipe.id);
    await vi.waitFor(() => expect(store.preflight?.phases[0]).toMatchObject({ train: 30_000, stepsPerEpoch: 235 }), patience);
    store.setPlace(['phases', 0, 'batchSize'], 100);
    expect(store.isPreflightOld).toBe(true);
    await vi.waitFor(() => expect(store.preflight?.phases[0]?.stepsPerEpoch).toBe(300), patience);
    expect(store.isPreflightOld).toBe(false);
  }, 30_000);

  it('undoes and redoes edits; typing in one field is one edit', async () => {
    const { store } = await openEditor();
    await store.openTemplate(transferRecipe.id);
    const original = store.recipe;
    for (const epochs of [1, 12, 120]) store.setPlace(['phases', 0, 'epochs'], epochs);
    store.editRecipe('add phase', (recipe) => addPhase(recipe, 1));
    store.undo();
    expect(store.recipe?.phases.map(({ epochs }) => epochs)).toEqual([120, 5]);
    store.undo();
    expect(store.recipe).toBe(original);
    expect([store.canUndo, store.canRedo, store.isEdited]).toEqual([false, true, false]);
    store.redo();
    store.redo();
    expect(store.recipe?.phases).toHaveLength(3);
    store.reset();
    expect(store.recipe).toBe(original);
    store.undo();
    expect(store.recipe?.phases).toHaveLength(3);
  });

  it('refuses what the schema refuses and keeps the last valid recipe', async () => {
    const { store } = await openEditor();
    await store.openTemplate(transferRecipe.id);
    const original = store.recipe;
    store.setPlace(['phases', 0, 'epochs'], 0);
    expect(store.recipe).toBe(original);
    expect(store.canUndo).toBe(false);
  });

  it('begins with an earlier run as it was', async () => {
    const { lab, store } = await openEditor();
    const { runs } = await lab.client.call('runs.create', { recipe: transferRecipe, protocol: 'sound', seeds: [9] });
    const runId = runs[0]?.runId ?? '';
    expect(await store.openRun(runId.slice(0, -1))).toBe(runId);
    const again = await showRun(lab, await store.start());
    const before = await showRun(lab, runs[0]?.runId ?? null);
    expect(again).toMatchObject({ seed: 9, protocol: 'sound', name: before.name });
    expect(again.recipe).toEqual({ ...before.recipe, seed: 9 });
  });

  it('begins blank with something that can train', async () => {
    const { store } = await openEditor();
    await store.openBlank();
    expect(store.problem).toBeNull();
    expect(store.draft?.origin).toEqual({ from: 'blank' });
    expect(await store.start()).not.toBeNull();
  });

  it('says when the dataset is missing, and takes another one', async () => {
    const { store } = await openEditor();
    await store.openTemplate('cifar-cnn');
    expect(store.isDatasetMissing).toBe(true);
    store.editDraft('dataset', (draft) => ({ ...draft, datasetId: 'fashion-mnist' }));
    expect(store.isDatasetMissing).toBe(false);
    expect(store.result?.resolved.network.inputShape).toEqual([28, 28, 1]);
    expect(store.classNames).toContain('Sneaker');
  });
});

describe('the templates', () => {
  it('are listed with their parameters and whether they can work', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useRecipesStore);
    await store.loadTemplates();
    const found = store.templates?.find(({ recipe }) => recipe.id === transferRecipe.id);
    expect(found).toMatchObject({ total: 600_165, isBroken: false });
    expect(store.templates?.filter(({ isBroken }) => isBroken).map(({ recipe }) => recipe.id)).toEqual(['mnist-test-3']);
    expect(found?.recipe).toEqual(applySetting(await lab.client.call('recipes.show', { id: transferRecipe.id }), 'seed', '1'));
  });

  it('stand beside earlier runs, newest first', async () => {
    const lab = await openLab();
    for (const name of ['first', 'second']) await lab.client.call('runs.create', { recipe: transferRecipe, name });
    const store = openPage(() => lab.core).use(useRecipesStore);
    await store.findRuns('');
    expect(store.earlierRuns?.map(({ name }) => name)).toEqual(['second', 'first']);
    await store.findRuns('firs');
    expect(store.earlierRuns?.map(({ name }) => name)).toEqual(['first']);
  });
});
