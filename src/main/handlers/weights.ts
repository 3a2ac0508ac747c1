import type { HandlersOf } from '../../shared/contract/api.ts';
import type { weightsMethods } from '../../shared/contract/methods/weights.ts';
import type { WeightsService } from '../services/weights.ts';

export interface WeightsServices {
  readonly weights: WeightsService;
  /** Throws while the core is closing. */
  readonly requireOpen: () => void;
}

export function createWeightsHandlers({ weights, requireOpen }: WeightsServices): HandlersOf<typeof weightsMethods> {
  return {
    'weights.list': () => weights.list(),
    'weights.import': (request, { signal }) => {
      requireOpen();
      return weights.import(request, signal);
    },
    'weights.importFile': (request, { signal }) => {
      requireOpen();
      return weights.importFile(request, signal);
    },
    'weights.remove': ({ id }) => weights.remove(id),
    'weights.export': (request, { signal }) => {
      requireOpen();
      return weights.export(request, signal);
    },
    'weights.prepareExport': (request, { signal }) => {
      requireOpen();
      return weights.prepareExport(request, signal);
    },
  };
}
