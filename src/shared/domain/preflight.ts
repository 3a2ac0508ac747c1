// What a recipe will cost, told before anything runs: parameters, pictures, steps and memory of every phase, and the first reason why it
// cannot run. The split sizes come from the labels of the dataset, which are not read here.
import type { Preflight } from '../contract/methods/recipes.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import { findCachedPrefix } from './frozenPrefix.ts';
import { estimateMemory } from './network.ts';
import type { ResolvedNetwork } from './networkTypes.ts';
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
  const watchesTest = (facts.split ?? recipe.splits[recipe.protocol]).validation.type === 'testSet';
  const phases = recipe.phases.map((phase, index) => describePhase(phase, index, result.resolved, split.sizes?.[index], watchesTest));
  return { phases, problem: (result.ok ? null : { ...result.problem }) ?? split.problem ?? findEmptyPhase(recipe, split) };
}

function describePhase(
  phase: Phase,
  index: number,
  { network, phases }: ResolvedRecipe,
  sizes: PhaseSizes | undefined,
  watchesTest: boolean,
): Preflight['phases'][number] {
  const resolved = phases[index];
  const { train: trained = 0, validation: heldOut = 0, test = 0 } = sizes ?? {};
  const [train, validation] = phase.trainOn === 'trainAndValidation' ? [trained + heldOut, 0] : [trained, heldOut];
  const batch = sizes === undefined ? phase.batchSize : Math.min(phase.batchSize, train);
  // Pictures that are watched while training and tested afterwards are computed once.
  const pictures = train + test + (watchesTest ? 0 : validation);
  const trainableLayers = resolved?.trainableLayers ?? new Set<string>();
  const prefix = findCachedPrefix(network, phase, trainableLayers);
  const memory = estimateMemory(network, batch, phase.optimizer, trainableLayers);
  const { activations } = estimateMemory(dropLayers(network, prefix.length), batch, phase.optimizer, trainableLayers);
  return {
    name: phase.name,
    total: resolved?.counts.total ?? 0,
    trainable: resolved?.counts.trainable ?? 0,
    nonTrainable: resolved?.counts.nonTrainable ?? 0,
    train,
    validation,
    test,
    stepsPerEpoch: train === 0 ? 0 : (phase.stepsPerEpoch ?? Math.ceil(train / phase.batchSize)),
    memory: { weights: memory.weights + memory.gradients + memory.slots, activations },
    features: prefix.length === 0 ? null : pictures * prefix.shape.reduce((product, size) => product * size, 4),
  };
}

/** What is left to compute in a step when the layers before it lie in a cache. */
function dropLayers(network: ResolvedNetwork, count: number): ResolvedNetwork {
  const inputShape = network.layers[count - 1]?.outputShape ?? network.inputShape;
  return { ...network, inputShape, layers: network.layers.slice(count) };
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
