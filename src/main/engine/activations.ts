// keras.activations as graph ops, with Keras's constants.
import type { ActivationName } from '../../shared/contract/layers.ts';
import { add, castTo, multiply, scalarLike } from './arithmetic.ts';
import { float } from './attributes.ts';
import type { Graph, Tensor } from './graph.ts';

/** keras.activations.leaky_relu 3.15; the LeakyReLU layer's 0.3 is another constant. */
const leakySlope = 0.2;

/** Softmax acts on the last axis and computes in float32 whatever the type of its input. */
export function lowerActivation(graph: Graph, activation: ActivationName, value: Tensor): Tensor {
  switch (activation) {
    case 'linear':
      return value;
    case 'relu':
      return graph.op('Relu', [value]);
    case 'relu6':
      return graph.op('Relu6', [value]);
    case 'leaky_relu':
      return graph.op('LeakyRelu', [value], { alpha: float(leakySlope) });
    case 'elu':
      return graph.op('Elu', [value]);
    case 'gelu':
      return gelu(graph, value);
    case 'silu':
      return multiply(graph, value, graph.op('Sigmoid', [value]));
    case 'tanh':
      return graph.op('Tanh', [value]);
    case 'sigmoid':
      return graph.op('Sigmoid', [value]);
    case 'softmax':
      return castTo(graph, graph.op('Softmax', [castTo(graph, value, 'float32')]), value.dtype);
  }
}

/** x * (1 + erf(x / sqrt 2)) / 2: keras.activations.gelu with approximate=False. */
function gelu(graph: Graph, value: Tensor): Tensor {
  const half = scalarLike(graph, 0.5, value);
  const error = graph.op('Erf', [multiply(graph, value, scalarLike(graph, Math.SQRT1_2, value))]);
  return multiply(graph, multiply(graph, value, half), add(graph, scalarLike(graph, 1, value), error));
}
