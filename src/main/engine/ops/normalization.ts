import { bool, float, getAttribute } from '../attributes.ts';
import type { GradientContext, OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, outputAt, reject, requireRank } from './definition.ts';
import type { Site } from './definition.ts';
import { cast, scalar } from './emit.ts';
import { describeShape } from './shapes.ts';

/** Fused batch normalization over [batch, height, width, channels]. Its batch variance is the unbiased one (divided by n - 1). */
export const normalizationOps: readonly OpDefinition[] = [
  define({
    op: 'FusedBatchNormV3',
    inputs: ['T', 'U', 'U', 'U', 'U'],
    defaults: { epsilon: float(0.0001), is_training: bool(true) },
    infer: inferBatchNormalization,
    gradient: batchNormalizationGradient,
  }),
  define({
    op: 'FusedBatchNormGradV3',
    inputs: ['T', 'T', 'float32', 'U', 'U', 'U'],
    defaults: { epsilon: float(0.0001), is_training: bool(true) },
    infer: (site) => {
      const { dtype, shape } = inputAt(site, 1);
      const channels = { dtype: inputAt(site, 2).dtype, shape: [shape[3] ?? null] };
      const unused = { dtype: inputAt(site, 3).dtype, shape: [0] };
      return [{ dtype, shape }, channels, channels, unused, unused];
    },
  }),
];

function inferBatchNormalization(site: Site): readonly TensorSpec[] {
  const images = requireRank(site, 0, 4);
  const channels = images.shape[3] ?? null;
  const isTraining = getAttribute(site.attributes, 'is_training', 'bool');
  const fits = ({ shape }: Tensor, index: number): boolean =>
    shape.length === 1 && (shape[0] === channels || (isTraining && index >= 2 && shape[0] === 0));
  if (!site.inputs.slice(1).every(fits)) {
    reject(site, 'its scale, offset, mean or variance does not fit the channels', {
      expected: `vectors of ${channels ?? 'unknown'} numbers`,
      received: site.inputs.map(({ shape }) => describeShape(shape)).join(', '),
    });
  }
  const perChannel = { dtype: inputAt(site, 1).dtype, shape: [channels] };
  // The third reserve space is the library's own; its size depends on the kernel.
  const reserved = { dtype: perChannel.dtype, shape: [null] };
  return [{ dtype: images.dtype, shape: images.shape }, perChannel, perChannel, perChannel, perChannel, reserved];
}

/** Through y only: the batch statistics are outputs for moving averages, which are not differentiated (as in Keras). */
function batchNormalizationGradient(context: GradientContext): readonly (Tensor | null)[] {
  const { graph, node, isWanted } = context;
  const gradient = context.outputGradients[0] ?? null;
  if (gradient === null) return node.inputs.map(() => null);
  const isTraining = getAttribute(node.attributes, 'is_training', 'bool');
  if (!isTraining && !isWanted(1) && !isWanted(2)) return [frozenGradient(context, gradient), null, null, null, null];
  const statistics = isTraining ? [outputAt(node, 3), outputAt(node, 4)] : [inputAt(node, 3), inputAt(node, 4)];
  const inputs = [gradient, inputAt(node, 0), inputAt(node, 1), ...statistics, outputAt(node, 5)];
  const results = graph.add('FusedBatchNormGradV3', inputs, {
    epsilon: float(getAttribute(node.attributes, 'epsilon', 'float')),
    is_training: bool(isTraining),
  });
  return node.inputs.map((_, index) => (index < 3 && isWanted(index) ? (results[index] ?? null) : null));
}

/** With fixed statistics and parameters the layer is one factor per channel; much cheaper than the fused op. */
function frozenGradient({ graph, node }: GradientContext, gradient: Tensor): Tensor {
  const variance = inputAt(node, 4);
  const epsilon = scalar(graph, getAttribute(node.attributes, 'epsilon', 'float'), variance.dtype);
  const inverse = graph.op('Rsqrt', [graph.op('AddV2', [variance, epsilon])]);
  const factor = graph.op('Mul', [inputAt(node, 1), inverse]);
  return graph.op('Mul', [gradient, cast(graph, factor, gradient.dtype)]);
}
