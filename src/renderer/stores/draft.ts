// The recipe being edited: one immutable draft with undo, what it means on its dataset, what it costs, and its way into the queue.
import { defineStore } from 'pinia';
import { computed, watch, type ComputedRef, type ShallowRef } from 'vue';
import type { DatasetAnswer } from '../../shared/contract/answers.ts';
import type { Recipe, RunId } from '../../shared/contract/schema.ts';
import { findMissingWeights, replaceStart, type BaseStart } from '../../shared/domain/draft/base.ts';
import { listBaseHints } from '../../shared/domain/draft/baseHints.ts';
import { createBlankRecipe } from '../../shared/domain/draft/blank.ts';
import { isEdited, startDraft, toRunRequest, type Draft, type DraftOrigin } from '../../shared/domain/draft/draft.ts';
import { listLayers } from '../../shared/domain/draft/layers.ts';
import { factsOf, findDataset, splitPlace } from '../../shared/domain/draft/onDataset.ts';
import { changeRecipe, type Place } from '../../shared/domain/draft/place.ts';
import { findRepairs } from '../../shared/domain/draft/repairs.ts';
import { resolveRecipe } from '../../shared/domain/recipe.ts';
import type { LabConnection } from '../connection.ts';
import { useConnection } from '../injection.ts';
import { useDatasetsStore } from './datasets.ts';
import { createDraftCosts } from './draft/costs.ts';
import { createDraftHistory, type DraftHistory } from './draft/history.ts';
import { useWeightsStore } from './weights.ts';

export const useDraftStore = defineStore('draft', () => {
  const connection = useConnection();
  const history = createDraftHistory();
  const costs = createDraftCosts(connection, history.draft);
  const store = useDatasetsStore();
  const weights = useWeightsStore();
  const datasets = computed(() => store.datasets);
  watch(datasets, () => costs.refresh());
  /** The one with this id, else the first. */
  const findDataset = async (id: string | null): Promise<DatasetAnswer | undefined> => {
    if (store.datasets === null) await store.refresh();
    return store.datasets?.find((dataset) => dataset.id === id) ?? store.datasets?.[0];
  };
  const opening = createOpening(connection, history, findDataset);
  const editing = createEditing(history);
  return {
    draft: history.draft,
    canUndo: history.canUndo,
    canRedo: history.canRedo,
    undo: () => history.undo(),
    redo: () => history.redo(),
    ...costs,
    datasets,
    ...describeDraft(history.draft, datasets),
    /** The id of weights that the base wants and the lab does not have; null while that is not known. */
    missingWeights: computed(() => {
      const recipe = history.draft.value?.recipe;
      return recipe === undefined || weights.weights === null ? null : findMissingWeights(recipe, weights.weights);
    }),
    ...opening,
    ...editing,
    /** Begins with a template whose weights are not there in another way; can be undone. */
    openInstead: async (id: string, start: BaseStart): Promise<void> => {
      if (weights.weights === null) await weights.refresh();
      await opening.openTemplate(id, true);
      editing.editRecipe('start', (recipe) => replaceStart(recipe, start, weights.weights ?? []));
    },
    /** Queues the runs; the first one's id. The draft stays until it is forgotten. */
    start: async (): Promise<RunId | null> => {
      const draft = history.draft.value;
      if (draft === null) return null;
      const { runs } = await connection.call('runs.create', toRunRequest(draft));
      return runs[0]?.runId ?? null;
    },
  };
});

