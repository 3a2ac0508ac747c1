import { bool } from '../attributes.ts';
import type { GradientContext, Graph, OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, perInput, readFlag, reject, requireRank, spec } from './definition.ts';
import type { Site } from './definition.ts';
import { describeShape } from './shapes.ts';

/** Matrix product and the bias that follows it (or a convolution). */
export const matrixOps: readonly OpDefinition[] = [
  define({ op: 'MatMul', inputs: ['T', 'T'], infer: inferMatMul, gradient: matMulGradient }),
  define({
    op: 'BiasAdd',
    inputs: ['T', 'T'],
    infer: (site) => {
      const value = inputAt(site, 0);
      const bias = requireRank(site, 1, 1);
      if (value.shape.length < 2 || value.shape.at(-1) !== bias.shape[0]) {
        reject(site, 'the bias does not fit the last dimension', {
          expected: `a bias for ${describeShape(value.shape)}`,
          received: describeShape(bias.shape),
        });
      }
      return spec(value.dtype, value.shape);
    },
    gradient: perInput(
      ({ gradient }) => gradient,
      ({ graph, gradient }) => graph.op('BiasAddGrad', [gradient]),
    ),
  }),
  define({
    op: 'BiasAddGrad',
    inputs: ['T'],
    infer: (site) => spec(inputAt(site, 0).dtype, [inputAt(site, 0).shape.at(-1) ?? null]),
  }),
];

function inferMatMul(site: Site): readonly TensorSpec[] {
  const [rows, inner] = sides(requireRank(site, 0, 2), readFlag(site.attributes, 'transpose_a'));
  const [otherInner, columns] = sides(requireRank(site, 1, 2), readFlag(site.attributes, 'transpose_b'));
  if (inner !== otherInner) {
    reject(site, 'the inner dimensions of its two matrices differ', {
      expected: `${inner ?? 'batch'} rows in the second matrix`,
      received: `${otherInner ?? 'batch'} rows`,
    });
  }
  return spec(inputAt(site, 0).dtype, [rows ?? null, columns ?? null]);
}

function sides(matrix: Tensor, isTransposed: boolean): TensorSpec['shape'] {
  return isTransposed ? matrix.shape.toReversed() : matrix.shape;
}

function multiply(graph: Graph, a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  return graph.op('MatMul', [a, b], { transpose_a: bool(transposeA), transpose_b: bool(transposeB) });
}

/** All four cases as products with transposed operands, never with a Transpose node. */
function matMulGradient(context: GradientContext): readonly (Tensor | null)[] {
  const { graph, node } = context;
  const transposeA = readFlag(node.attributes, 'transpose_a');
  const transposeB = readFlag(node.attributes, 'transpose_b');
  return perInput(
    ({ gradient, input }) =>
      transposeA ? multiply(graph, input(1), gradient, transposeB, true) : multiply(graph, gradient, input(1), false, !transposeB),
    ({ gradient, input }) =>
      transposeB ? multiply(graph, gradient, input(0), true, transposeA) : multiply(graph, input(0), gradient, !transposeA, false),
  )(context);
}
