// Editing the list of phases: a phase begins as its predecessor goes on, under a name of its own.
import type { Phase, Recipe } from '../../contract/schema.ts';

export const mostPhases = 20;

/** A copy of the phase at `index` after it, which continues with its weights. */
export function addPhase(recipe: Recipe, index: number): Recipe {
  const model = recipe.phases[index];
  if (model === undefined || recipe.phases.length >= mostPhases) return recipe;
  const added: Phase = { ...model, name: findPhaseName(recipe), startFrom: 'previous' };
  return { ...recipe, phases: [...recipe.phases.slice(0, index + 1), added, ...recipe.phases.slice(index + 1)] };
}

/** The first of `phase 2`, `phase 3` ... that no phase is called. */
export function findPhaseName(recipe: Recipe): string {
  const taken = new Set(recipe.phases.map((phase) => phase.name));
  for (let count = recipe.phases.length + 1; ; count += 1) {
    if (!taken.has(`phase ${count}`)) return `phase ${count}`;
  }
}

/** The last phase cannot be removed: a recipe without phases trains nothing. */
export function removePhase(recipe: Recipe, index: number): Recipe {
  if (recipe.phases.length === 1) return recipe;
  return { ...recipe, phases: recipe.phases.filter((_, other) => other !== index) };
}

export function movePhase(recipe: Recipe, from: number, to: number): Recipe {
  const phases = [...recipe.phases];
  const [moved] = phases.splice(from, 1);
  if (moved === undefined || to < 0 || to > phases.length) return recipe;
  phases.splice(to, 0, moved);
  return { ...recipe, phases };
}
