import { LabError } from '../../../shared/contract/errors.ts';
import { getAttribute, int, ints } from '../attributes.ts';
import type { Dimension, Graph, GradientContext, OpDefinition, Shape, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, likeInput, perInput, reject, requestedShape, spec } from './definition.ts';
import type { Backward, Site } from './definition.ts';
import { integers, reshapeLike, sum, sumToShapeOf } from './emit.ts';
import { broadcastShapes, describeShape, equalShapes, readConstant, resolveAxes } from './shapes.ts';

/** Ops that move, repeat or rename elements without computing new ones. */
export const arrayOps: readonly OpDefinition[] = [
  define({ op: 'Reshape', inputs: ['T', 'Tshape'], infer: inferReshape, gradient: perInput(reshapeBack, null) }),
  define({ op: 'ExpandDims', inputs: ['T', 'Tdim'], infer: inferExpandDims, gradient: perInput(reshapeBack, null) }),
  define({ op: 'Squeeze', inputs: ['T'], defaults: { squeeze_dims: ints([]) }, infer: inferSqueeze, gradient: perInput(reshapeBack) }),
  define({
    op: 'Transpose',
    inputs: ['T', 'Tperm'],
    infer: inferTranspose,
    gradient: perInput(({ graph, gradient, input }) => {
      const order = readConstant(input(1));
      return graph.op('Transpose', [gradient, integers(graph, invert(order), 'order')]);
    }, null),
  }),
  define({
    op: 'ReverseV2',
    inputs: ['T', 'Tidx'],
    infer: likeInput(0),
    gradient: perInput(({ graph, gradient, input }) => graph.op('ReverseV2', [gradient, input(1)]), null),
  }),
  define({
    op: 'BroadcastTo',
    inputs: ['T', 'Tidx'],
    infer: inferBroadcastTo,
    gradient: perInput(({ graph, gradient, input }) => sumToShapeOf(graph, gradient, input(0)), null),
  }),
  define({ op: 'Tile', inputs: ['T', 'Tmultiples'], infer: inferTile, gradient: perInput(sumTiles, null) }),
  define({
    op: 'Pack',
    inputs: { repeated: 'T', then: [] },
    defaults: { axis: int(0) },
    infer: inferPack,
    gradient: packGradient,
  }),
  define({
    op: 'Unpack',
    inputs: ['T'],
    defaults: { axis: int(0) },
    infer: inferUnpack,
    gradient: unpackGradient,
  }),
  define({ op: 'GatherV2', inputs: ['Tparams', 'Tindices', 'Taxis'], infer: inferGather }),
];

function reshapeBack({ graph, gradient, input }: Backward): Tensor {
  return reshapeLike(graph, gradient, input(0));
}

function invert(order: readonly number[]): readonly number[] {
  const inverse = [...order];
  order.forEach((from, to) => (inverse[from] = to));
  return inverse;
}

function inferReshape(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const wanted = requestedShape(site, 1);
  const rest = freeSize(input.shape, wanted);
  if (rest === undefined) {
    reject(site, 'the new shape holds another number of elements', {
      expected: `a shape for the elements of ${describeShape(input.shape)}`,
      received: `[${wanted.map((size) => size ?? 'batch').join(', ')}]`,
    });
  }
  return spec(
    input.dtype,
    wanted.map((size) => (size === -1 ? rest : size)),
  );
}

/** What -1 stands for in `wanted` (null: the batch or a multiple of it); undefined when the elements cannot be the same. */
function freeSize(from: Shape, wanted: Shape): Dimension | undefined {
  const given = productOfKnown(from);
  const asked = productOfKnown(wanted);
  const hasFree = wanted.includes(-1);
  if (wanted.indexOf(-1) !== wanted.lastIndexOf(-1)) return undefined;
  const isBatchOnBothSides = from.includes(null) === wanted.includes(null);
  if (isBatchOnBothSides) return (hasFree ? given % asked === 0 : given === asked) ? given / asked : undefined;
  const fits = asked % given === 0 || (hasFree && given % asked === 0);
  return fits ? null : undefined;
}

function productOfKnown(shape: Shape): number {
  return shape.reduce<number>((product, size) => (size === null || size === -1 ? product : product * size), 1);
}

function axisOf(site: Site, axis: number | undefined, rank: number): number {
  const resolved = axis === undefined ? undefined : resolveAxes([axis], rank)?.[0];
  if (resolved === undefined)
    reject(site, 'its axis does not exist', { expected: `an axis of ${rank} dimensions`, received: String(axis) });
  return resolved;
}

function inferExpandDims(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const axis = axisOf(site, readConstant(inputAt(site, 1))[0], input.shape.length + 1);
  return spec(input.dtype, input.shape.toSpliced(axis, 0, 1));
}

