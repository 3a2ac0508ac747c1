// The recipe a person is editing, with everything that becomes a run: where it came from, the dataset, seeds and name.
import { z } from 'zod';
import type { CallInput } from '../../contract/api.ts';
import { recipeSchema, type Recipe } from '../../contract/schema.ts';

export const draftSchema = z.strictObject({
  origin: z.discriminatedUnion('from', [
    z.strictObject({ from: z.literal('template'), id: z.string() }),
    z.strictObject({ from: z.literal('run'), id: z.string() }),
    z.strictObject({ from: z.literal('blank') }),
    z.strictObject({ from: z.literal('file'), name: z.string() }),
  ]),
  /** As it was when editing began. */
  base: recipeSchema,
  recipe: recipeSchema,
  /** null leaves the choice between the recipe's own dataset and its fallback to the core. */
  datasetId: z.string().nullable(),
  baseDatasetId: z.string().nullable(),
  seeds: z.array(z.int().min(0).max(0x7fffffff)).min(1).max(100),
  /** Empty takes the recipe's title. */
  name: z.string().max(120),
});
export type Draft = z.infer<typeof draftSchema>;
export type DraftOrigin = Draft['origin'];

export function startDraft(origin: DraftOrigin, recipe: Recipe, datasetId: string | null = null): Draft {
  return { origin, base: recipe, recipe, datasetId, baseDatasetId: datasetId, seeds: [recipe.seed], name: '' };
}

/** Whether the recipe itself differs from what editing began with; protocol, seeds and dataset are not counted as changes of it. */
export function isRecipeChanged({ base, recipe }: Draft): boolean {
  return JSON.stringify({ ...recipe, protocol: base.protocol }) !== JSON.stringify(base);
}

/** Whether anything would be lost with this draft. */
export function isEdited(draft: Draft): boolean {
  const { base, recipe, seeds, datasetId, baseDatasetId, name } = draft;
  const isOtherwise = recipe.protocol !== base.protocol || datasetId !== baseDatasetId || name !== '';
  return isRecipeChanged(draft) || isOtherwise || seeds.length > 1 || seeds[0] !== base.seed;
}

/** What `runs.create` is asked: an unchanged template by its id, as the command line does, anything else by its content. */
export function toRunRequest(draft: Draft): CallInput<'runs.create'> {
  const { origin, base, recipe, datasetId, seeds } = draft;
  const isChanged = isRecipeChanged(draft);
  const isTemplate = origin.from === 'template' && !isChanged;
  return {
    recipe: isTemplate ? { from: 'template', id: origin.id } : { from: 'content', content: recipe },
    datasetId,
    protocol: isTemplate && recipe.protocol !== base.protocol ? recipe.protocol : null,
    seeds: seeds.length === 1 && seeds[0] === recipe.seed ? null : [...seeds],
    name: nameRun(draft, isChanged),
  };
}

/** Runs of a changed recipe must not look like those of the original in the history. */
function nameRun({ name, origin, recipe, base }: Draft, isChanged: boolean): string | null {
  const given = name.trim();
  if (given !== '') return given;
  const isSameTitle = recipe.title === base.title;
  return isChanged && isSameTitle && (origin.from === 'template' || origin.from === 'run')
    ? `${recipe.title}, changed`.slice(0, 120)
    : null;
}

/** `1, 2, 3` or `1-5` as a list; a sentence when it is none. */
export function parseSeeds(text: string): readonly number[] | string {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== '');
  if (parts.length === 0) return 'Give at least one seed.';
  const seeds: number[] = [];
  for (const part of parts) {
    const [, from, to] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part) ?? [];
    if (from === undefined) return `"${part}" is not a seed: seeds are whole numbers from 0, such as 1, 2, 3 or 1-5.`;
    const last = Number(to ?? from);
    if (last < Number(from) || last - Number(from) >= 100) return `"${part}" is not a range of at most 100 seeds.`;
    for (let seed = Number(from); seed <= last; seed += 1) seeds.push(seed);
  }
  const repeated = seeds.find((seed, index) => seeds.indexOf(seed) !== index);
  if (repeated !== undefined) return `The seed ${repeated} is given twice; runs with the same seed would be equal.`;
  if (seeds.length > 100) return 'At most 100 seeds can be started together.';
  if (seeds.some((seed) => seed > 0x7fffffff)) return 'A seed is at most 2147483647.';
  return seeds;
}
