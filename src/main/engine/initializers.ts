// keras.initializers as stateless random ops. The distributions are Keras's, the values are ours: they depend only on the seed pair.
import type { Initializer } from '../../shared/contract/layers.ts';
import { add, integers, multiply } from './arithmetic.ts';
import { type } from './attributes.ts';
import type { Graph, Tensor } from './graph.ts';

type Scaling = Pick<Extract<Initializer, { type: 'VarianceScaling' }>, 'scale' | 'mode' | 'distribution'>;

/** Standard deviation of a standard normal truncated at two deviations (scipy.stats.truncnorm.std(-2, 2), as in Keras). */
const truncatedDeviation = 0.87962566103423978;

const namedScalings = {
  GlorotUniform: { scale: 1, mode: 'fan_avg', distribution: 'uniform' },
  GlorotNormal: { scale: 1, mode: 'fan_avg', distribution: 'truncated_normal' },
  HeUniform: { scale: 2, mode: 'fan_in', distribution: 'uniform' },
  HeNormal: { scale: 2, mode: 'fan_in', distribution: 'truncated_normal' },
  LecunUniform: { scale: 1, mode: 'fan_in', distribution: 'uniform' },
  LecunNormal: { scale: 1, mode: 'fan_in', distribution: 'truncated_normal' },
} as const satisfies Record<string, Scaling>;

/** A float32 tensor of `shape`; equal seed pairs (int32) give equal values. */
export function lowerInitializer(
  graph: Graph,
  initializer: Initializer,
  shape: readonly number[],
  seed: readonly [number, number],
): Tensor {
  switch (initializer.type) {
    case 'Zeros':
      return fill(graph, shape, 0);
    case 'Ones':
      return fill(graph, shape, 1);
    case 'Constant':
      return fill(graph, shape, initializer.value);
    case 'RandomUniform':
      return uniform(graph, shape, seed, initializer.minval, initializer.maxval);
    case 'RandomNormal':
      return normal(graph, 'StatelessRandomNormal', shape, seed, initializer.mean, initializer.stddev);
    case 'TruncatedNormal':
      return normal(graph, 'StatelessTruncatedNormal', shape, seed, initializer.mean, initializer.stddev);
    case 'VarianceScaling':
      return scaled(graph, initializer, shape, seed);
    case 'GlorotUniform':
    case 'GlorotNormal':
    case 'HeUniform':
    case 'HeNormal':
    case 'LecunUniform':
    case 'LecunNormal':
      return scaled(graph, namedScalings[initializer.type], shape, seed);
  }
}

/** Input and output units of a weight; kernels of any kind count as [..., in, out], depthwise ones too, as Keras's compute_fans. */
export function computeFans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const [last = 1, previous = last] = shape.toReversed();
  const receptiveField = shape.slice(0, -2).reduce((product, dimension) => product * dimension, 1);
  return { fanIn: previous * receptiveField, fanOut: last * receptiveField };
}

function scaled(graph: Graph, scaling: Scaling, shape: readonly number[], seed: readonly [number, number]): Tensor {
  const { fanIn, fanOut } = computeFans(shape);
  const fan = { fan_in: fanIn, fan_out: fanOut, fan_avg: (fanIn + fanOut) / 2 }[scaling.mode];
  const variance = scaling.scale / Math.max(1, fan);
  switch (scaling.distribution) {
    case 'uniform': {
      const limit = Math.sqrt(3 * variance);
      return uniform(graph, shape, seed, -limit, limit);
    }
    case 'truncated_normal':
      return normal(graph, 'StatelessTruncatedNormal', shape, seed, 0, Math.sqrt(variance) / truncatedDeviation);
    case 'untruncated_normal':
      return normal(graph, 'StatelessRandomNormal', shape, seed, 0, Math.sqrt(variance));
  }
}

function fill(graph: Graph, shape: readonly number[], value: number): Tensor {
  return graph.op('Fill', [integers(graph, shape), graph.constant(value, 'float32')]);
}

function uniform(graph: Graph, shape: readonly number[], seed: readonly [number, number], low: number, high: number): Tensor {
  const unit = draw(graph, 'StatelessRandomUniform', shape, seed);
  return add(graph, multiply(graph, unit, graph.constant(high - low, 'float32')), graph.constant(low, 'float32'));
}

function normal(
  graph: Graph,
  op: string,
  shape: readonly number[],
  seed: readonly [number, number],
  mean: number,
  deviation: number,
): Tensor {
  const spread = multiply(graph, draw(graph, op, shape, seed), graph.constant(deviation, 'float32'));
  return mean === 0 ? spread : add(graph, spread, graph.constant(mean, 'float32'));
}

function draw(graph: Graph, op: string, shape: readonly number[], seed: readonly [number, number]): Tensor {
  return graph.op(op, [integers(graph, shape), integers(graph, seed)], { dtype: type('float32') });
}
