import { getAttribute, type } from '../attributes.ts';
import type { Dimension, OpDefinition, Shape, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, perInput, readFlag, reject, spec } from './definition.ts';
import type { Backward, Site } from './definition.ts';
import { broadcastLike, cast, reshapeTo, scalar, sum } from './emit.ts';
import { countElements, describeShape, readConstant, resolveAxes } from './shapes.ts';

/** Ops that reduce a tensor along constant axes. */
export const reductionOps: readonly OpDefinition[] = [
  define({ ...reduction('Sum'), gradient: perInput((backward) => repeat(backward, backward.gradient), null) }),
  define({ ...reduction('Mean'), gradient: perInput((backward) => repeat(backward, divideByCount(backward)), null) }),
  define({ ...reduction('Max'), gradient: perInput(extremeGradient, null) }),
  define({ ...reduction('Min'), gradient: perInput(extremeGradient, null) }),
  define({ op: 'All', inputs: ['bool', 'Tidx'], infer: inferReduction }),
  define({ op: 'Any', inputs: ['bool', 'Tidx'], infer: inferReduction }),
  define({
    op: 'L2Loss',
    inputs: ['T'],
    infer: (site) => spec(inputAt(site, 0).dtype, []),
    gradient: perInput(({ graph, gradient, input }) => graph.op('Mul', [gradient, input(0)])),
  }),
  define({
    op: 'ArgMax',
    inputs: ['T', 'Tidx'],
    defaults: { output_type: type('int64') },
    infer: (site) => spec(getAttribute(site.attributes, 'output_type', 'type'), remainingShape(site, false)),
  }),
  define({
    op: 'InTopKV2',
    inputs: ['float32', 'T', 'T'],
    infer: (site) => spec('bool', inputAt(site, 1).shape),
  }),
];

function reduction(op: string): { readonly op: string; readonly inputs: readonly ['T', 'Tidx']; readonly infer: typeof inferReduction } {
  return { op, inputs: ['T', 'Tidx'], infer: inferReduction };
}

function inferReduction(site: Site): readonly TensorSpec[] {
  return spec(inputAt(site, 0).dtype, remainingShape(site, readFlag(site.attributes, 'keep_dims')));
}

function reducedAxes(site: { readonly op: string; readonly inputs: readonly Tensor[] }): readonly number[] {
  const { shape } = inputAt(site, 0);
  const wanted = readConstant(inputAt(site, 1));
  const axes = resolveAxes(wanted, shape.length);
  if (axes === null) reject(site, 'one of its axes does not exist', { expected: describeShape(shape), received: `[${wanted.join(', ')}]` });
  return axes;
}

function remainingShape(site: Site, keepDimensions: boolean): Shape {
  const axes = reducedAxes(site);
  return inputAt(site, 0).shape.flatMap((size, axis): readonly Dimension[] => (axes.includes(axis) ? (keepDimensions ? [1] : []) : [size]));
}

/** Gives a reduced value its dimensions of size 1 back. */
function restoreAxes({ graph, node, input }: Backward, value: Tensor): Tensor {
  const axes = reducedAxes(node);
  const shape = input(0).shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return reshapeTo(graph, value, shape, input(0));
}

function repeat(backward: Backward, value: Tensor): Tensor {
  const column = value.shape.length === 0 ? value : restoreAxes(backward, value);
  return broadcastLike(backward.graph, column, backward.input(0));
}

/** The gradient over the number of elements in each mean; dividing keeps small counts exact in bfloat16. */
function divideByCount(backward: Backward): Tensor {
  const { graph, node, gradient, input, output } = backward;
  const count = countElements(reducedAxes(node).map((axis) => input(0).shape[axis] ?? null));
  if (count !== null) return graph.op('RealDiv', [gradient, scalar(graph, count, gradient.dtype)]);
  const elements = graph.op('FloorDiv', [graph.op('Size', [input(0)]), sizeOf(backward, output(0))]);
  return graph.op('RealDiv', [gradient, cast(graph, elements, gradient.dtype)]);
}

function sizeOf({ graph }: Backward, value: Tensor): Tensor {
  const size = countElements(value.shape);
  return size === null ? graph.op('Size', [value]) : graph.constant(size, 'int32');
}

/** Shared equally among elements that hold the extreme value (as TensorFlow does). */
function extremeGradient(backward: Backward): Tensor {
  const { graph, node, gradient, input, output } = backward;
  const isExtreme = cast(graph, graph.op('Equal', [input(0), restoreAxes(backward, output(0))]), gradient.dtype);
  const ties = sum(graph, isExtreme, reducedAxes(node), true);
  const share = graph.op('RealDiv', [restoreAxes(backward, gradient), ties]);
  return graph.op('Mul', [isExtreme, share]);
}
