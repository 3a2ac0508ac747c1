import { LabError } from '../../../shared/contract/errors.ts';
import { getAttribute, int } from '../attributes.ts';
import type { Attributes, Dimension, GradientContext, OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, perInput, reject, requestedShape, spec } from './definition.ts';
import type { Backward, Site } from './definition.ts';
import { integers, shapeOf } from './emit.ts';
import { describeShape, readConstant, resolveAxes } from './shapes.ts';

/** Ops that cut tensors, join them, or put a border around them. */
export const slicingOps: readonly OpDefinition[] = [
  define({ op: 'ConcatV2', inputs: { repeated: 'T', then: ['Tidx'] }, infer: inferConcat, gradient: concatGradient }),
  define({ op: 'Slice', inputs: ['T', 'Index', 'Index'], infer: inferSlice, gradient: perInput(padSlice, null, null) }),
  define({ op: 'Pad', inputs: ['T', 'Tpaddings'], infer: inferPad, gradient: perInput(cutPadding, null) }),
  define({
    op: 'StridedSlice',
    inputs: ['T', 'Index', 'Index', 'Index'],
    defaults: { begin_mask: int(0), end_mask: int(0), shrink_axis_mask: int(0) },
    infer: inferStridedSlice,
    gradient: perInput(stridedSliceGradient, null, null, null),
  }),
  define({
    op: 'StridedSliceGrad',
    inputs: ['Index', 'Index', 'Index', 'Index', 'T'],
    infer: (site) => spec(inputAt(site, 4).dtype, requestedShape(site, 0)),
  }),
];

function inferConcat(site: Site): readonly TensorSpec[] {
  const values = site.inputs.slice(0, -1);
  const first = inputAt(site, 0);
  const axis = resolveAxes(readConstant(inputAt(site, values.length)), first.shape.length)?.[0];
  if (axis === undefined) reject(site, 'its axis does not exist', { expected: 'an axis', received: describeShape(first.shape) });
  const fits = (value: Tensor): boolean =>
    value.shape.length === first.shape.length && value.shape.every((size, index) => index === axis || size === first.shape[index]);
  const other = values.find((value) => !fits(value));
  if (other !== undefined) {
    reject(site, `its inputs differ outside axis ${axis}`, { expected: describeShape(first.shape), received: describeShape(other.shape) });
  }
  const joined = values.reduce<Dimension>((total, { shape }) => addSizes(total, shape[axis] ?? null), 0);
  return spec(first.dtype, first.shape.with(axis, joined));
}

function addSizes(total: Dimension, size: Dimension): Dimension {
  return total === null || size === null ? null : total + size;
}

/** One Slice per wanted input; the positions need static sizes along the axis. */
function concatGradient(context: GradientContext): readonly (Tensor | null)[] {
  const { graph, node } = context;
  const gradient = context.outputGradients[0] ?? null;
  if (gradient === null) return node.inputs.map(() => null);
  const rank = gradient.shape.length;
  const values = node.inputs.slice(0, -1);
  const axis = resolveAxes(readConstant(inputAt(node, values.length)), rank)?.[0] ?? 0;
  let position = 0;
  const slices = values.map((value, index) => {
    const size = value.shape[axis] ?? null;
    if (size === null) throw new LabError('internal', 'The gradient of ConcatV2 along the batch needs batches of known size.');
    const begin = new Array<number>(rank).fill(0).with(axis, position);
    position += size;
    if (!context.isWanted(index)) return null;
    const sizes = value.shape.map((known) => known ?? -1);
    return graph.op('Slice', [gradient, integers(graph, begin, 'begin'), integers(graph, sizes, 'sizes')]);
  });
  return [...slices, null];
}

function inferSlice(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const begin = readConstant(inputAt(site, 1));
  const sizes = readConstant(inputAt(site, 2));
  const result = input.shape.map((size, axis) => {
    const start = begin[axis] ?? 0;
    const length = sizes[axis] ?? -1;
    if (length === -1) return size === null ? (start === 0 ? null : undefined) : size - start;
    return size !== null && start + length > size ? undefined : length;
  });
  const isInside = begin.length === input.shape.length && begin.every((start) => start >= 0);
  if (!isInside || result.some((size) => size === undefined || (size !== null && size < 0))) {
    reject(site, 'the part to cut out is not inside the input', {
      expected: `a part of ${describeShape(input.shape)}`,
      received: `sizes [${sizes.join(', ')}] from [${begin.join(', ')}]`,
    });
  }
  return spec(
    input.dtype,
    result.map((size) => size ?? null),
  );
}

