// Resolved Keras layer -> graph ops: the one dispatch over layer types. Each family has a file of its own; shapes and weights are already
// known (domain/network), which tensor feeds what is forward.ts.
import { LabError } from '../../../shared/contract/errors.ts';
import type { ActivationName, Layer, LayerType } from '../../../shared/contract/layers.ts';
import type { ResolvedLayer, ResolvedNetwork } from '../../../shared/domain/networkTypes.ts';
import { castTo } from '../arithmetic.ts';
import type { Tensor } from '../graph.ts';
import type { LoweringContext, LoweringOptions } from './context.ts';
import { lowerConv2D, lowerDepthwiseConv2D, lowerSeparableConv2D, lowerZeroPadding2D } from './convolution.ts';
import { lowerActivationLayer, lowerDense, lowerFlatten, lowerRescaling } from './core.ts';
import { lowerAdd, lowerConcatenate } from './merging.ts';
import { lowerBatchNormalization, lowerLayerNormalization } from './normalization.ts';
import { lowerGlobalPooling, lowerPooling } from './pooling.ts';
import { lowerDropout, lowerGaussianNoise, lowerSpatialDropout } from './stochastic.ts';

export type { LoweringContext, LoweringOptions } from './context.ts';

/** The layer's output in the compute type. In inference mode it needs no seed and adds no update. */
export function lowerLayer(
  layer: ResolvedLayer,
  inputs: readonly Tensor[],
  context: LoweringContext,
  options: LoweringOptions = {},
): Tensor {
  const { graph, computeType, productType } = context;
  if (productType === computeType || !productLayers.has(layer.config.type)) return lowerInComputeType(layer, inputs, context, options);
  const widened = inputs.map((input) => castTo(graph, input, productType));
  const computeWeight = (name: string): Tensor => castTo(graph, context.computeWeight(name), productType);
  return castTo(graph, lowerInComputeType(layer, widened, { ...context, computeType: productType, computeWeight }, options), computeType);
}

/** Layers whose time goes into convolutions or matrix products. */
const productLayers: ReadonlySet<LayerType> = new Set<LayerType>(['Conv2D', 'SeparableConv2D', 'DepthwiseConv2D', 'Dense']);

function lowerInComputeType(layer: ResolvedLayer, inputs: readonly Tensor[], context: LoweringContext, options: LoweringOptions): Tensor {
  const input = inputs[0];
  if (input === undefined || inputs.length !== layer.inputs.length) {
    throw new LabError('internal', `The layer ${layer.name} got ${inputs.length} inputs.`, { expected: String(layer.inputs.length) });
  }
  const config = layer.config;
  const shared = { layer, input, inputs, context, options };
  switch (config.type) {
    case 'Conv2D':
      return lowerConv2D({ ...shared, config });
    case 'SeparableConv2D':
      return lowerSeparableConv2D({ ...shared, config });
    case 'DepthwiseConv2D':
      return lowerDepthwiseConv2D({ ...shared, config });
    case 'ZeroPadding2D':
      return lowerZeroPadding2D({ ...shared, config });
    case 'MaxPooling2D':
    case 'AveragePooling2D':
      return lowerPooling({ ...shared, config });
    case 'GlobalAveragePooling2D':
    case 'GlobalMaxPooling2D':
      return lowerGlobalPooling({ ...shared, config });
    case 'Flatten':
      return lowerFlatten({ ...shared, config });
    case 'Dense':
      return lowerDense({ ...shared, config });
    case 'Activation':
      return lowerActivationLayer({ ...shared, config });
    case 'Rescaling':
      return lowerRescaling({ ...shared, config });
    case 'Dropout':
      return lowerDropout({ ...shared, config });
    case 'SpatialDropout2D':
      return lowerSpatialDropout({ ...shared, config });
    case 'GaussianNoise':
      return lowerGaussianNoise({ ...shared, config });
    case 'BatchNormalization':
      return lowerBatchNormalization({ ...shared, config });
    case 'LayerNormalization':
      return lowerLayerNormalization({ ...shared, config });
    case 'Add':
      return lowerAdd({ ...shared, config });
    case 'Concatenate':
      return lowerConcatenate({ ...shared, config });
  }
}

/** The activation that a layer applies to its own result; linear for layers without one. */
export function outputActivation(config: Layer): ActivationName {
  return 'activation' in config ? config.activation : 'linear';
}

/** Whether the loss can be taken from logits: the output layer applies softmax to one vector per picture. */
export function endsInSoftmax(network: ResolvedNetwork): boolean {
  const last = network.layers.find((layer) => layer.name === network.output);
  return last !== undefined && last.outputShape.length === 1 && outputActivation(last.config) === 'softmax';
}
