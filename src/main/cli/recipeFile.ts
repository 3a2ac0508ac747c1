import { existsSync, readFileSync, statSync } from 'node:fs';
import type { RecipeSource } from '../../shared/contract/methods/recipes.ts';
import { LabError } from '../../shared/contract/errors.ts';

const longestRecipeBytes = 512 * 1024;

/** A template id has no dot and no slash; anything else is the path of a recipe file, read here because the core takes no paths. */
export function readRecipeSource(argument: string): RecipeSource {
  const looksLikeFile = /[./\\]/.test(argument) || existsSync(argument);
  if (!looksLikeFile) return { from: 'template', id: argument };
  const stats = statSync(argument, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) {
    throw new LabError('not_found', `There is no recipe file ${argument}.`, {
      expected: 'the path of a JSON file, or the id of a template',
      help: '`lab recipes list` shows all templates.',
    });
  }
  if (stats.size > longestRecipeBytes) {
    throw new LabError('bad_input', `The recipe file ${argument} is too long.`, {
      expected: `at most ${longestRecipeBytes} bytes`,
      received: `${stats.size} bytes`,
      help: 'A recipe is a JSON file like those that `lab recipes show` prints.',
    });
  }
  try {
    return { from: 'content', content: JSON.parse(readFileSync(argument, 'utf8')) };
  } catch (error) {
    throw new LabError('bad_recipe', `The recipe file ${argument} is not JSON.`, {
      expected: 'a JSON file like those that `lab recipes show` prints',
      received: error instanceof Error ? error.message : String(error),
      help: 'Correct the file at this place and try again.',
      cause: error,
    });
  }
}
