// What a run can begin with: the templates with their sizes, and earlier runs.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import type { RunRow } from '../../shared/contract/methods/runs.ts';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { resolveRecipe } from '../../shared/domain/recipe.ts';
import { useConnection } from '../injection.ts';

export interface Template {
  readonly recipe: Recipe;
  /** Parameters of the whole network; of what works of it where the recipe cannot work. */
  readonly total: number;
  readonly isBroken: boolean;
}

const shownRuns = 100;

export const useRecipesStore = defineStore('recipes', () => {
  const connection = useConnection();
  const templates = shallowRef<readonly Template[] | null>(null);
  const earlierRuns = shallowRef<readonly RunRow[] | null>(null);
  const error = shallowRef<WireError | null>(null);
  const runsError = shallowRef<WireError | null>(null);

  const loadTemplates = async (): Promise<void> => {
    try {
      const { recipes } = await connection.call('recipes.list', {});
      const shown = await Promise.all(recipes.map(({ id }) => connection.call('recipes.show', { id })));
      templates.value = shown.map((recipe) => {
        const { ok, resolved } = resolveRecipe(recipe);
        return { recipe, total: resolved.phases[0]?.counts.total ?? 0, isBroken: !ok };
      });
      error.value = null;
    } catch (caught) {
      error.value = toWire(caught);
    }
  };
  /** Newest first; `text` is searched in name, id, recipe, notes and tags. */
  const findRuns = async (text: string): Promise<void> => {
    try {
      const { rows } = await connection.call('runs.query', { text, limit: shownRuns });
      earlierRuns.value = rows;
      runsError.value = null;
    } catch (caught) {
      runsError.value = toWire(caught);
    }
  };
  return { templates, earlierRuns, error, runsError, loadTemplates, findRuns };
});
