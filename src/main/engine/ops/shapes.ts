// Shape arithmetic of the op table. A dimension is a number or null, the batch; shapes that ops take as inputs are evaluated here as far
// as they are known while the graph is built. Emits no nodes.
import { LabError } from '../../../shared/contract/errors.ts';
import { getAttribute } from '../attributes.ts';
import type { Dimension, Node, Shape, Tensor } from '../graph.ts';

/** A shape for people, such as `[batch, 28, 28, 1]`. */
export function describeShape(shape: Shape): string {
  return `[${shape.map((size) => size ?? 'batch').join(', ')}]`;
}

export function isKnown(shape: Shape): shape is readonly number[] {
  return shape.every((size) => size !== null);
}

/** Product of the dimensions, or null when one is known only at run time. */
export function countElements(shape: Shape): number | null {
  return shape.reduce<number | null>((count, size) => (count === null || size === null ? null : count * size), 1);
}

export function equalShapes(first: Shape, second: Shape): boolean {
  return first.length === second.length && first.every((size, index) => size === second[index]);
}

/** The broadcast shape, or null when the shapes do not fit. Two unknown batches count as equal; an unknown one only fits itself and 1. */
export function broadcastShapes(first: Shape, second: Shape): Shape | null {
  const rank = Math.max(first.length, second.length);
  const result: Dimension[] = [];
  for (let fromEnd = rank; fromEnd >= 1; fromEnd -= 1) {
    const a = sizeFromEnd(first, fromEnd);
    const b = sizeFromEnd(second, fromEnd);
    if (a !== b && a !== 1 && b !== 1) return null;
    result.push(a === 1 ? b : a);
  }
  return result;
}

function sizeFromEnd(shape: Shape, fromEnd: number): Dimension {
  const size = shape[shape.length - fromEnd];
  return size === undefined ? 1 : size;
}

/** Axes counted from the front, without repeats, ascending; null when one does not exist. */
export function resolveAxes(axes: readonly number[], rank: number): readonly number[] | null {
  const resolved = new Set<number>();
  for (const axis of axes) {
    if (axis < -rank || axis >= rank) return null;
    resolved.add(axis < 0 ? axis + rank : axis);
  }
  return [...resolved].sort((a, b) => a - b);
}

/** Output size of a window along one dimension; not positive when the window does not fit (TensorFlow's GetWindowedOutputSize). */
export function slideWindow(size: Dimension, window: number, stride: number, dilation: number, padding: string): Dimension {
  if (size === null) return null;
  if (padding === 'SAME') return Math.ceil(size / stride);
  const extent = (window - 1) * dilation + 1;
  return Math.ceil((size - extent + 1) / stride);
}

/** The numbers in a constant of type int32, or an internal error: the table needs them while the graph is built. */
export function readConstant(tensor: Tensor): readonly number[] {
  const values = evaluate(tensor);
  if (values === null || !isKnown(values)) {
    throw new LabError(
      'internal',
      `The op ${tensor.node.op} gives values at run time only; a constant is needed while the graph is built.`,
    );
  }
  return values;
}

/** The values of a small integer tensor as far as they follow from constants and static shapes; null: nothing is known. */
export function evaluate(tensor: Tensor): readonly Dimension[] | null {
  const { node } = tensor;
  switch (node.op) {
    case 'Const': {
      const value = node.attributes['value'];
      return value?.kind === 'tensor' && value.data instanceof Int32Array ? [...value.data] : null;
    }
    case 'Shape':
      return node.inputs[0]?.shape ?? null;
    case 'Identity':
      return node.inputs[0] === undefined ? null : evaluate(node.inputs[0]);
    case 'ConcatV2':
      return join(node.inputs.slice(0, -1));
    case 'Pack':
      return join(node.inputs);
    case 'Slice':
      return evaluateSlice(node);
    default:
      return null;
  }
}

function join(parts: readonly Tensor[]): readonly Dimension[] | null {
  const values: Dimension[] = [];
  for (const part of parts) {
    const known = evaluate(part);
    if (known === null) return null;
    values.push(...known);
  }
  return values;
}

function evaluateSlice(node: Node): readonly Dimension[] | null {
  const [source, begin, size] = node.inputs.map(evaluate);
  const start = begin?.[0];
  const length = size?.[0];
  if (source === undefined || source === null || typeof start !== 'number' || typeof length !== 'number') return null;
  return source.slice(start, length === -1 ? undefined : start + length);
}

/** The four values of a window attribute (ksize, strides, dilations) as height and width. */
export function readWindow(node: { readonly attributes: Node['attributes'] }, name: string): readonly [number, number] {
  if (node.attributes[name] === undefined) return [1, 1];
  const [batch, height, width, channels] = getAttribute(node.attributes, name, 'ints');
  if (batch !== 1 || height === undefined || width === undefined || channels !== 1) {
    throw new LabError('internal', `The attribute ${name} must be [1, height, width, 1].`);
  }
  return [height, width];
}
