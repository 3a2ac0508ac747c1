// What a recipe will cost, told before anything runs: parameters, pictures, steps and memory of every phase, and the first reason why it
// cannot run. The split sizes come from the labels of the dataset, which are not read here.
import type { Preflight } from '../contract/methods/recipes.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import { estimateMemory } from './network.ts';
import { resolveRecipe, type DatasetFacts, type ResolvedRecipe } from './recipe.ts';

export interface PhaseSizes {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** Sizes of every phase, or why there are none. */
export type SplitOutcome =
  { readonly sizes: readonly PhaseSizes[]; readonly problem: null } | { readonly sizes: null; readonly problem: Preflight['problem'] };

/** A fault of the recipe comes before one of the dataset; with either, phases hold what is known. */
export function planPreflight(recipe: Recipe, facts: DatasetFacts, split: SplitOutcome): Preflight {
  const result = resolveRecipe(recipe, facts);
  const phases = recipe.phases.map((phase, index) => describePhase(phase, index, result.resolved, split.sizes?.[index]));
  return { phases, problem: (result.ok ? null : { ...result.problem }) ?? split.problem ?? findEmptyPhase(recipe, split) };
}

function describePhase(
  phase: Phase,
  index: number,
  { network, phases }: ResolvedRecipe,
  sizes: PhaseSizes | undefined,
): Preflight['phases'][number] {
  const resolved = phases[index];
  const { train = 0, validation = 0, test = 0 } = sizes ?? {};
  const batch = sizes === undefined ? phase.batchSize : Math.min(phase.batchSize, train);
  const memory = estimateMemory(network, batch, phase.optimizer, resolved?.trainableLayers ?? new Set());
  return {
    name: phase.name,
    total: resolved?.counts.total ?? 0,
    trainable: resolved?.counts.trainable ?? 0,
    nonTrainable: resolved?.counts.nonTrainable ?? 0,
    train,
    validation,
    test,
    stepsPerEpoch: train === 0 ? 0 : (phase.stepsPerEpoch ?? Math.ceil(train / phase.batchSize)),
    memory: { weights: memory.weights + memory.gradients + memory.slots, activations: memory.activations },
  };
}

function findEmptyPhase(recipe: Recipe, { sizes }: SplitOutcome): Preflight['problem'] {
  const index = sizes?.findIndex((size) => size.train === 0) ?? -1;
  const phase = recipe.phases[index];
  if (phase === undefined) return null;
  return {
    layer: `phases.${index}.classes`,
    message: `The dataset has no training picture of the classes of phase '${phase.name}'.`,
    fix: 'Choose other classes, or another dataset.',
  };
}
