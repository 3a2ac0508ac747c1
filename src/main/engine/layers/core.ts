// Dense, Flatten, Activation and Rescaling.
import type { ActivationName } from '../../../shared/contract/layers.ts';
import { lowerActivation } from '../activations.ts';
import { add, multiply, reshape, scalarLike } from '../arithmetic.ts';
import { bool } from '../attributes.ts';
import type { Tensor } from '../graph.ts';
import type { Lowering, LoweringContext, LoweringOptions } from './context.ts';

/** Acts on the last axis; leading axes are folded into the batch for one matrix product. */
export function lowerDense({ layer, config, input, context, options }: Lowering<'Dense'>): Tensor {
  const { graph } = context;
  const features = layer.inputShapes[0]?.at(-1) ?? 0;
  const isVector = layer.outputShape.length === 1;
  const rows = isVector ? input : reshape(graph, input, [null, features]);
  const product = graph.op('MatMul', [rows, context.computeWeight('kernel')], { transpose_a: bool(false), transpose_b: bool(false) });
  const biased = config.useBias ? graph.op('BiasAdd', [product, context.computeWeight('bias')]) : product;
  const shaped = isVector ? biased : reshape(graph, biased, [null, ...layer.outputShape]);
  return activate(context, config.activation, shaped, options);
}

export function lowerFlatten({ layer, input, context }: Lowering<'Flatten'>): Tensor {
  return layer.inputShapes[0]?.length === 1 ? input : reshape(context.graph, input, [null, ...layer.outputShape]);
}

export function lowerActivationLayer({ config, input, context, options }: Lowering<'Activation'>): Tensor {
  return activate(context, config.activation, input, options);
}

export function lowerRescaling({ config, input, context: { graph } }: Lowering<'Rescaling'>): Tensor {
  const scaled = multiply(graph, input, scalarLike(graph, config.scale, input));
  return config.offset === 0 ? scaled : add(graph, scaled, scalarLike(graph, config.offset, input));
}

/** The end of every layer that has an `activation` option. */
export function activate(context: LoweringContext, activation: ActivationName, value: Tensor, options: LoweringOptions): Tensor {
  return options.withoutActivation === true ? value : lowerActivation(context.graph, activation, value);
}