function padSlice({ graph, gradient, input }: Backward): Tensor {
  const begin = readConstant(input(1));
  const paddings = begin.flatMap((start, axis) => {
    const whole = input(0).shape[axis] ?? null;
    const part = gradient.shape[axis] ?? null;
    if (whole === null || part === null) {
      if (whole === part) return [0, 0];
      throw new LabError('internal', 'The gradient of Slice along the batch needs a batch of known size.');
    }
    return [start, whole - start - part];
  });
  return graph.op('Pad', [gradient, graph.constant(Int32Array.from(paddings), 'int32', [begin.length, 2], { name: 'paddings' })]);
}

function inferPad(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const paddings = readConstant(inputAt(site, 1));
  if (paddings.length !== 2 * input.shape.length || paddings.some((size) => size < 0)) {
    reject(site, 'its paddings do not fit the input', {
      expected: `two sizes for each dimension of ${describeShape(input.shape)}`,
      received: `[${paddings.join(', ')}]`,
    });
  }
  const grow = (size: Dimension, axis: number): Dimension => addSizes(size, (paddings[2 * axis] ?? 0) + (paddings[2 * axis + 1] ?? 0));
  return spec(input.dtype, input.shape.map(grow));
}

function cutPadding({ graph, gradient, input }: Backward): Tensor {
  const paddings = readConstant(input(1));
  const begin = input(0).shape.map((_, axis) => paddings[2 * axis] ?? 0);
  const hasUnknown = input(0).shape.some((size, axis) => size === null && (paddings[2 * axis] !== 0 || paddings[2 * axis + 1] !== 0));
  if (hasUnknown) throw new LabError('internal', 'A batch of unknown size cannot be padded where a gradient is needed.');
  const sizes = input(0).shape.map((size) => size ?? -1);
  return graph.op('Slice', [gradient, integers(graph, begin, 'begin'), integers(graph, sizes, 'sizes')]);
}

interface StridedRange {
  readonly size: Dimension;
  readonly isDropped: boolean;
}

/** Positive strides, begin, end and shrink masks: what layers need. Ellipsis and new axes are not supported. */
function inferStridedSlice(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const ranges = input.shape.map((size, axis) => readRange(site, size, axis));
  return spec(
    input.dtype,
    ranges.flatMap(({ size, isDropped }) => (isDropped ? [] : [size])),
  );
}

function readRange(site: Site, size: Dimension, axis: number): StridedRange {
  const [begin, end, stride] = [1, 2, 3].map((index) => readConstant(inputAt(site, index))[axis]);
  if (begin === undefined || end === undefined || stride === undefined) return { size, isDropped: false };
  const isSet = (mask: string): boolean => ((getAttribute(site.attributes, mask, 'int') >> axis) & 1) === 1;
  if (isSet('shrink_axis_mask')) return { size: 1, isDropped: true };
  const fromStart = isSet('begin_mask');
  const toEnd = isSet('end_mask');
  if (size === null) {
    if (fromStart && toEnd && stride === 1) return { size, isDropped: false };
    reject(site, 'it cuts a batch of unknown size', { expected: 'the whole batch', received: `${begin} to ${end} by ${stride}` });
  }
  if (stride < 1) reject(site, 'its stride is not positive', { expected: 'a positive stride', received: `${stride}` });
  const clamp = (position: number): number => Math.min(Math.max(position < 0 ? position + size : position, 0), size);
  const length = (toEnd ? size : clamp(end)) - (fromStart ? 0 : clamp(begin));
  return { size: Math.max(Math.ceil(length / stride), 0), isDropped: false };
}

function stridedSliceGradient({ graph, gradient, node, input }: Backward): Tensor {
  const inputs = [shapeOf(graph, input(0)), input(1), input(2), input(3), gradient];
  return graph.op('StridedSliceGrad', inputs, masksOf(node.attributes));
}

function masksOf(attributes: Attributes): Attributes {
  const masks = ['begin_mask', 'end_mask', 'shrink_axis_mask'];
  return Object.fromEntries(masks.map((mask) => [mask, int(getAttribute(attributes, mask, 'int'))]));
}
