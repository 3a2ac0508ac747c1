// Random tensors inside the graph. Every draw is a function of an int32 seed pair (run and layer, step), so a step can be repeated exactly;
// no op here keeps state. Seeds are derived in domain/rng and handed in.
import { castTo, integers, multiply, reshape, runtimeShape, scalarLike } from './arithmetic.ts';
import { type } from './attributes.ts';
import type { DataType, Graph, Tensor } from './graph.ts';

/** Shape of a mask, batch first: null is the run-time batch of `source`. */
interface MaskShape {
  readonly source: Tensor;
  readonly rest: readonly number[];
}

/**
 * A factor per element: 0 with probability `rate`, otherwise 1 / (1 - rate), in `dtype`.
 *
 * Elements share 32-bit random words and are compared in the narrowest type that can express the rate: 8 bits when 256 * rate is whole
 * (0.25, 0.5: exact), else 16 bits, which moves the probability by at most 2^-17. For [128, 12, 12, 32] with its gradient this adds 1.3 ms
 * (8 bits) or 1.6 ms (16 bits) to the products with a given mask, StatelessRandomUniform 3.3 ms (fastest of 21 rounds of 60 steps on
 * libtensorflow 2.21.0, two cores of x86-64).
 */
export function dropoutFactors(graph: Graph, shape: MaskShape, rate: number, seed: Tensor, dtype: DataType): Tensor {
  const size = shape.rest.reduce((product, dimension) => product * dimension, 1);
  const bits = Number.isInteger(rate * 256) && size % 4 === 0 ? 8 : size % 2 === 0 ? 16 : 32;
  const words = randomWords(graph, shape.source, (size * bits) / 32, seed);
  const draws = splitWords(graph, words, bits, shape.rest);
  const isKept = graph.op('GreaterEqual', [draws, threshold(graph, rate, bits)]);
  const kept = castTo(graph, isKept, dtype);
  return multiply(graph, kept, scalarLike(graph, 1 / (1 - rate), kept));
}

/** Normal noise of the shape of `like`, drawn in float32 as Keras does for bfloat16 too, then cast. */
export function normalNoise(graph: Graph, like: Tensor, deviation: number, seed: Tensor): Tensor {
  const noise = graph.op('StatelessRandomNormal', [runtimeShape(graph, like), seed], { dtype: type('float32') });
  // The draw reads the shape of `like`, which is no way for a gradient.
  const scaled = multiply(graph, graph.op('StopGradient', [noise]), graph.constant(deviation, 'float32'));
  return castTo(graph, scaled, like.dtype);
}

/** int32 words over the full range, [batch, perSample]. */
function randomWords(graph: Graph, source: Tensor, perSample: number, seed: Tensor): Tensor {
  const batch = graph.op('Slice', [runtimeShape(graph, source), integers(graph, [0]), integers(graph, [1])]);
  const words = graph.op('ConcatV2', [batch, integers(graph, [perSample]), graph.constant(0, 'int32')]);
  return graph.op('StatelessRandomUniformFullInt', [words, seed], { dtype: type('int32') });
}

function splitWords(graph: Graph, words: Tensor, bits: 8 | 16 | 32, rest: readonly number[]): Tensor {
  const parts = bits === 32 ? words : graph.op('Bitcast', [words], { type: type(bits === 8 ? 'uint8' : 'uint16') });
  return reshape(graph, parts, [null, ...rest]);
}

/** The smallest kept draw. 32-bit draws are signed, so their range begins at -2^31. */
function threshold(graph: Graph, rate: number, bits: 8 | 16 | 32): Tensor {
  if (bits === 32) return graph.constant(Math.round(rate * 2 ** 32) - 2 ** 31, 'int32');
  return castTo(graph, graph.constant(Math.round(rate * 2 ** bits), 'int32'), bits === 8 ? 'uint8' : 'uint16');
}
