import type { OpDefinition, Tensor } from '../graph.ts';
import { define, inputAt, likeInput, perInput, spec } from './definition.ts';
import type { Backward } from './definition.ts';
import { scale } from './emit.ts';

/** Functions of one element. Gradients use the output instead of the input where that saves work. */
export const unaryOps: readonly OpDefinition[] = [
  unary('Neg', ({ graph, gradient }) => graph.op('Neg', [gradient])),
  unary('Square', ({ graph, gradient, input }) => graph.op('Mul', [gradient, scale(graph, input(0), 2)])),
  unary('Sqrt', ({ graph, gradient, output }) => graph.op('SqrtGrad', [output(0), gradient])),
  unary('Rsqrt', ({ graph, gradient, output }) => graph.op('RsqrtGrad', [output(0), gradient])),
  unary('Exp', ({ graph, gradient, output }) => graph.op('Mul', [gradient, output(0)])),
  unary('Log', ({ graph, gradient, input }) => graph.op('RealDiv', [gradient, input(0)])),
  unary('Abs', ({ graph, gradient, input }) => graph.op('Mul', [gradient, graph.op('Sign', [input(0)])])),
  unary('Erf', erfGradient),
  define({ op: 'Sign', inputs: ['T'], infer: likeInput(0), gradient: perInput(null) }),
  define({ op: 'Floor', inputs: ['T'], infer: likeInput(0), gradient: perInput(null) }),
  define({ op: 'Round', inputs: ['T'], infer: likeInput(0), gradient: perInput(null) }),
  define({ op: 'IsFinite', inputs: ['T'], infer: (site) => spec('bool', inputAt(site, 0).shape) }),
  define({ op: 'SqrtGrad', inputs: ['T', 'T'], infer: likeInput(1) }),
  define({ op: 'RsqrtGrad', inputs: ['T', 'T'], infer: likeInput(1) }),
];

function unary(op: string, rule: (backward: Backward) => Tensor): OpDefinition {
  return define({ op, inputs: ['T'], infer: likeInput(0), gradient: perInput(rule) });
}

/** d erf(x)/dx = 2/sqrt(pi) exp(-x^2). */
function erfGradient({ graph, gradient, input }: Backward): Tensor {
  const bell = graph.op('Exp', [graph.op('Neg', [graph.op('Square', [input(0)])])]);
  return graph.op('Mul', [scale(graph, gradient, 2 / Math.sqrt(Math.PI)), bell]);
}
