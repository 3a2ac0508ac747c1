import type { HandlersOf } from '../../shared/contract/api.ts';
import type { recipeMethods } from '../../shared/contract/methods/recipes.ts';
import type { PlanningService } from '../services/planning.ts';
import type { RecipeService } from '../services/recipes.ts';

export interface RecipeServices {
  readonly recipes: RecipeService;
  readonly planning: PlanningService;
}

export function createRecipesHandlers({ recipes, planning }: RecipeServices): HandlersOf<typeof recipeMethods> {
  return {
    'recipes.list': () => recipes.list(),
    'recipes.show': ({ id }) => recipes.show(id),
    'recipes.parameters': ({ recipe }) => recipes.countParameters(recipe),
    'recipes.preflight': (request) => planning.preflight(request),
    'recipes.fit': (request, { signal }) => planning.fit(request, signal),
    'recipes.previewAugmentation': (request, { signal }) => planning.previewAugmentation(request, signal),
    'recipes.calibrate': (request, { signal }) => planning.calibrate(request, signal),
  };
}
