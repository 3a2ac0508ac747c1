// BatchNormalization and LayerNormalization. Statistics are float32 in every precision, as in Keras; only input and output have the
// compute type. Moving averages are updated by effects that run with the train step, never by an optimizer.
import { add, castTo, divide, meanOver, multiply, reshape, subtract } from '../arithmetic.ts';
import { bool, float, text, type } from '../attributes.ts';
import type { Graph, Tensor } from '../graph.ts';
import { outputAt } from '../ops/definition.ts';
import type { Lowering } from './context.ts';

/**
 * Keras 3's BatchNormalization on the last axis.
 *
 * Frozen layers use their moving averages, as Keras has done since 2.1.3 with TensorFlow 2 behaviour; `batchStatistics` is what earlier
 * versions did in training: normalise by the batch and leave the averages alone.
 */
export function lowerBatchNormalization(lowering: Lowering<'BatchNormalization'>): Tensor {
  const { layer, input, context } = lowering;
  const { graph } = context;
  const channels = layer.outputShape.at(-1) ?? 0;
  const isPicture = layer.outputShape.length === 3;
  const pictures = isPicture ? input : reshape(graph, input, [null, 1, 1, channels]);
  const usesBatch = context.mode === 'training' && (context.isTrainable || context.frozenBatchNormalization === 'batchStatistics');
  const normalized = usesBatch ? normalizeByBatch(lowering, pictures, channels) : normalizeByAverages(lowering, pictures, channels);
  return isPicture ? normalized : reshape(graph, normalized, [null, ...layer.outputShape]);
}

function normalizeByBatch(lowering: Lowering<'BatchNormalization'>, pictures: Tensor, channels: number): Tensor {
  const { config, context } = lowering;
  const { graph } = context;
  const nothing = graph.constant(new Float32Array(0), 'float32', [0]);
  const inputs = [pictures, scaleOf(lowering, channels), offsetOf(lowering, channels), nothing, nothing];
  const normalized = graph.op('FusedBatchNormV3', inputs, fusedAttributes(config.epsilon, true));
  if (context.isTrainable) {
    const variance = multiply(graph, outputAt(normalized.node, 2), biasCorrection(graph, pictures, channels));
    moveAverage(lowering, 'moving_mean', outputAt(normalized.node, 1));
    moveAverage(lowering, 'moving_variance', variance);
  }
  return normalized;
}

function normalizeByAverages(lowering: Lowering<'BatchNormalization'>, pictures: Tensor, channels: number): Tensor {
  const { config, context } = lowering;
  const averages = [context.weight('moving_mean'), context.weight('moving_variance')];
  const inputs = [pictures, scaleOf(lowering, channels), offsetOf(lowering, channels), ...averages];
  return context.graph.op('FusedBatchNormV3', inputs, fusedAttributes(config.epsilon, false));
}

function fusedAttributes(epsilon: number, isTraining: boolean) {
  return { epsilon: float(epsilon), exponential_avg_factor: float(1), data_format: text('NHWC'), is_training: bool(isTraining) };
}

function scaleOf({ config, context }: Lowering<'BatchNormalization'>, channels: number): Tensor {
  return config.scale ? context.weight('gamma') : context.graph.constant(new Float32Array(channels).fill(1), 'float32', [channels]);
}

function offsetOf({ config, context }: Lowering<'BatchNormalization'>, channels: number): Tensor {
  return config.center ? context.weight('beta') : context.graph.constant(new Float32Array(channels), 'float32', [channels]);
}

/** FusedBatchNormV3 returns the batch variance times n / (n - 1); Keras 3 averages the plain one, so this is (n - 1) / n. */
function biasCorrection(graph: Graph, pictures: Tensor, channels: number): Tensor {
  const elements = castTo(graph, graph.op('Size', [pictures], { out_type: type('int32') }), 'float32');
  const count = divide(graph, elements, graph.constant(channels, 'float32'));
  return divide(graph, subtract(graph, count, graph.constant(1, 'float32')), count);
}

/** average -= (average - batch) * (1 - momentum), after the last reader in this step has its value. */
function moveAverage({ config, context }: Lowering<'BatchNormalization'>, name: string, batch: Tensor): void {
  const { graph } = context;
  const difference = multiply(graph, subtract(graph, context.weight(name), batch), graph.constant(1 - config.momentum, 'float32'));
  context.addUpdate(graph.effect('AssignSubVariableOp', [context.variable(name).handle, difference]));
}

/** Normalises each last-axis vector by its own mean and variance. */
export function lowerLayerNormalization({ layer, config, input, context }: Lowering<'LayerNormalization'>): Tensor {
  const { graph } = context;
  const axis = layer.outputShape.length;
  const values = castTo(graph, input, 'float32');
  const centered = subtract(graph, values, meanOver(graph, values, [axis], true));
  const variance = meanOver(graph, graph.op('Square', [centered]), [axis], true);
  const inverse = graph.op('Rsqrt', [add(graph, variance, graph.constant(config.epsilon, 'float32'))]);
  const factor = config.scale ? multiply(graph, inverse, context.weight('gamma')) : inverse;
  const scaled = multiply(graph, centered, factor);
  return castTo(graph, config.center ? add(graph, scaled, context.weight('beta')) : scaled, context.computeType);
}
