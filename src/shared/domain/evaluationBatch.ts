// How many pictures go through a network at once where no gradients are taken: evaluation, features of frozen layers, predictions.
import type { LayerShape, ResolvedNetwork } from './networkTypes.ts';

/** Larger batches gain nothing. */
const most = 500;
/** Without gradients about two layers' outputs are alive at once; these two are the largest of the network, in float32. */
const liveBytes = 2 ** 28;
/** What is fed lies in two buffers of the trainer and once in the library. */
const fedBytes = 2 ** 25;

/** At least 1; with a prefix, for rows of its features through the layers behind it. No result depends on it beyond rounding. */
export function chooseEvaluationBatch(network: ResolvedNetwork, prefixLength = 0): number {
  const entering = network.layers[prefixLength - 1]?.outputShape ?? network.inputShape;
  const outputs = network.layers.slice(prefixLength).map((layer) => countBytes(layer.outputShape));
  const [largest = 0, second = 0] = [countBytes(entering), ...outputs].sort((a, b) => b - a);
  return Math.max(1, Math.min(most, Math.floor(liveBytes / (largest + second)), Math.floor(fedBytes / countBytes(entering))));
}

function countBytes(shape: LayerShape): number {
  return shape.reduce((product, size) => product * size, 4);
}
