// The templates that come with the program and recipes from files: reading, showing, counting. What a recipe means is domain/recipe.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Answer } from '../../shared/contract/api.ts';
import type { RecipeSource } from '../../shared/contract/methods/recipes.ts';
import type { RecipeParameters } from '../../shared/contract/answers.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { findNearest } from '../../shared/domain/nearest.ts';
import { parseRecipe, resolveRecipe } from '../../shared/domain/recipe.ts';

export interface RecipeService {
  list(): Answer<'recipes.list'>;
  /** Throws `not_found` with the nearest ids. */
  show(id: string): Recipe;
  read(source: RecipeSource): Recipe;
  /** Never throws for a recipe that is valid but cannot work: the answer then holds the problem. */
  countParameters(source: RecipeSource): RecipeParameters;
}

export function createRecipes(resourcesFolder: string): RecipeService {
  const folder = join(resourcesFolder, 'recipes');
  const listIds = (): string[] =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .sort(byNumbers);
  const isBundled = (weights: string): boolean => existsSync(join(resourcesFolder, 'weights', `${weights}.safetensors`));
  const readTemplate = (id: string): unknown => JSON.parse(readFileSync(join(folder, `${id}.json`), 'utf8'));
  const show = (id: string): Recipe => {
    const ids = listIds();
    if (!ids.includes(id)) throw unknownTemplate(id, ids);
    return parseRecipe(readTemplate(id), `The template ${id}`);
  };
  const read = (source: RecipeSource): Recipe => (source.from === 'template' ? show(source.id) : parseRecipe(source.content, 'The recipe'));
  return {
    list: () => ({ recipes: listIds().map((id) => describeTemplate(readTemplate(id), isBundled)) }),
    show,
    read,
    countParameters: (source) => describeParameters(read(source)),
  };
}

/** What a list shows of a template; the layers of all templates would take longer to check than the list may take. */
const outlineSchema = z.object({
  id: z.string(),
  title: z.string(),
  document: z.string().nullable().default(null),
  dataset: z.object({ id: z.string() }),
  phases: z.array(z.object({ name: z.string() })),
  network: z.object({
    base: z
      .object({ weights: z.string().default('random') })
      .nullable()
      .default(null),
  }),
});

function describeTemplate(template: unknown, isBundled: (weights: string) => boolean): Answer<'recipes.list'>['recipes'][number] {
  const { id, title, document, dataset, phases, network } = outlineSchema.parse(template);
  const needsWeights = network.base !== null && network.base.weights !== 'random' && !isBundled(network.base.weights);
  return { id, title, document, dataset: dataset.id, phases: phases.map(({ name }) => name), needsWeights };
}

function describeParameters(recipe: Recipe): RecipeParameters {
  const result = resolveRecipe(recipe);
  const { network, phases } = result.resolved;
  return {
    id: recipe.id,
    phases: phases.map(({ name, counts }) => ({
      name,
      total: counts.total,
      trainable: counts.trainable,
      nonTrainable: counts.nonTrainable,
    })),
    layers: network.layers.map((layer, index) => ({
      name: layer.name,
      type: layer.config.type,
      inputShape: [...(layer.inputShapes[0] ?? network.inputShape)],
      outputShape: [...layer.outputShape],
      params: layer.parameters,
      trainableParams: phases.map((phase) => phase.counts.layers[index]?.trainable ?? 0),
    })),
    ...(result.ok ? {} : { problem: { ...result.problem } }),
  };
}

function byNumbers(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function unknownTemplate(id: string, ids: readonly string[]): LabError {
  const near = findNearest(id, ids);
  return new LabError('not_found', `There is no recipe template ${JSON.stringify(id)}.`, {
    expected: near.length > 0 ? `for example ${near.join(', ')}` : 'the id of a template or the path of a recipe file',
    help: '`lab recipes list` shows all templates.',
  });
}
