// Recipes as text that people edit and exchange: every fault with the place where it is.
import { recipeSchema, type Recipe } from '../../contract/schema.ts';
import { fieldPath } from '../../contract/validation.ts';
import { describeIssue } from './fields.ts';

export interface TextFault {
  /** As `phases[0].epochs`, or `JSON` where the text is none. */
  readonly place: string;
  readonly message: string;
}

export interface RecipeText {
  /** null when there are faults. */
  readonly recipe: Recipe | null;
  readonly faults: readonly TextFault[];
}

const mostFaults = 20;

/** The recipe that the text holds, or at most 20 reasons why it holds none. */
export function readRecipeText(text: string): RecipeText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { recipe: null, faults: [{ place: 'JSON', message: error instanceof Error ? `${error.message}.` : 'cannot be read.' }] };
  }
  const result = recipeSchema.safeParse(value);
  if (result.success) return { recipe: result.data, faults: [] };
  const faults = result.error.issues.map((issue) => ({ place: fieldPath(issue.path, 'The recipe'), message: describeIssue(issue) }));
  return { recipe: null, faults: faults.slice(0, mostFaults) };
}
