// A recipe together with the dataset it will run on: which one that is, what it changes, and where the split that applies stands.
import type { DatasetAnswer } from '../../contract/answers.ts';
import type { Recipe } from '../../contract/schema.ts';
import { chooseSplit, type DatasetFacts } from '../recipe.ts';
import type { Place } from './place.ts';

/** As the core chooses: the wanted dataset, else the recipe's own, else its fallback; undefined when none of them is there. */
export function findDataset(recipe: Recipe, wanted: string | null, datasets: readonly DatasetAnswer[]): DatasetAnswer | undefined {
  const find = (id: string | undefined): DatasetAnswer | undefined => datasets.find((dataset) => dataset.id === id);
  return wanted === null ? (find(recipe.dataset.id) ?? find(recipe.dataset.fallback?.id)) : find(wanted);
}

export function factsOf(recipe: Recipe, dataset: DatasetAnswer | undefined): DatasetFacts {
  if (dataset === undefined) return {};
  return { classCount: dataset.classes.length, shape: dataset.shape, split: chooseSplit(recipe, dataset.id) };
}

/** Where the split stands that applies to this dataset and protocol. */
export function splitPlace(recipe: Recipe, dataset: DatasetAnswer | undefined): Place {
  const { fallback } = recipe.dataset;
  const isFallback = fallback !== null && fallback.id === dataset?.id;
  return isFallback ? ['dataset', 'fallback', 'splits', recipe.protocol] : ['splits', recipe.protocol];
}
