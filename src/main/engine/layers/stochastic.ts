// Dropout, SpatialDropout2D and GaussianNoise: the identity in inference mode, new random numbers in every training step.
import { add, multiply } from '../arithmetic.ts';
import type { Tensor } from '../graph.ts';
import { dropoutFactors, normalNoise } from '../randomness.ts';
import type { Lowering } from './context.ts';

type DropoutType = 'Dropout' | 'SpatialDropout2D';

export function lowerDropout({ layer, config, input, context }: Lowering<DropoutType>): Tensor {
  return drop(input, config.rate, layer.outputShape, context);
}

/** Drops whole feature maps: one draw per picture and channel. */
export function lowerSpatialDropout({ layer, config, input, context }: Lowering<DropoutType>): Tensor {
  return drop(input, config.rate, [1, 1, layer.outputShape.at(-1) ?? 0], context);
}

export function lowerGaussianNoise({ config, input, context }: Lowering<'GaussianNoise'>): Tensor {
  if (context.mode === 'inference' || config.stddev === 0) return input;
  return add(context.graph, input, normalNoise(context.graph, input, config.stddev, context.randomSeed('noise')));
}

function drop(input: Tensor, rate: number, maskShape: readonly number[], context: Lowering<DropoutType>['context']): Tensor {
  if (context.mode === 'inference' || rate === 0) return input;
  const shape = { source: input, rest: maskShape };
  return multiply(context.graph, input, dropoutFactors(context.graph, shape, rate, context.randomSeed('mask'), input.dtype));
}
