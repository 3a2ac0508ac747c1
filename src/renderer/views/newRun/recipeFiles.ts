// Recipes to and from files of the person's own machine.
import { LabError } from '../../../shared/contract/errors.ts';
import type { Recipe } from '../../../shared/contract/schema.ts';
import { readRecipeText } from '../../../shared/domain/draft/recipeText.ts';

const mostBytes = 2_000_000;

/** Throws `bad_recipe` with the first fault. */
export async function readRecipeFile(file: File): Promise<Recipe> {
  if (file.size > mostBytes) {
    throw new LabError('bad_recipe', `The file ${file.name} is too large for a recipe.`, {
      help: 'Choose a recipe file: JSON of a few kilobytes.',
    });
  }
  const { recipe, faults } = readRecipeText(await file.text());
  if (recipe !== null) return recipe;
  const [first] = faults;
  const more = faults.length > 1 ? ` There are ${faults.length - 1} more.` : '';
  throw new LabError('bad_recipe', `The file ${file.name} is no valid recipe. ${first?.place ?? ''}: ${first?.message ?? ''}${more}`, {
    help: 'Correct the file, or export a recipe to see one that is valid.',
  });
}

/** Hands the recipe to the browser as a download. */
export function saveRecipeFile(recipe: Recipe): void {
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(recipe, null, 2)}\n`], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${recipe.id}.json`;
  link.click();
  URL.revokeObjectURL(address);
}
