// Short builders for the few ops that nearly every lowering needs. Shapes and gradients of these ops are in ops/.
import { bool, type } from './attributes.ts';
import type { DataType, Graph, Tensor } from './graph.ts';

/** The tensor itself when it already has the type. */
export function castTo(graph: Graph, value: Tensor, dtype: DataType): Tensor {
  return value.dtype === dtype ? value : graph.op('Cast', [value], { DstT: type(dtype) });
}

/** A scalar in the type of `like`; types other than float32 and int32 are rounded from float32. */
export function scalarLike(graph: Graph, value: number, like: Tensor): Tensor {
  return like.dtype === 'int32' ? graph.constant(value, 'int32') : castTo(graph, graph.constant(value, 'float32'), like.dtype);
}

/** An int32 vector: a shape, axes, paddings. */
export function integers(graph: Graph, values: readonly number[]): Tensor {
  return graph.constant(Int32Array.from(values), 'int32', [values.length]);
}

export const add = (graph: Graph, left: Tensor, right: Tensor): Tensor => graph.op('AddV2', [left, right]);
export const subtract = (graph: Graph, left: Tensor, right: Tensor): Tensor => graph.op('Sub', [left, right]);
export const multiply = (graph: Graph, left: Tensor, right: Tensor): Tensor => graph.op('Mul', [left, right]);
export const divide = (graph: Graph, left: Tensor, right: Tensor): Tensor => graph.op('RealDiv', [left, right]);

/** The shape known only at run time, as int32. */
export function runtimeShape(graph: Graph, value: Tensor): Tensor {
  return graph.op('Shape', [value], { out_type: type('int32') });
}

/** Reshapes to dimensions of which at most one may be null. */
export function reshape(graph: Graph, value: Tensor, dimensions: readonly (number | null)[]): Tensor {
  return graph.op('Reshape', [
    value,
    integers(
      graph,
      dimensions.map((dimension) => dimension ?? -1),
    ),
  ]);
}

export function sumOver(graph: Graph, value: Tensor, axes: readonly number[], keepDimensions = false): Tensor {
  return graph.op('Sum', [value, integers(graph, axes)], { keep_dims: bool(keepDimensions) });
}

export function meanOver(graph: Graph, value: Tensor, axes: readonly number[], keepDimensions = false): Tensor {
  return graph.op('Mean', [value, integers(graph, axes)], { keep_dims: bool(keepDimensions) });
}
