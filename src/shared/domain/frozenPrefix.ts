// Where a phase can be cut: the longest leading part of the network that is frozen and gives the same output for the same picture in
// every epoch, so that its output (the features) may be computed once. Pure; the trainer decides whether a cache is worth its bytes.
import type { Phase } from '../contract/schema.ts';
import type { ResolvedLayer, ResolvedNetwork } from './networkTypes.ts';

export interface FrozenPrefix {
  /** Number of leading layers inside the prefix; 0 when there is none. */
  readonly length: number;
  /** Shape of one feature without the batch dimension. */
  readonly shape: readonly number[];
}

/** What a phase computes once and caches; length 0 when it does not, because of augmentation or because it was told not to. */
export function findCachedPrefix(network: ResolvedNetwork, phase: Phase, trainableLayers: ReadonlySet<string>): FrozenPrefix {
  if (!phase.cacheFeatures || phase.augmentation !== null) return { length: 0, shape: network.inputShape };
  const mode = phase.frozenBatchNormalization === 'batchStatistics' ? 'batchStatistics' : 'inference';
  return findFrozenPrefix(network, trainableLayers, mode);
}

const stochastic: ReadonlySet<string> = new Set(['Dropout', 'SpatialDropout2D', 'GaussianNoise']);

/** The cut after the last layer that only frozen, deterministic layers lead to; length 0 when no layer with weights would be saved. */
export function findFrozenPrefix(
  network: ResolvedNetwork,
  trainableLayers: ReadonlySet<string>,
  frozenBatchNormalization: 'inference' | 'batchStatistics',
): FrozenPrefix {
  const isFixed = (layer: ResolvedLayer): boolean =>
    !stochastic.has(layer.config.type) &&
    (layer.weights.length === 0 || !trainableLayers.has(layer.name)) &&
    !(layer.config.type === 'BatchNormalization' && frozenBatchNormalization === 'batchStatistics');
  const firstLive = network.layers.findIndex((layer) => !isFixed(layer));
  const limit = firstLive === -1 ? network.layers.length - 1 : firstLive;
  for (let length = limit; length > 0; length -= 1) {
    const last = network.layers[length - 1];
    if (last === undefined || !isOnlyBridge(network, length)) continue;
    const hasWeights = network.layers.slice(0, length).some((layer) => layer.weights.length > 0);
    return hasWeights ? { length, shape: last.outputShape } : { length: 0, shape: network.inputShape };
  }
  return { length: 0, shape: network.inputShape };
}

/** Whether everything behind the cut reads, of all that lies before it, only the last layer before it. */
function isOnlyBridge(network: ResolvedNetwork, length: number): boolean {
  const before = new Set(['input', ...network.layers.slice(0, length - 1).map((layer) => layer.name)]);
  return network.layers.slice(length).every((layer) => layer.inputs.every((name) => !before.has(name)));
}
