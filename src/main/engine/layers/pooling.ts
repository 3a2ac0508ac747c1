// Windowed and global pooling, in NHWC. "same" average pooling divides by the pixels inside the picture, as Keras does.
import { integers, meanOver } from '../arithmetic.ts';
import { bool, ints } from '../attributes.ts';
import type { Tensor } from '../graph.ts';
import type { Lowering } from './context.ts';
import { windowAttributes } from './convolution.ts';

export function lowerPooling({ config, input, context: { graph } }: Lowering<'MaxPooling2D' | 'AveragePooling2D'>): Tensor {
  const attributes = { ksize: ints([1, ...config.poolSize, 1]), ...windowAttributes(config.strides ?? config.poolSize, config.padding) };
  return graph.op(config.type === 'MaxPooling2D' ? 'MaxPool' : 'AvgPool', [input], attributes);
}

export function lowerGlobalPooling({
  config,
  input,
  context: { graph },
}: Lowering<'GlobalAveragePooling2D' | 'GlobalMaxPooling2D'>): Tensor {
  if (config.type === 'GlobalAveragePooling2D') return meanOver(graph, input, [1, 2], config.keepdims);
  return graph.op('Max', [input, integers(graph, [1, 2])], { keep_dims: bool(config.keepdims) });
}
