// keras.losses on integer labels, in float32, reduced as Keras does (sum_over_batch_size: the sum over the batch divided by its size,
// weighted or not). Softmax cross-entropy is taken from logits in one op, as Keras's TensorFlow backend does for a softmax output.
import { LabError } from '../../shared/contract/errors.ts';
import { add, divide, meanOver, multiply, reshape, subtract, sumOver } from './arithmetic.ts';
import { int } from './attributes.ts';
import type { Graph, Tensor } from './graph.ts';

export interface LossOptions {
  readonly type: 'categoricalCrossentropy' | 'meanSquaredError';
  readonly labelSmoothing: number;
  /** Factor of each class's pictures in the loss; null means 1. */
  readonly classWeights: readonly number[] | null;
}

/** int32 [n] and float32 [n]: row i counts as `shares[i]` of its own label and 1 - `shares[i]` of another. */
export interface LabelMix {
  readonly labels: Tensor;
  readonly shares: Tensor;
}

export interface LossTarget {
  readonly labels: Tensor;
  /** null where every picture has one label. */
  readonly mix: LabelMix | null;
}

/** keras.config.epsilon(). */
const smallest = 1e-7;

/** The batch's mean loss, a float32 scalar. `scores` [n, classes] are logits when `areLogits`, else the network's outputs; labels are int32 [n]. */
export function lowerLoss(graph: Graph, scores: Tensor, labels: Tensor, options: LossOptions, areLogits: boolean): Tensor {
  const losses = lowerSampleLosses(graph, scores, labels, options, areLogits);
  const weighted = options.classWeights === null ? losses : multiply(graph, losses, sampleWeights(graph, labels, options.classWeights));
  return meanOver(graph, weighted, [0]);
}

/**
 * The batch's mean loss where pictures have two labels, equal to Keras's on the mixed rows of `share * own + (1 - share) * other`.
 *
 * Cross-entropy is linear in its target, and smoothing leaves the sum of a row as it is, so each label's smoothed loss counts by its share,
 * with the weight of its own class: a weight says what an error in that class costs, however pictures are mixed. The squared error is not
 * linear, so there the rows are mixed, and a picture has the mixed weight of its two classes.
 */
export function lowerMixedLoss(
  graph: Graph,
  scores: Tensor,
  { labels, mix }: { readonly labels: Tensor; readonly mix: LabelMix },
  options: LossOptions,
  areLogits: boolean,
): Tensor {
  const blend = (own: Tensor, other: Tensor, shares: Tensor): Tensor =>
    add(graph, other, multiply(graph, shares, subtract(graph, own, other)));
  const weighted = (losses: Tensor, weights: Tensor | null): Tensor => (weights === null ? losses : multiply(graph, losses, weights));
  const weightsOf = (of: Tensor): Tensor | null => (options.classWeights === null ? null : sampleWeights(graph, of, options.classWeights));
  const [ownWeights, otherWeights] = [weightsOf(labels), weightsOf(mix.labels)];
  if (options.type === 'categoricalCrossentropy') {
    const lossOf = (of: Tensor): Tensor => lowerSampleLosses(graph, scores, of, options, areLogits);
    return meanOver(graph, blend(weighted(lossOf(labels), ownWeights), weighted(lossOf(mix.labels), otherWeights), mix.shares), [0]);
  }
  const classes = countClasses(scores);
  const rowsOf = (of: Tensor): Tensor => targets(graph, of, classes, options.labelSmoothing);
  const rows = blend(rowsOf(labels), rowsOf(mix.labels), reshape(graph, mix.shares, [null, 1]));
  const weights = ownWeights === null || otherWeights === null ? null : blend(ownWeights, otherWeights, mix.shares);
  return meanOver(graph, weighted(squaredErrors(graph, scores, rows, areLogits), weights), [0]);
}

/** The label that a right answer has to name: the one with the larger share, its own when both are equal. */
export function mainLabels(graph: Graph, { labels, mix }: LossTarget): Tensor {
  if (mix === null) return labels;
  return graph.op('SelectV2', [graph.op('Less', [mix.shares, graph.constant(0.5, 'float32')]), mix.labels, labels]);
}

/** The loss of each picture before class weights, float32 [n]. */
export function lowerSampleLosses(graph: Graph, scores: Tensor, labels: Tensor, options: LossOptions, areLogits: boolean): Tensor {
  const classes = countClasses(scores);
  if (options.type === 'meanSquaredError') {
    return squaredErrors(graph, scores, targets(graph, labels, classes, options.labelSmoothing), areLogits);
  }
  if (!areLogits) return crossEntropyOfProbabilities(graph, scores, targets(graph, labels, classes, options.labelSmoothing));
  if (options.labelSmoothing === 0) return graph.op('SparseSoftmaxCrossEntropyWithLogits', [scores, labels]);
  return graph.op('SoftmaxCrossEntropyWithLogits', [scores, targets(graph, labels, classes, options.labelSmoothing)]);
}

function countClasses(scores: Tensor): number {
  const classes = scores.shape.at(-1);
  if (scores.dtype === 'float32' && typeof classes === 'number') return classes;
  throw new LabError('internal', 'A loss takes float32 scores with a known number of classes.', { received: scores.dtype });
}

function squaredErrors(graph: Graph, scores: Tensor, rows: Tensor, areLogits: boolean): Tensor {
  const outputs = areLogits ? graph.op('Softmax', [scores]) : scores;
  return meanOver(graph, graph.op('SquaredDifference', [outputs, rows]), [1]);
}

/**
 * Keras's path for outputs that are not a softmax: normalised to sum 1, then clipped, so the gradient vanishes at the limits.
 *
 * One deviation: Keras 3.15 remembers the logits of a sigmoid output (`_keras_logits`) and takes them for those of a softmax. Here the loss
 * is always that of the outputs.
 */
function crossEntropyOfProbabilities(graph: Graph, outputs: Tensor, target: Tensor): Tensor {
  const normalized = divide(graph, outputs, sumOver(graph, outputs, [1], true));
  const above = graph.op('Maximum', [
    graph.op('Minimum', [normalized, graph.constant(1 - smallest, 'float32')]),
    graph.constant(smallest, 'float32'),
  ]);
  return graph.op('Neg', [sumOver(graph, multiply(graph, target, graph.op('Log', [above])), [1])]);
}

/** One-hot rows; smoothing moves `smoothing` of each row's mass evenly to all classes. */
function targets(graph: Graph, labels: Tensor, classes: number, smoothing: number): Tensor {
  const low = smoothing / classes;
  const values = [1 - smoothing + low, low].map((value) => graph.constant(value, 'float32'));
  return graph.op('OneHot', [labels, graph.constant(classes, 'int32'), ...values], { axis: int(-1) });
}

function sampleWeights(graph: Graph, labels: Tensor, weights: readonly number[]): Tensor {
  const table = graph.constant(Float32Array.from(weights), 'float32', [weights.length]);
  return graph.op('GatherV2', [table, labels, graph.constant(0, 'int32')]);
}
