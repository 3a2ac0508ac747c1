// One rule per layer type: output shape and weights from the configuration and the input shapes, exactly as Keras 3.15 builds them.
// Owns no names and no order of layers (network.ts); a rule that cannot apply answers with what is wrong and how to repair it.
import type { Initializer, Layer, Regularizer } from '../contract/layers.ts';
import type { LayerShape, WeightSpec } from './networkTypes.ts';

export type WeightDraft = Omit<WeightSpec, 'path'>;

export type RuleResult =
  | { readonly ok: true; readonly outputShape: LayerShape; readonly weights: readonly WeightDraft[] }
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** Also finds members whose `type` is a union of several names. */
type LayerOf<T extends Layer['type']> = Layer extends infer Member
  ? Member extends { type: infer U }
    ? [U & T] extends [never]
      ? never
      : Member
    : never
  : never;
type Pair = readonly [number, number];
type Padding = 'valid' | 'same';

interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

interface Biased {
  readonly useBias: boolean;
  readonly biasInitializer: Initializer;
  readonly biasRegularizer: Regularizer | null;
}

/** Shapes are written as on the command line, `[28,28,1]`. */
export function formatShape(shape: LayerShape): string {
  return `[${shape.join(',')}]`;
}

/** `inputs` holds one shape per feeding layer, in the order of the layer's inputs. */
export function applyLayerRule(layer: Layer, inputs: readonly LayerShape[]): RuleResult {
  if (layer.type === 'Add' || layer.type === 'Concatenate') return applyMerge(layer, inputs);
  const [input] = inputs;
  if (input === undefined || inputs.length !== 1) {
    return refuse(
      `${layer.type} takes exactly one input, but ${inputs.length} are named.`,
      'Name one input, or join several with Add or Concatenate first.',
    );
  }
  switch (layer.type) {
    case 'Conv2D':
      return onPicture(layer.type, input, (picture) => applyConvolution(layer, picture));
    case 'SeparableConv2D':
      return onPicture(layer.type, input, (picture) => applySeparable(layer, picture));
    case 'DepthwiseConv2D':
      return onPicture(layer.type, input, (picture) => applyDepthwise(layer, picture));
    case 'MaxPooling2D':
    case 'AveragePooling2D':
      return onPicture(layer.type, input, (picture) => applyPooling(layer, picture));
    case 'GlobalAveragePooling2D':
    case 'GlobalMaxPooling2D':
      return onPicture(layer.type, input, ({ channels }) => accept(layer.keepdims ? [1, 1, channels] : [channels]));
    case 'ZeroPadding2D':
      return onPicture(layer.type, input, (picture) => applyZeroPadding(layer, picture));
    case 'SpatialDropout2D':
      return onPicture(layer.type, input, () => accept(input));
    case 'Flatten':
      return accept([input.reduce((product, length) => product * length, 1)]);
    case 'Dense':
      return applyDense(layer, input);
    case 'BatchNormalization':
    case 'LayerNormalization':
      return applyNormalization(layer, input);
    case 'Dropout':
    case 'GaussianNoise':
    case 'Activation':
    case 'Rescaling':
      return accept(input);
  }
}

function onPicture(type: Layer['type'], input: LayerShape, apply: (picture: Picture) => RuleResult): RuleResult {
  const [height, width, channels] = input;
  if (input.length === 3 && height !== undefined && width !== undefined && channels !== undefined)
    return apply({ height, width, channels });
  return refuse(
    `${type} needs a picture [height,width,channels], but it receives ${formatShape(input)}.`,
    `Put ${type} before the Flatten or global pooling layer, or remove it.`,
  );
}

function applyPooling(layer: LayerOf<'MaxPooling2D' | 'AveragePooling2D'>, picture: Picture): RuleResult {
  const placement = { picture, window: layer.poolSize, strides: layer.strides ?? layer.poolSize, padding: layer.padding };
  return applyWindow(placement, picture.channels, []);
}

function applyZeroPadding(layer: LayerOf<'ZeroPadding2D'>, picture: Picture): RuleResult {
  const [[top, bottom], [left, right]] = layer.padding;
  return accept([picture.height + top + bottom, picture.width + left + right, picture.channels]);
}

function applyConvolution(layer: LayerOf<'Conv2D'>, picture: Picture): RuleResult {
  const [rows, columns] = layer.kernelSize;
  if (Math.max(...layer.strides) > 1 && Math.max(...layer.dilationRate) > 1) {
    return refuse(
      `Conv2D cannot have strides [${layer.strides.join(',')}] and dilationRate [${layer.dilationRate.join(',')}] at once.`,
      'Set strides or dilationRate to 1.',
    );
  }
  const kernel = weight('kernel', [rows, columns, picture.channels, layer.filters], layer.kernelInitializer, layer.kernelRegularizer);
  const placement = { picture, window: layer.kernelSize, strides: layer.strides, padding: layer.padding, dilation: layer.dilationRate };
  return applyWindow(placement, layer.filters, [kernel, ...bias(layer, layer.filters)]);
}

