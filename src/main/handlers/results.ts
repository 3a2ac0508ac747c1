import type { HandlersOf } from '../../shared/contract/api.ts';
import type { resultMethods } from '../../shared/contract/methods/results.ts';
import type { ResultsService } from '../services/results.ts';

export function createResultsHandlers(results: ResultsService): HandlersOf<typeof resultMethods> {
  return {
    'results.show': (request, { signal }) => results.show(request, signal),
    'results.predictions': (request, { signal }) => results.predictions(request, signal),
    'results.try': (request, { signal }) => results.tryPictures(request, signal),
  };
}
