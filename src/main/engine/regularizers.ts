// Weight penalties of keras.regularizers.L1L2, computed in float32 on the variables' values.
import type { WeightSpec } from '../../shared/domain/networkTypes.ts';
import { add, multiply } from './arithmetic.ts';
import { bool } from './attributes.ts';
import type { Graph, Tensor } from './graph.ts';

/**
 * The sum of l1 * sum|w| + l2 * sum w² over `specs`, a float32 scalar; null when none has a regularizer.
 *
 * Keras adds penalties of trainable weights only (Layer._get_regularization_losses), so pass only these.
 */
export function regularizationLoss(graph: Graph, specs: readonly WeightSpec[], read: (path: string) => Tensor): Tensor | null {
  const penalties = specs.flatMap((spec) => {
    if (spec.regularizer === null) return [];
    const { l1, l2 } = spec.regularizer;
    const weight = read(spec.path);
    return [...(l1 === 0 ? [] : [absolutePenalty(graph, weight, l1)]), ...(l2 === 0 ? [] : [squarePenalty(graph, weight, l2)])];
  });
  const first = penalties[0];
  return first === undefined ? null : penalties.slice(1).reduce((sum, penalty) => add(graph, sum, penalty), first);
}

function absolutePenalty(graph: Graph, weight: Tensor, factor: number): Tensor {
  const axes = graph.constant(Int32Array.from(weight.shape.keys()), 'int32', [weight.shape.length]);
  const sum = graph.op('Sum', [graph.op('Abs', [weight]), axes], { keep_dims: bool(false) });
  return multiply(graph, sum, graph.constant(factor, 'float32'));
}

/** L2Loss is sum w² / 2 without a copy of w². */
function squarePenalty(graph: Graph, weight: Tensor, factor: number): Tensor {
  return multiply(graph, graph.op('L2Loss', [weight]), graph.constant(2 * factor, 'float32'));
}