function applySeparable(layer: LayerOf<'SeparableConv2D'>, picture: Picture): RuleResult {
  const [rows, columns] = layer.kernelSize;
  const between = picture.channels * layer.depthMultiplier;
  const weights = [
    weight(
      'depthwise_kernel',
      [rows, columns, picture.channels, layer.depthMultiplier],
      layer.depthwiseInitializer,
      layer.depthwiseRegularizer,
    ),
    weight('pointwise_kernel', [1, 1, between, layer.filters], layer.pointwiseInitializer, layer.pointwiseRegularizer),
    ...bias(layer, layer.filters),
  ];
  return refuseUnequalStrides(layer) ?? applyWindow({ ...layer, picture, window: layer.kernelSize }, layer.filters, weights);
}

function applyDepthwise(layer: LayerOf<'DepthwiseConv2D'>, picture: Picture): RuleResult {
  const [rows, columns] = layer.kernelSize;
  const channels = picture.channels * layer.depthMultiplier;
  const kernel = weight(
    'kernel',
    [rows, columns, picture.channels, layer.depthMultiplier],
    layer.depthwiseInitializer,
    layer.depthwiseRegularizer,
  );
  const weights = [kernel, ...bias(layer, channels)];
  return refuseUnequalStrides(layer) ?? applyWindow({ ...layer, picture, window: layer.kernelSize }, channels, weights);
}

/** TensorFlow's depthwise kernels accept only one stride for both directions. */
function refuseUnequalStrides(layer: { readonly type: string; readonly strides: Pair }): RuleResult | null {
  const [down, across] = layer.strides;
  if (down === across) return null;
  return refuse(`${layer.type} has strides [${down},${across}], but both must be equal.`, `Set strides to [${down},${down}].`);
}

interface Placement {
  readonly picture: Picture;
  readonly window: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
  readonly dilation?: Pair;
}

function applyWindow(placement: Placement, channels: number, weights: readonly WeightDraft[]): RuleResult {
  const { picture, window, strides, padding, dilation = [1, 1] } = placement;
  const height = slide(picture.height, window[0], strides[0], dilation[0], padding);
  const width = slide(picture.width, window[1], strides[1], dilation[1], padding);
  if (height > 0 && width > 0) return accept([height, width, channels], weights);
  const reach = [0, 1].map((axis) => ((window[axis] ?? 1) - 1) * (dilation[axis] ?? 1) + 1);
  return refuse(
    `Nothing would be left: a window of ${reach.join(' x ')} does not fit into the ${picture.height} x ${picture.width} picture that arrives.`,
    "Use a smaller window, padding 'same', or fewer pooling and convolution layers before this one.",
  );
}

function slide(length: number, window: number, stride: number, dilation: number, padding: Padding): number {
  if (padding === 'same') return Math.ceil(length / stride);
  return Math.floor((length - ((window - 1) * dilation + 1)) / stride) + 1;
}

function applyDense(layer: LayerOf<'Dense'>, input: LayerShape): RuleResult {
  const kernel = weight('kernel', [input.at(-1) ?? 1, layer.units], layer.kernelInitializer, layer.kernelRegularizer);
  return accept([...input.slice(0, -1), layer.units], [kernel, ...bias(layer, layer.units)]);
}

function applyNormalization(layer: LayerOf<'BatchNormalization' | 'LayerNormalization'>, input: LayerShape): RuleResult {
  const shape = [input.at(-1) ?? 1];
  const weights = [
    ...(layer.scale ? [weight('gamma', shape, layer.gammaInitializer, null)] : []),
    ...(layer.center ? [weight('beta', shape, layer.betaInitializer, null)] : []),
  ];
  if (layer.type === 'LayerNormalization') return accept(input, weights);
  const statistics = [
    weight('moving_mean', shape, layer.movingMeanInitializer, null),
    weight('moving_variance', shape, layer.movingVarianceInitializer, null),
  ].map((draft) => ({ ...draft, isOptimized: false }));
  return accept(input, [...weights, ...statistics]);
}

function applyMerge(layer: LayerOf<'Add' | 'Concatenate'>, inputs: readonly LayerShape[]): RuleResult {
  const [first = [], ...others] = inputs;
  const compared = (shape: LayerShape): string => (layer.type === 'Add' ? shape : ['*', ...shape.slice(0, -1)]).join(',');
  const different = others.find((shape) => shape.length !== first.length || compared(shape) !== compared(first));
  if (different !== undefined) {
    const rule = layer.type === 'Add' ? 'equal shapes' : 'shapes that differ only in the last number';
    return refuse(
      `${layer.type} needs inputs of ${rule}, but it receives ${inputs.map(formatShape).join(' and ')}.`,
      'Change strides, padding or filters of one branch until the shapes agree.',
    );
  }
  if (layer.type === 'Add') return accept(first);
  return accept([...first.slice(0, -1), inputs.reduce((sum, shape) => sum + (shape.at(-1) ?? 0), 0)]);
}

function weight(name: string, shape: readonly number[], initializer: Initializer, regularizer: Regularizer | null): WeightDraft {
  return { name, shape, initializer, regularizer, isOptimized: true };
}

function bias(layer: Biased, length: number): WeightDraft[] {
  return layer.useBias ? [weight('bias', [length], layer.biasInitializer, layer.biasRegularizer)] : [];
}

function accept(outputShape: LayerShape, weights: readonly WeightDraft[] = []): RuleResult {
  return { ok: true, outputShape, weights };
}

function refuse(message: string, fix: string): RuleResult {
  return { ok: false, message, fix };
}
