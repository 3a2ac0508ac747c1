// From what a person asked for to runs that can be queued: recipe, settings, dataset and counts are settled and checked before anything
// is written, so that a recipe that cannot work never becomes a run.
import { randomInt } from 'node:crypto';
import type { RunRequest } from '../../shared/contract/methods/runs.ts';
import type { DatasetAnswer } from '../../shared/contract/answers.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Recipe, RunId } from '../../shared/contract/schema.ts';
import { applySetting, chooseSplit, requireRecipe } from '../../shared/domain/recipe.ts';
import type { PlannedPhase } from '../db/phases.ts';
import type { NewRun } from '../db/runs.ts';
import type { DatasetService } from './datasets.ts';
import { settleWeights } from './baseWeights.ts';
import type { RecipeService } from './recipes.ts';
import type { WeightsService } from './weights.ts';

export interface PlannedRuns {
  readonly group: string | null;
  readonly runs: readonly NewRun[];
  readonly phases: readonly PlannedPhase[];
}

export interface RunSources {
  readonly recipes: RecipeService;
  readonly datasets: DatasetService;
  readonly weights: WeightsService;
}

/** Throws `bad_recipe`, `bad_usage`, `dataset_missing` or `weights_missing` with what to change. */
export function planRuns(request: RunRequest, sources: RunSources): PlannedRuns {
  const { recipes, datasets, weights } = sources;
  const chosen = chooseProtocol(recipes.read(request.recipe), request.protocol);
  const set = request.settings.reduce((recipe, { path, json }) => applySetting(recipe, path, json), chosen);
  const dataset = chooseDataset(set, request.datasetId, datasets);
  const recipe = settleWeights(request.datasetId === null ? set : withDataset(set, dataset), request.weights, weights);
  const facts = { classCount: dataset.classes.length, split: chooseSplit(recipe, dataset.id) };
  const { phases } = requireRecipe(recipe, { ...facts, shape: dataset.shape });
  const seeds = request.seeds ?? [recipe.seed];
  if (new Set(seeds).size !== seeds.length) {
    throw new LabError('bad_usage', 'A seed is given twice.', {
      expected: 'different seeds',
      received: seeds.join(', '),
      help: 'Runs with the same seed would be equal.',
    });
  }
  const createdAt = new Date().toISOString();
  const group = seeds.length > 1 ? drawGroup(createdAt) : null;
  const base = { name: request.name ?? recipe.title, recipe, group, protocol: recipe.protocol, datasetId: dataset.id, createdAt };
  return {
    group,
    runs: seeds.map((seed) => ({ ...base, runId: drawId(createdAt), seed })),
    phases: phases.map(({ name, counts }, index) => ({
      name,
      plannedEpochs: recipe.phases[index]?.epochs ?? 0,
      total: counts.total,
      trainable: counts.trainable,
      nonTrainable: counts.nonTrainable,
    })),
  };
}

function chooseProtocol(recipe: Recipe, protocol: RunRequest['protocol']): Recipe {
  return protocol === null ? recipe : { ...recipe, protocol };
}

/** The dataset a run would use: the wanted one, else the recipe's own, else its fallback; throws `not_found` or `dataset_missing`. */
export function chooseDataset(recipe: Recipe, wanted: string | null, datasets: DatasetService): DatasetAnswer {
  if (wanted !== null) {
    const dataset = datasets.find(wanted);
    if (dataset !== undefined) return dataset;
    throw new LabError('not_found', `There is no dataset ${JSON.stringify(wanted)}.`, { help: '`lab datasets list` shows all datasets.' });
  }
  const { id, fallback } = recipe.dataset;
  const dataset = datasets.find(id) ?? (fallback === null ? undefined : datasets.find(fallback.id));
  if (dataset !== undefined) return dataset;
  throw new LabError('dataset_missing', `The recipe ${recipe.id} needs the dataset ${id}, which is not in the workspace.`, {
    help: `Import it with \`lab datasets import PATH --name ${id}\`, or choose another one with --dataset.`,
  });
}

/** A recipe on another dataset than its own says so, which makes it complete again. */
export function withDataset(recipe: Recipe, dataset: DatasetAnswer): Recipe {
  if (dataset.id === recipe.dataset.id || dataset.id === recipe.dataset.fallback?.id) return recipe;
  const [height = 1, width = 1, channels = 1] = dataset.shape;
  const shape: Recipe['dataset']['shape'] = [height, width, channels === 3 ? 3 : 1];
  return { ...recipe, dataset: { ...recipe.dataset, id: dataset.id, classes: dataset.classes, shape, fallback: null } };
}

/** Several requests as one group; throws for the first that cannot run, before anything is written. */
export function planGroup(
  requests: readonly RunRequest[],
  sources: RunSources,
): { readonly group: string; readonly plans: readonly PlannedRuns[] } {
  const group = drawGroup(new Date().toISOString());
  const plans = requests.map((request) => planRuns(request, sources));
  return { group, plans: plans.map((plan) => ({ ...plan, group, runs: plan.runs.map((run) => ({ ...run, group })) })) };
}

function drawGroup(createdAt: string): string {
  return `g-${drawId(createdAt)}`;
}

/** Short enough to type: the day and five letters without those that are easily mistaken. */
function drawId(createdAt: string): RunId {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const day = createdAt.slice(2, 10).replaceAll('-', '');
  const tail = Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('');
  return `${day}-${tail}` as RunId;
}
