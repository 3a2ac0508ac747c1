// The network of a recipe with its base, and the layers that each of its phases trains. The engine, the pages and the counts read these.
import { LabError } from '../contract/errors.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import { resolveNetwork, selectTrainableLayers, type NetworkResult } from './network.ts';
import type { LayerShape, ResolvedNetwork } from './networkTypes.ts';
import { expandLayers } from './zoo/expand.ts';

/** Names of the layers that a phase trains; those of BatchNormalization too when it asks for them. Throws as selectTrainableLayers. */
export function selectPhaseLayers(network: ResolvedNetwork, phase: Phase): ReadonlySet<string> {
  const chosen = selectTrainableLayers(network, phase.trainable);
  if (phase.frozenBatchNormalization !== 'trained') return chosen;
  const normalizations = network.layers.filter(({ config }) => config.type === 'BatchNormalization').map(({ name }) => name);
  return new Set([...chosen, ...normalizations]);
}

/** The factor of each layer that an entry of the phase covers; the others learn at the whole rate. Names that do not exist cover nothing. */
export function selectMultipliers(network: ResolvedNetwork, phase: Phase): ReadonlyMap<string, number> {
  const names = network.layers.map(({ name }) => name);
  const ends = phase.learningRateMultipliers.map(({ upTo }) => names.indexOf(upTo) + 1);
  const covered = phase.learningRateMultipliers.map(({ multiplier }, index) =>
    names.slice(ends[index - 1] ?? 0, ends[index]).map((name) => [name, multiplier] as const),
  );
  return new Map(covered.flat());
}

/** The network of the recipe with its base; a base that cannot be cut as asked is the network's problem. */
export function resolveWholeNetwork(recipe: Recipe, inputShape: LayerShape, classCount: number | null): NetworkResult {
  try {
    return resolveNetwork(expandLayers(recipe.network), inputShape, classCount);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    const problem = { layer: 'network.base', message: error.message, fix: error.expected === undefined ? '' : `Use ${error.expected}.` };
    return { ok: false, network: { inputShape, layers: [], output: 'input' }, problem };
  }
}
