import { LabError } from '../shared/contract/errors.ts';
import type { Handlers, Owner } from '../shared/contract/api.ts';
import type { DatasetService } from './services/datasets.ts';
import { checkHealth, type DoctorSurroundings } from './services/doctor.ts';
import type { RecipeService } from './services/recipes.ts';
import type { RunService } from './services/runs.ts';

export interface Services {
  readonly owner: Owner;
  readonly runs: RunService;
  readonly datasets: DatasetService;
  readonly recipes: RecipeService;
  readonly doctor: DoctorSurroundings;
  /** False while the core is closing: what is asked then belongs to the next owner. */
  readonly isOpen: () => boolean;
}

/** One service call per method. */
export function createHandlers({ owner, runs, datasets, recipes, doctor, isOpen }: Services): Handlers {
  const requireOpen = (): void => {
    if (!isOpen()) throw new LabError('workspace_busy', 'The owner of the workspace is closing.', { help: 'Run the command again.' });
  };
  return {
    'core.status': () => {
      const { running, queued } = runs.activity();
      return { owner, running: [...running], queued: [...queued] };
    },
    'doctor.check': ({ deep }, { signal }) => checkHealth(doctor, deep, signal),
    'datasets.list': () => datasets.list(),
    'datasets.show': ({ datasetId }, { signal }) => datasets.show(datasetId, signal),
    'datasets.import': (request, { signal }) => {
      requireOpen();
      return datasets.import(request, signal);
    },
    'datasets.remove': ({ datasetId }) => datasets.remove(datasetId),
    'recipes.list': () => recipes.list(),
    'recipes.show': ({ id }) => recipes.show(id),
    'recipes.parameters': ({ recipe }) => recipes.countParameters(recipe),
    'runs.create': (request) => {
      requireOpen();
      return runs.create(request);
    },
    'runs.list': (filter) => runs.list(filter),
    'runs.show': ({ run }) => runs.show(run),
    'runs.epochs': ({ run, offset, limit }) => runs.epochs(run, offset, limit),
    'runs.resume': ({ run }) => {
      requireOpen();
      return runs.resume(run);
    },
    'runs.pause': ({ run }, { signal }) => runs.pause(run, signal),
    'runs.stop': ({ run }, { signal }) => runs.stop(run, signal),
    'runs.delete': ({ runs: references }) => runs.trash(references),
    'runs.restore': ({ runs: references }) => runs.restore(references),
  };
}
