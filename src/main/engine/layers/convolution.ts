// Conv2D, DepthwiseConv2D, SeparableConv2D and ZeroPadding2D, all in NHWC.
import { ints, text } from '../attributes.ts';
import type { Attributes, Tensor } from '../graph.ts';
import type { Lowering, LoweringContext } from './context.ts';
import { activate } from './core.ts';

type Pair = readonly [number, number];

export function lowerConv2D({ config, input, context, options }: Lowering<'Conv2D'>): Tensor {
  const attributes = windowAttributes(config.strides, config.padding, config.dilationRate);
  const convolved = context.graph.op('Conv2D', [input, context.computeWeight('kernel')], attributes);
  return activate(context, config.activation, addBias(context, convolved, config.useBias), options);
}

export function lowerDepthwiseConv2D({ config, input, context, options }: Lowering<'DepthwiseConv2D'>): Tensor {
  const convolved = convolveDepthwise(context, input, 'kernel', config);
  return activate(context, config.activation, addBias(context, convolved, config.useBias), options);
}

/** A depthwise convolution with the strides, then a pointwise one; bias and activation only at the end, as in Keras. */
export function lowerSeparableConv2D({ config, input, context, options }: Lowering<'SeparableConv2D'>): Tensor {
  const depthwise = convolveDepthwise(context, input, 'depthwise_kernel', config);
  const pointwise = context.graph.op(
    'Conv2D',
    [depthwise, context.computeWeight('pointwise_kernel')],
    windowAttributes([1, 1], 'valid', [1, 1]),
  );
  return activate(context, config.activation, addBias(context, pointwise, config.useBias), options);
}

export function lowerZeroPadding2D({ config, input, context: { graph } }: Lowering<'ZeroPadding2D'>): Tensor {
  const paddings = Int32Array.from([0, 0, ...config.padding[0], ...config.padding[1], 0, 0]);
  return graph.op('Pad', [input, graph.constant(paddings, 'int32', [4, 2])]);
}

/** strides, padding, data format and dilations as TensorFlow's windowed ops want them. */
export function windowAttributes(strides: Pair, padding: 'valid' | 'same', dilations?: Pair): Attributes {
  return {
    strides: ints([1, ...strides, 1]),
    padding: text(padding === 'same' ? 'SAME' : 'VALID'),
    data_format: text('NHWC'),
    ...(dilations === undefined ? {} : { dilations: ints([1, ...dilations, 1]) }),
  };
}

interface Window {
  readonly strides: Pair;
  readonly padding: 'valid' | 'same';
}

function convolveDepthwise(context: LoweringContext, input: Tensor, kernel: string, { strides, padding }: Window): Tensor {
  return context.graph.op('DepthwiseConv2dNative', [input, context.computeWeight(kernel)], windowAttributes(strides, padding, [1, 1]));
}

function addBias(context: LoweringContext, value: Tensor, useBias: boolean): Tensor {
  return useBias ? context.graph.op('BiasAdd', [value, context.computeWeight('bias')], { data_format: text('NHWC') }) : value;
}