function inferSqueeze(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const named = resolveAxes(getAttribute(site.attributes, 'squeeze_dims', 'ints'), input.shape.length);
  if (named === null || named.some((axis) => input.shape[axis] !== 1)) {
    reject(site, 'it can only drop dimensions of size 1', { expected: 'size 1', received: describeShape(input.shape) });
  }
  const drop = (size: Dimension, axis: number): boolean => (named.length === 0 ? size === 1 : named.includes(axis));
  return spec(
    input.dtype,
    input.shape.filter((size, axis) => !drop(size, axis)),
  );
}

function inferTranspose(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const order = readConstant(inputAt(site, 1));
  const axes = resolveAxes(order, input.shape.length);
  if (axes?.length !== input.shape.length || order.some((axis) => axis < 0)) {
    reject(site, 'its order is not a permutation', { expected: `${input.shape.length} axes`, received: `[${order.join(', ')}]` });
  }
  return spec(
    input.dtype,
    order.map((axis) => input.shape[axis] ?? null),
  );
}

function inferBroadcastTo(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const wanted = requestedShape(site, 1);
  const result = broadcastShapes(input.shape, wanted);
  if (result === null || !equalShapes(result, wanted)) {
    reject(site, 'its input cannot be repeated to the wanted shape', {
      expected: describeShape(wanted),
      received: `the shape ${describeShape(input.shape)}`,
    });
  }
  return spec(input.dtype, wanted);
}

function inferTile(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const multiples = readConstant(inputAt(site, 1));
  if (multiples.length !== input.shape.length) {
    reject(site, 'it has not one multiple per dimension', { expected: describeShape(input.shape), received: `[${multiples.join(', ')}]` });
  }
  const repeat = (size: Dimension, axis: number): Dimension => (size === null ? null : size * (multiples[axis] ?? 1));
  return spec(input.dtype, input.shape.map(repeat));
}

/** Views the gradient as [multiple, size, ...] pairs and sums the multiples; the batch cannot be tiled. */
function sumTiles({ graph, gradient, input }: Backward): Tensor {
  const multiples = readConstant(input(1));
  if (input(0).shape.some((size, axis) => size === null && multiples[axis] !== 1)) {
    throw new LabError('internal', 'A batch of unknown size cannot be tiled where a gradient is needed.');
  }
  const split = input(0).shape.flatMap((size, axis) => [multiples[axis] ?? 1, size ?? -1]);
  const pairs = graph.op('Reshape', [gradient, integers(graph, split, 'shape')]);
  const axes = multiples.map((_, axis) => 2 * axis);
  return sum(graph, pairs, axes, false);
}

function inferPack(site: Site): readonly TensorSpec[] {
  const first = inputAt(site, 0);
  const other = site.inputs.find((input) => !equalShapes(input.shape, first.shape));
  if (other !== undefined) {
    reject(site, 'its inputs differ in shape', { expected: describeShape(first.shape), received: describeShape(other.shape) });
  }
  const axis = axisOf(site, getAttribute(site.attributes, 'axis', 'int'), first.shape.length + 1);
  return spec(first.dtype, first.shape.toSpliced(axis, 0, site.inputs.length));
}

function inferUnpack(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const axis = axisOf(site, getAttribute(site.attributes, 'axis', 'int'), input.shape.length);
  const count = getAttribute(site.attributes, 'num', 'int');
  if (input.shape[axis] !== count) {
    reject(site, 'the number of outputs is not the size of the axis', { expected: `${count}`, received: describeShape(input.shape) });
  }
  return Array.from({ length: count }, () => ({ dtype: input.dtype, shape: input.shape.toSpliced(axis, 1) }));
}

function inferGather(site: Site): readonly TensorSpec[] {
  const values = inputAt(site, 0);
  const axis = axisOf(site, readConstant(inputAt(site, 2))[0], values.shape.length);
  return spec(values.dtype, [...values.shape.slice(0, axis), ...inputAt(site, 1).shape, ...values.shape.slice(axis + 1)]);
}

function packGradient(context: GradientContext): readonly (Tensor | null)[] {
  const { graph, node } = context;
  const gradient = context.outputGradients[0] ?? null;
  if (gradient === null) return node.inputs.map(() => null);
  const parts = graph.add('Unpack', [gradient], { num: int(node.inputs.length), axis: int(getAttribute(node.attributes, 'axis', 'int')) });
  return node.inputs.map((_, index) => (context.isWanted(index) ? (parts[index] ?? null) : null));
}

/** Outputs that reached no loss count as zero. */
function unpackGradient({ graph, node, outputGradients, isWanted }: GradientContext): readonly (Tensor | null)[] {
  if (!isWanted(0)) return [null];
  const parts = node.outputs.map((output, index) => outputGradients[index] ?? zeros(graph, output));
  return [graph.op('Pack', parts, { axis: int(getAttribute(node.attributes, 'axis', 'int')) })];
}

function zeros(graph: Graph, like: Tensor): Tensor {
  return graph.op('ZerosLike', [like]);
}
