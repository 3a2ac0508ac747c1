import type { OpDefinition, Shape, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, perInput, reject, requireRank } from './definition.ts';
import type { Backward, Site } from './definition.ts';
import { reshapeTo } from './emit.ts';
import { describeShape, equalShapes } from './shapes.ts';

/** Cross-entropies on logits; the second output already is the slope of the first. */
export const lossOps: readonly OpDefinition[] = [
  define({
    op: 'SparseSoftmaxCrossEntropyWithLogits',
    inputs: ['T', 'Tlabels'],
    infer: (site) => inferCrossEntropy(site, requireRank(site, 0, 2).shape.slice(0, 1)),
    gradient: perInput((backward) => perRow(backward, backward.output(1)), null),
  }),
  define({
    op: 'SoftmaxCrossEntropyWithLogits',
    inputs: ['T', 'T'],
    infer: (site) => inferCrossEntropy(site, requireRank(site, 0, 2).shape),
    gradient: perInput(
      (backward) => perRow(backward, backward.output(1)),
      (backward) => backward.graph.op('Neg', [perRow(backward, backward.graph.op('LogSoftmax', [backward.input(0)]))]),
    ),
  }),
];

function inferCrossEntropy(site: Site, labelShape: Shape): readonly TensorSpec[] {
  const logits = inputAt(site, 0);
  const labels = inputAt(site, 1);
  if (!equalShapes(labels.shape, labelShape)) {
    reject(site, 'the labels do not fit the logits', {
      expected: `labels of shape ${describeShape(labelShape)}`,
      received: describeShape(labels.shape),
    });
  }
  return [
    { dtype: logits.dtype, shape: logits.shape.slice(0, 1) },
    { dtype: logits.dtype, shape: logits.shape },
  ];
}

/** Each row of `slopes` times the gradient that reached that row's loss. */
function perRow({ graph, gradient }: Backward, slopes: Tensor): Tensor {
  const column = reshapeTo(graph, gradient, [...gradient.shape, 1], gradient);
  return graph.op('Mul', [slopes, column]);
}
