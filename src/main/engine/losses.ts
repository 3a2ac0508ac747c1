// keras.losses on integer labels, in float32, reduced as Keras does (sum_over_batch_size: the sum over the batch divided by its size,
// weighted or not). Softmax cross-entropy is taken from logits in one op, as Keras's TensorFlow backend does for a softmax output.
import { LabError } from '../../shared/contract/errors.ts';
import { divide, meanOver, multiply, sumOver } from './arithmetic.ts';
import { int } from './attributes.ts';
import type { Graph, Tensor } from './graph.ts';

export interface LossOptions {
  readonly type: 'categoricalCrossentropy' | 'meanSquaredError';
  readonly labelSmoothing: number;
  /** Factor of each class's pictures in the loss; null means 1. */
  readonly classWeights: readonly number[] | null;
}

/** keras.config.epsilon(). */
const smallest = 1e-7;

/** The batch's mean loss, a float32 scalar. `scores` [n, classes] are logits when `areLogits`, else the network's outputs; labels are int32 [n]. */
export function lowerLoss(graph: Graph, scores: Tensor, labels: Tensor, options: LossOptions, areLogits: boolean): Tensor {
  const losses = lowerSampleLosses(graph, scores, labels, options, areLogits);
  const weighted = options.classWeights === null ? losses : multiply(graph, losses, sampleWeights(graph, labels, options.classWeights));
  return meanOver(graph, weighted, [0]);
}

/** The loss of each picture before class weights, float32 [n]. */
export function lowerSampleLosses(graph: Graph, scores: Tensor, labels: Tensor, options: LossOptions, areLogits: boolean): Tensor {
  const classes = scores.shape.at(-1);
  if (scores.dtype !== 'float32' || typeof classes !== 'number') {
    throw new LabError('internal', 'A loss takes float32 scores with a known number of classes.', { received: scores.dtype });
  }
  if (options.type === 'meanSquaredError') {
    const outputs = areLogits ? graph.op('Softmax', [scores]) : scores;
    return meanOver(graph, graph.op('SquaredDifference', [outputs, targets(graph, labels, classes, options.labelSmoothing)]), [1]);
  }
  if (!areLogits) return crossEntropyOfProbabilities(graph, scores, targets(graph, labels, classes, options.labelSmoothing));
  if (options.labelSmoothing === 0) return graph.op('SparseSoftmaxCrossEntropyWithLogits', [scores, labels]);
  return graph.op('SoftmaxCrossEntropyWithLogits', [scores, targets(graph, labels, classes, options.labelSmoothing)]);
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
