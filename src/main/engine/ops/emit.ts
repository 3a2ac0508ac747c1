// Small pieces that gradient rules and layers are made of: constants, run-time shapes, sums over broadcast dimensions.
// Each emits as few nodes as it can, none when nothing has to be done.
import { LabError } from '../../../shared/contract/errors.ts';
import { bool } from '../attributes.ts';
import type { DataType, Dimension, Graph, Shape, Tensor } from '../graph.ts';
import { equalShapes, isKnown } from './shapes.ts';

/** An int32 constant vector. */
export function integers(graph: Graph, values: readonly number[], name = 'integers'): Tensor {
  return graph.constant(Int32Array.from(values), 'int32', [values.length], { name });
}

/** A scalar constant of any type; the 16-bit floats are cast in the graph, which TensorFlow folds when it loads it. */
export function scalar(graph: Graph, value: number, dtype: DataType): Tensor {
  switch (dtype) {
    case 'float32':
      return graph.constant(Float32Array.of(value), dtype);
    case 'int32':
      return graph.constant(Int32Array.of(value), dtype);
    case 'uint8':
      return graph.constant(Uint8Array.of(value), dtype);
    case 'bool':
      return graph.constant(Uint8Array.of(value === 0 ? 0 : 1), dtype);
    case 'bfloat16':
    case 'float16':
      return cast(graph, scalar(graph, value, 'float32'), dtype);
    case 'int64':
    case 'uint16':
      return cast(graph, scalar(graph, value, 'int32'), dtype);
    case 'resource':
      throw new LabError('internal', 'A resource cannot be a constant.');
  }
}

/** A tensor's shape as an int32 vector: a constant when it is known, else a Shape node. */
export function shapeOf(graph: Graph, tensor: Tensor): Tensor {
  return isKnown(tensor.shape) ? integers(graph, tensor.shape, 'shape') : graph.op('Shape', [tensor]);
}

/** `shape` as an int32 vector, with the unknown batch, if it leads, taken from `source` at run time. */
export function runtimeShape(graph: Graph, wanted: Shape, source: Tensor): Tensor {
  if (isKnown(wanted)) return integers(graph, wanted, 'shape');
  if (equalShapes(wanted, source.shape)) return graph.op('Shape', [source]);
  const [first, ...rest] = wanted;
  if (first !== null || source.shape[0] !== null || !isKnown(rest)) {
    throw new LabError('internal', 'Only a leading batch dimension can be taken from another tensor.');
  }
  const batch = graph.op('Slice', [graph.op('Shape', [source]), integers(graph, [0]), integers(graph, [1])]);
  if (rest.length === 0) return batch;
  return graph.op('ConcatV2', [batch, integers(graph, rest), scalar(graph, 0, 'int32')]);
}

/** Reshape to the shape of `like`; the value itself when it has that shape already. */
export function reshapeLike(graph: Graph, value: Tensor, like: Tensor): Tensor {
  return reshapeTo(graph, value, like.shape, like);
}

/** Reshape to `shape`; with more than one unknown dimension the sizes come from `source` at run time. */
export function reshapeTo(graph: Graph, value: Tensor, shape: Shape, source: Tensor): Tensor {
  if (equalShapes(value.shape, shape)) return value;
  const unknown = shape.filter((size) => size === null).length;
  const wanted = unknown <= 1 ? integers(graph, shape.map(minusOne), 'shape') : runtimeShape(graph, shape, source);
  return graph.op('Reshape', [value, wanted]);
}

function minusOne(size: Dimension): number {
  return size ?? -1;
}

export function sum(graph: Graph, value: Tensor, axes: readonly number[], keepDimensions: boolean): Tensor {
  return graph.op('Sum', [value, integers(graph, axes, 'axes')], { keep_dims: bool(keepDimensions) });
}

/** Undoes broadcasting: sums a gradient over the dimensions along which `target` was repeated. */
export function sumToShapeOf(graph: Graph, gradient: Tensor, target: Tensor): Tensor {
  const added = gradient.shape.length - target.shape.length;
  const leading = gradient.shape.slice(0, added).map((_, axis) => axis);
  const repeated = target.shape.flatMap((size, axis) => (size === 1 && gradient.shape[added + axis] !== 1 ? [added + axis] : []));
  if (leading.length + repeated.length === 0) return gradient;
  if (repeated.length === 0) return sum(graph, gradient, leading, false);
  if (leading.length === 0) return sum(graph, gradient, repeated, true);
  return reshapeLike(graph, sum(graph, gradient, [...leading, ...repeated], false), target);
}

/** Repeats a value that has size 1 along some dimensions up to the shape of `like`. */
export function broadcastLike(graph: Graph, value: Tensor, like: Tensor): Tensor {
  return equalShapes(value.shape, like.shape) ? value : graph.op('BroadcastTo', [value, shapeOf(graph, like)]);
}

/** Multiplies by a constant of the value's own type. */
export function scale(graph: Graph, value: Tensor, factor: number): Tensor {
  return graph.op('Mul', [value, scalar(graph, factor, value.dtype)]);
}

export function cast(graph: Graph, value: Tensor, dtype: DataType): Tensor {
  return value.dtype === dtype ? value : graph.op('Cast', [value], { DstT: { kind: 'type', value: dtype } });
}