/** What the draft means on the dataset it will run on; null or empty while there is no draft. */
function describeDraft(draft: ShallowRef<Draft | null>, datasets: ComputedRef<readonly DatasetAnswer[] | null>) {
  const recipe = computed(() => draft.value?.recipe ?? null);
  const dataset = computed(() =>
    draft.value === null ? undefined : findDataset(draft.value.recipe, draft.value.datasetId, datasets.value ?? []),
  );
  const result = computed(() => (recipe.value === null ? null : resolveRecipe(recipe.value, factsOf(recipe.value, dataset.value))));
  const network = computed(() => recipe.value?.network);
  const listed = computed(() => (network.value === undefined ? { all: [], baseCount: 0, blocks: [] } : listLayers(network.value)));
  const isDatasetMissing = computed(() => draft.value !== null && datasets.value !== null && dataset.value === undefined);
  return {
    recipe,
    dataset,
    /** Network, counts and the first problem. */
    result,
    isDatasetMissing,
    problem: computed(() => (result.value?.ok === false ? result.value.problem : null)),
    repairs: computed(() => (recipe.value === null ? [] : findRepairs(recipe.value, dataset.value))),
    /** Every layer of the network with its name, the base's first. */
    listed,
    layerNames: computed(() => listed.value.all.map(({ name }) => name)),
    baseHints: computed(() => (recipe.value === null ? [] : listBaseHints(recipe.value, dataset.value))),
    classNames: computed(() => dataset.value?.classes ?? recipe.value?.dataset.classes ?? []),
    splitPlace: computed(() => (recipe.value === null ? [] : splitPlace(recipe.value, dataset.value))),
    isEdited: computed(() => draft.value !== null && isEdited(draft.value)),
  };
}

type FindDataset = (id: string | null) => Promise<DatasetAnswer | undefined>;

function createOpening(connection: LabConnection, history: DraftHistory, findDataset: FindDataset) {
  const isRemembered = (origin: DraftOrigin): boolean => {
    const remembered = history.draft.value ?? history.recallDraft();
    if (remembered === null || JSON.stringify(remembered.origin) !== JSON.stringify(origin)) return false;
    if (history.draft.value === null) history.begin(remembered);
    return true;
  };
  return {
    /** The draft that was left behind, if it can still be read. */
    recallDraft: () => history.draft.value ?? history.recallDraft(),
    continueDraft: (draft: Draft) => history.begin(draft),
    forgetDraft: () => history.forget(),
    /** Goes on with the draft of this template where there is one, unless a fresh one is wanted. */
    openTemplate: async (id: string, isFresh = false): Promise<void> => {
      const origin = { from: 'template', id } as const;
      if (!isFresh && isRemembered(origin)) return;
      history.begin(startDraft(origin, await connection.call('recipes.show', { id })));
    },
    /** The same experiment again: recipe, dataset and seed of the run. Answers the whole id. */
    openRun: async (reference: string): Promise<string> => {
      if (isRemembered({ from: 'run', id: reference })) return reference;
      const { runId, recipe, dataset, seed, protocol } = await connection.call('runs.show', { run: reference });
      const origin = { from: 'run', id: runId } as const;
      const datasetId = dataset.id === recipe.dataset.id || !dataset.isPresent ? null : dataset.id;
      history.begin(startDraft(origin, { ...recipe, protocol, seed }, datasetId));
      return runId;
    },
    openBlank: async (datasetId: string | null = null): Promise<void> => {
      const first = await findDataset(datasetId);
      if (first !== undefined) history.begin(startDraft({ from: 'blank' }, createBlankRecipe(first)));
    },
    /** In the place of another draft it can be undone. */
    openFile: (name: string, recipe: Recipe): void => {
      const draft = startDraft({ from: 'file', name }, recipe);
      if (history.draft.value === null) history.begin(draft);
      else history.edit('import', draft);
    },
  };
}

function createEditing(history: DraftHistory) {
  const editDraft = (what: string, change: (draft: Draft) => Draft): void => {
    if (history.draft.value !== null) history.edit(what, change(history.draft.value));
  };
  return {
    editDraft,
    /** `what` names the edit for undo; the same name twice in short time is one edit. */
    editRecipe: (what: string, change: (recipe: Recipe) => Recipe): void =>
      editDraft(what, (draft) => ({ ...draft, recipe: change(draft.recipe) })),
    /** Nothing happens where the schema refuses the value: the form that asked shows why. */
    setPlace: (place: Place, value: unknown): void =>
      editDraft(place.join('.'), (draft) => {
        const recipe = changeRecipe(draft.recipe, place, value);
        return recipe === null ? draft : { ...draft, recipe };
      }),
    /** Back to what editing began with; can be undone. */
    reset: (): void => editDraft('reset', (draft) => startDraft(draft.origin, draft.base, draft.baseDatasetId)),
  };
}
