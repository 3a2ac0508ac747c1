import { float, getAttribute } from '../attributes.ts';
import type { OpDefinition, Tensor } from '../graph.ts';
import { define, inputAt, likeInput, perInput, reject } from './definition.ts';
import type { Backward, Site } from './definition.ts';
import { sum } from './emit.ts';
import { describeShape } from './shapes.ts';

/** Activations with TensorFlow's fused gradient ops; gelu and silu are compositions of other ops (layers). */
export const activationOps: readonly OpDefinition[] = [
  activation('Relu', ({ graph, gradient, output }) => graph.op('ReluGrad', [gradient, output(0)])),
  activation('Relu6', ({ graph, gradient, output }) => graph.op('Relu6Grad', [gradient, output(0)])),
  define({
    op: 'LeakyRelu',
    inputs: ['T'],
    defaults: { alpha: float(0.2) },
    infer: likeInput(0),
    gradient: perInput(leakyReluGradient),
  }),
  activation('Elu', ({ graph, gradient, output }) => graph.op('EluGrad', [gradient, output(0)])),
  activation('Tanh', ({ graph, gradient, output }) => graph.op('TanhGrad', [output(0), gradient])),
  activation('Sigmoid', ({ graph, gradient, output }) => graph.op('SigmoidGrad', [output(0), gradient])),
  activation('Softplus', ({ graph, gradient, input }) => graph.op('SoftplusGrad', [gradient, input(0)])),
  define({ op: 'Softmax', inputs: ['T'], infer: inferVector, gradient: perInput(softmaxGradient) }),
  define({ op: 'LogSoftmax', inputs: ['T'], infer: inferVector, gradient: perInput(logSoftmaxGradient) }),
  ...['ReluGrad', 'Relu6Grad', 'LeakyReluGrad', 'EluGrad', 'TanhGrad', 'SigmoidGrad', 'SoftplusGrad'].map((op) =>
    define({ op, inputs: ['T', 'T'], infer: likeInput(0) }),
  ),
];

function activation(op: string, rule: (backward: Backward) => Tensor): OpDefinition {
  return define({ op, inputs: ['T'], infer: likeInput(0), gradient: perInput(rule) });
}

/** The output has the input's sign unless alpha is negative; using it lets TensorFlow fuse the activation and free the input. */
function leakyReluGradient({ graph, gradient, input, output, node }: Backward): Tensor {
  const alpha = getAttribute(node.attributes, 'alpha', 'float');
  return graph.op('LeakyReluGrad', [gradient, alpha < 0 ? input(0) : output(0)], { alpha: float(alpha) });
}

function inferVector(site: Site): ReturnType<ReturnType<typeof likeInput>> {
  const { shape } = inputAt(site, 0);
  if (shape.length === 0) reject(site, 'its input is a single number', { expected: 'a vector', received: describeShape(shape) });
  return likeInput(0)(site);
}

function sumLast({ graph }: Backward, value: Tensor): Tensor {
  return sum(graph, value, [value.shape.length - 1], true);
}

/** (dy - sum(dy y)) y. */
function softmaxGradient(backward: Backward): Tensor {
  const { graph, gradient, output } = backward;
  const weighted = sumLast(backward, graph.op('Mul', [gradient, output(0)]));
  return graph.op('Mul', [graph.op('Sub', [gradient, weighted]), output(0)]);
}

/** dy - exp(y) sum(dy). */
function logSoftmaxGradient(backward: Backward): Tensor {
  const { graph, gradient, output } = backward;
  const probabilities = graph.op('Exp', [output(0)]);
  return graph.op('Sub', [gradient, graph.op('Mul', [probabilities, sumLast(backward, gradient)])]);
}
