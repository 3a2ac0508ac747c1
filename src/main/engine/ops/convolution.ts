import { getAttribute, ints, text } from '../attributes.ts';
import type { Attributes, Dimension, OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, perInput, reject, requestedShape, requireRank, spec } from './definition.ts';
import type { Backward, Site, Slot } from './definition.ts';
import { shapeOf } from './emit.ts';
import { describeShape, readWindow, slideWindow } from './shapes.ts';

/** Convolutions over [batch, height, width, channels]; padding is SAME or VALID, explicit borders are a Pad before. */
export const convolutionOps: readonly OpDefinition[] = [
  define({
    op: 'Conv2D',
    inputs: ['T', 'T'],
    infer: (site) => inferConvolution(site, (filters) => filters),
    gradient: perInput(
      (backward) => gradientOfImages(backward, 'Conv2DBackpropInput'),
      (backward) => gradientOfFilter(backward, 'Conv2DBackpropFilter'),
    ),
  }),
  define({
    op: 'DepthwiseConv2dNative',
    inputs: ['T', 'T'],
    infer: inferDepthwise,
    gradient: perInput(
      (backward) => gradientOfImages(backward, 'DepthwiseConv2dNativeBackpropInput'),
      (backward) => gradientOfFilter(backward, 'DepthwiseConv2dNativeBackpropFilter'),
    ),
  }),
  ...['Conv2DBackpropInput', 'DepthwiseConv2dNativeBackpropInput'].map((op) => backprop(op, ['int32', 'T', 'T'], 0)),
  ...['Conv2DBackpropFilter', 'DepthwiseConv2dNativeBackpropFilter'].map((op) => backprop(op, ['T', 'int32', 'T'], 1)),
];

/** Attributes of a convolution: equal names and meaning as TensorFlow's. */
export function convolutionAttributes(
  strides: readonly [number, number],
  padding: 'SAME' | 'VALID',
  dilations: readonly [number, number] = [1, 1],
): Attributes {
  return { strides: ints([1, ...strides, 1]), padding: text(padding), dilations: ints([1, ...dilations, 1]) };
}

/** A backward op whose result has the sizes that input `sizes` gives. */
function backprop(op: string, inputs: readonly Slot[], sizes: number): OpDefinition {
  return define({ op, inputs, infer: (site) => spec(inputAt(site, 2).dtype, requestedShape(site, sizes)) });
}

function inferConvolution(site: Site, outputChannels: (filters: Dimension) => Dimension): readonly TensorSpec[] {
  const images = requireRank(site, 0, 4);
  const filter = requireRank(site, 1, 4);
  const [height, width, channels, filters] = filter.shape;
  if (typeof height !== 'number' || typeof width !== 'number' || images.shape[3] !== channels) {
    reject(site, 'its filter does not fit the channels of its input', {
      expected: `a filter for ${images.shape[3] ?? 'unknown'} channels`,
      received: `the filter ${describeShape(filter.shape)} for the input ${describeShape(images.shape)}`,
    });
  }
  return spec(images.dtype, [...slideOver(site, images, [height, width]), outputChannels(filters ?? null)]);
}

function inferDepthwise(site: Site): readonly TensorSpec[] {
  const [vertical, horizontal] = readWindow(site, 'strides');
  const dilations = readWindow(site, 'dilations');
  if (vertical !== horizontal || dilations.some((dilation) => dilation !== 1)) {
    reject(site, 'TensorFlow has no such depthwise convolution', {
      expected: 'equal strides in both directions and no dilation',
      received: `strides ${vertical} and ${horizontal}, dilations ${dilations.join(' and ')}`,
    });
  }
  const channels = requireRank(site, 1, 4).shape[2] ?? null;
  return inferConvolution(site, (multiplier) => (multiplier === null || channels === null ? null : multiplier * channels));
}

/** Batch, height and width after sliding a window over images; used by pooling too. */
export function slideOver(site: Site, images: Tensor, window: readonly [number, number]): readonly Dimension[] {
  const padding = getAttribute(site.attributes, 'padding', 'string');
  if (padding !== 'SAME' && padding !== 'VALID') {
    reject(site, 'its padding is not supported', { expected: 'SAME or VALID', received: padding });
  }
  const strides = readWindow(site, 'strides');
  const dilations = readWindow(site, 'dilations');
  const sizes = ([0, 1] as const).map((axis) =>
    slideWindow(images.shape[axis + 1] ?? null, window[axis], strides[axis], dilations[axis], padding),
  );
  if (sizes.some((size) => size !== null && size < 1)) {
    reject(site, 'its window is larger than its input', {
      expected: `a window within ${describeShape(images.shape)}`,
      received: `a window of ${window[0]}x${window[1]} with padding ${padding} and dilation ${dilations[0]}x${dilations[1]}`,
      help: 'Use a smaller window, fewer pooling layers before it, padding "same", or larger images.',
    });
  }
  return [images.shape[0] ?? null, ...sizes];
}

function copyAttributes(attributes: Attributes): Attributes {
  const names = ['strides', 'padding', 'dilations'];
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => names.includes(name)));
}

function gradientOfImages({ graph, gradient, node, input }: Backward, op: string): Tensor {
  return graph.op(op, [shapeOf(graph, input(0)), input(1), gradient], copyAttributes(node.attributes));
}

function gradientOfFilter({ graph, gradient, node, input }: Backward, op: string): Tensor {
  return graph.op(op, [input(0), shapeOf(graph, input(1)), gradient], copyAttributes(node.attributes));
}
