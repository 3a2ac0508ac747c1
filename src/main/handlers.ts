// Contract method -> one service call; no logic. One file per area of the contract, joined here.
import { LabError } from '../shared/contract/errors.ts';
import type { Handlers } from '../shared/contract/api.ts';
import { createComparisonHandlers } from './handlers/comparison.ts';
import { createCoreHandlers, type CoreServices } from './handlers/core.ts';
import { createDatasetsHandlers, type DatasetServices } from './handlers/datasets.ts';
import { createFilesHandlers } from './handlers/files.ts';
import { createRecipesHandlers, type RecipeServices } from './handlers/recipes.ts';
import { createReportsHandlers } from './handlers/reports.ts';
import { createResultsHandlers } from './handlers/results.ts';
import { createRunsHandlers, type RunServices } from './handlers/runs.ts';
import { createWeightsHandlers } from './handlers/weights.ts';
import type { ComparisonService } from './services/comparison.ts';
import type { ReportsService } from './services/reports.ts';
import type { ResultsService } from './services/results.ts';
import type { WeightsService } from './services/weights.ts';

export interface Services extends CoreServices, Omit<DatasetServices, 'requireOpen'>, RecipeServices, Omit<RunServices, 'requireOpen'> {
  readonly results: ResultsService;
  readonly comparison: ComparisonService;
  readonly reports: ReportsService;
  readonly weights: WeightsService;
  /** False while the core is closing: what is asked then belongs to the next owner. */
  readonly isOpen: () => boolean;
}

export function createHandlers(services: Services): Handlers {
  const requireOpen = (): void => {
    if (!services.isOpen()) {
      throw new LabError('workspace_busy', 'The owner of the workspace is closing.', { help: 'Run the command again.' });
    }
  };
  return {
    ...createCoreHandlers(services),
    ...createFilesHandlers(services.files),
    ...createDatasetsHandlers({ ...services, requireOpen }),
    ...createRecipesHandlers(services),
    ...createRunsHandlers({ ...services, requireOpen }),
    ...createResultsHandlers(services.results),
    ...createComparisonHandlers(services.comparison),
    ...createReportsHandlers(services.reports),
    ...createWeightsHandlers({ ...services, requireOpen }),
  };
}
