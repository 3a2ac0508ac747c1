// Layers with several inputs.
import { add } from '../arithmetic.ts';
import type { Tensor } from '../graph.ts';
import type { Lowering } from './context.ts';

export function lowerAdd({ input, inputs, context: { graph } }: Lowering<'Add' | 'Concatenate'>): Tensor {
  return inputs.slice(1).reduce((sum, next) => add(graph, sum, next), input);
}

/** Joins along the last axis (channels or features). */
export function lowerConcatenate({ input, inputs, context: { graph } }: Lowering<'Add' | 'Concatenate'>): Tensor {
  return graph.op('ConcatV2', [...inputs, graph.constant(input.shape.length - 1, 'int32')]);
}
