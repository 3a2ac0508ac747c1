import type { HandlersOf } from '../../shared/contract/api.ts';
import type { comparisonMethods } from '../../shared/contract/methods/comparison.ts';
import type { ComparisonService } from '../services/comparison.ts';

export function createComparisonHandlers(comparison: ComparisonService): HandlersOf<typeof comparisonMethods> {
  return {
    'comparison.show': (request) => comparison.show(request),
  };
}
