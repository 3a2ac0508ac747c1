import type { HandlersOf } from '../../shared/contract/api.ts';
import type { weightsMethods } from '../../shared/contract/methods/weights.ts';
import type { WeightsService } from '../services/weights.ts';

export function createWeightsHandlers(weights: WeightsService): HandlersOf<typeof weightsMethods> {
  return {
    'weights.list': () => weights.list(),
    'weights.import': (request, { signal }) => weights.import(request, signal),
    'weights.importFile': (request, { signal }) => weights.importFile(request, signal),
    'weights.remove': ({ id }) => weights.remove(id),
    'weights.export': (request, { signal }) => weights.export(request, signal),
    'weights.prepareExport': (request, { signal }) => weights.prepareExport(request, signal),
  };
}
