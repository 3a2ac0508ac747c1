// The op table without a library: shape rules and refusals.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bool, int, ints, text, type } from '../src/main/engine/attributes.ts';
import { Graph } from '../src/main/engine/graph.ts';
import type { Attributes, DataType, OpDefinition, Shape, Tensor } from '../src/main/engine/graph.ts';
import { convolutionAttributes } from '../src/main/engine/ops/convolution.ts';
import { define, likeInput, mergeFamilies } from '../src/main/engine/ops/definition.ts';
import { integers, runtimeShape, scalar, sum } from '../src/main/engine/ops/emit.ts';
import { poolingAttributes } from '../src/main/engine/ops/pooling.ts';
import { broadcastShapes, slideWindow } from '../src/main/engine/ops/shapes.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { LabError } from '../src/shared/contract/errors.ts';

function start(): { readonly graph: Graph; readonly input: (shape: Shape, dtype?: DataType) => Tensor } {
  const graph = new Graph(opTable);
  return { graph, input: (shape, dtype = 'float32') => graph.placeholder('input', dtype, shape) };
}

type Scene = ReturnType<typeof start>;

function shapeOfResult(build: (scene: Scene) => Tensor): Shape {
  return build(start()).shape;
}

function failure(build: () => unknown): LabError {
  try {
    build();
  } catch (error) {
    if (error instanceof LabError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('shape rules', () => {
  it.each<[string, Shape, (scene: Scene) => Tensor]>([
    ['keeps the batch unknown when it flattens', [null, 392], ({ graph, input }) => flatten(graph, input([null, 7, 7, 8]), 392)],
    ['computes a free size when all sizes are known', [4, 6], ({ graph, input }) => flatten(graph, input([2, 3, 4]), 6)],
    [
      'follows a shape that is put together at run time',
      [null, 1, 1, 8],
      ({ graph, input }) => {
        const images = input([null, 7, 7, 8]);
        return graph.op('StatelessRandomUniform', [runtimeShape(graph, [null, 1, 1, 8], images), integers(graph, [1, 2])]);
      },
    ],
    [
      'follows a shape packed from parts',
      [2, 5],
      ({ graph }) =>
        graph.op('Fill', [graph.op('Pack', [scalar(graph, 2, 'int32'), scalar(graph, 5, 'int32')]), scalar(graph, 1, 'float32')]),
    ],
    ['rounds a SAME window up', [null, 4, 4, 5], ({ graph, input }) => convolve(graph, input([null, 7, 8, 3]), [3, 3, 3, 5], 2, 'SAME')],
    [
      'rounds a VALID window down',
      [null, 3, 3, 5],
      ({ graph, input }) => convolve(graph, input([null, 7, 8, 3]), [3, 3, 3, 5], 2, 'VALID'),
    ],
    [
      'reads little-endian bytes as one number',
      [null, 4],
      ({ graph, input }) => graph.op('Bitcast', [input([null, 4, 4], 'uint8')], { type: type('int32') }),
    ],
    [
      'counts a range',
      [3],
      ({ graph }) =>
        graph.op(
          'Range',
          [2, 11, 3].map((value) => scalar(graph, value, 'int32')),
        ),
    ],
    [
      'does not know a range of unknown length',
      [null],
      ({ graph, input }) => graph.op('Range', [input([], 'int32'), scalar(graph, 9, 'int32'), scalar(graph, 1, 'int32')]),
    ],
    [
      'lets pictures become rows of pixels and back',
      [null, 7, 7, 8],
      ({ graph, input }) => graph.op('Reshape', [flatten(graph, input([null, 7, 7, 8]), 8), integers(graph, [-1, 7, 7, 8])]),
    ],
    [
      'believes a batch size given as a number',
      [3, 8],
      ({ graph, input }) => graph.op('Reshape', [input([null, 8]), integers(graph, [3, 8])]),
    ],
    [
      'keeps a batch that the new shape names',
      [null, 2, 4],
      ({ graph, input }) =>
        graph.op('Reshape', [
          input([null, 8]),
          graph.op('ConcatV2', [
            graph.op('Slice', [graph.op('Shape', [input([null, 8])]), integers(graph, [0]), integers(graph, [1])]),
            integers(graph, [2, -1]),
            scalar(graph, 0, 'int32'),
          ]),
        ]),
    ],
  ])('%s', (_, expected, build) => expect(shapeOfResult(build)).toEqual(expected));

  it('broadcasts as repeated copies do', () => {
    const axis = fc.constantFrom<[number | null, number | null, number | null]>(
      [1, 1, 1],
      [1, 5, 5],
      [4, 1, 4],
      [3, 3, 3],
      [null, null, null],
      [null, 1, null],
    );
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 4 }), fc.nat(4), (axes, dropped) => {
        const first = axes.map(([size]) => size);
        const second = axes.map(([, size]) => size);
        const leading = first.slice(0, dropped).every((size) => size === 1) ? dropped : 0;
        const result = axes.map(([, , size]) => size);
        expect(broadcastShapes(first.slice(leading), second)).toEqual(second.length === 0 ? first : result);
      }),
    );
    expect(broadcastShapes([2, 3], [4, 3])).toBeNull();
    expect(broadcastShapes([null, 3], [4, 3])).toBeNull();
  });

  it('counts window positions as sliding does', () => {
    const size = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(
        size,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (length, window, stride, dilation) => {
          const last = (window - 1) * dilation;
          const positions = Array.from({ length }, (_, position) => position).filter((position) => position % stride === 0);
          expect(Math.max(slideWindow(length, window, stride, dilation, 'VALID') ?? 0, 0)).toBe(
            positions.filter((position) => position + last < length).length,
          );
          expect(slideWindow(length, window, stride, dilation, 'SAME')).toBe(positions.length);
        },
      ),
    );
  });
});

function flatten(graph: Graph, tensor: Tensor, size: number): Tensor {
  return graph.op('Reshape', [tensor, integers(graph, [-1, size])]);
}

function convolve(graph: Graph, images: Tensor, filter: readonly number[], stride: number, padding: 'SAME' | 'VALID'): Tensor {
  return graph.op('Conv2D', [images, graph.placeholder('filter', 'float32', filter)], convolutionAttributes([stride, stride], padding));
}

type Refusal = [string, string, (scene: Scene) => unknown];
const vector = (graph: Graph, ...values: number[]): Tensor => integers(graph, values);
const window: Attributes = poolingAttributes([2, 2], [2, 2], 'VALID');

const refusals: readonly Refusal[] = [
  ['too few inputs', 'wrong number of inputs', ({ graph, input }) => graph.op('AddV2', [input([2])])],
  ['mixed types', 'input 1 has the wrong data type', ({ graph, input }) => graph.op('AddV2', [input([2]), input([2], 'bfloat16')])],
  ['a fixed type', 'input 0 has the wrong data type', ({ graph, input }) => graph.op('LogicalNot', [input([2])])],
  ['shapes that do not broadcast', 'cannot be broadcast', ({ graph, input }) => graph.op('Mul', [input([2, 3]), input([2])])],
  ['a batch against a fixed size', 'cannot be broadcast', ({ graph, input }) => graph.op('Mul', [input([null, 3]), input([4, 3])])],
  ['sums of different shapes', 'differ in shape', ({ graph, input }) => graph.op('AddN', [input([2]), input([1])])],
  ['a reshape that loses elements', 'another number of elements', ({ graph, input }) => flatten(graph, input([2, 5]), 3)],
  [
    'a reshape that cannot hold whole pictures',
    'another number of elements',
    ({ graph, input }) => flatten(graph, input([null, 7, 7, 8]), 391),
  ],
  [
    'a reshape with two free sizes',
    'another number of elements',
    ({ graph, input }) => graph.op('Reshape', [input([2, 5]), vector(graph, -1, -1)]),
  ],
  [
    'a reshape to a part of each picture',
    'another number of elements',
    ({ graph, input }) => graph.op('Reshape', [input([null, 6]), vector(graph, 4)]),
  ],
  ['a fill with a vector', 'has 1 dimensions', ({ graph, input }) => graph.op('Fill', [vector(graph, 2), input([2])])],
  [
    'a bitcast that leaves bytes over',
    'does not fill one element',
    ({ graph, input }) => graph.op('Bitcast', [input([6], 'uint8')], { type: type('int32') }),
  ],
  ['a new axis outside', 'axis does not exist', ({ graph, input }) => graph.op('ExpandDims', [input([2]), scalar(graph, 3, 'int32')])],
  ['squeezing a real dimension', 'of size 1', ({ graph, input }) => graph.op('Squeeze', [input([2, 1])], { squeeze_dims: ints([0]) })],
  ['an order that repeats an axis', 'not a permutation', ({ graph, input }) => graph.op('Transpose', [input([2, 3]), vector(graph, 1, 1)])],
  ['repeating 2 up to 3', 'cannot be repeated', ({ graph, input }) => graph.op('BroadcastTo', [input([2]), vector(graph, 3)])],
  ['repeating to something smaller', 'cannot be repeated', ({ graph, input }) => graph.op('BroadcastTo', [input([3]), vector(graph, 1)])],
  ['one multiple for two axes', 'one multiple per dimension', ({ graph, input }) => graph.op('Tile', [input([2, 3]), vector(graph, 2)])],
  ['packing different shapes', 'differ in shape', ({ graph, input }) => graph.op('Pack', [input([2]), input([3])])],
  ['unpacking another count', 'number of outputs', ({ graph, input }) => graph.op('Unpack', [input([2])], { num: int(3) })],
  [
    'joining along no axis',
    'axis does not exist',
    ({ graph, input }) => graph.op('ConcatV2', [input([2]), input([2]), scalar(graph, 1, 'int32')]),
  ],
  [
    'joining different widths',
    'differ outside axis 1',
    ({ graph, input }) => graph.op('ConcatV2', [input([2, 3]), input([4, 3]), scalar(graph, 1, 'int32')]),
  ],
  [
    'a slice past the end',
    'not inside the input',
    ({ graph, input }) => graph.op('Slice', [input([4]), vector(graph, 3), vector(graph, 2)]),
  ],
  [
    'a slice before the start',
    'not inside the input',
    ({ graph, input }) => graph.op('Slice', [input([4]), vector(graph, -1), vector(graph, 2)]),
  ],
  [
    'a slice that starts past the end',
    'not inside the input',
    ({ graph, input }) => graph.op('Slice', [input([4]), vector(graph, 5), vector(graph, -1)]),
  ],
  [
    'a slice that cuts the batch',
    'not inside the input',
    ({ graph, input }) => graph.op('Slice', [input([null]), vector(graph, 1), vector(graph, -1)]),
  ],
  [
    'a negative border',
    'paddings do not fit',
    ({ graph, input }) => graph.op('Pad', [input([4]), graph.constant(Int32Array.of(-1, 0), 'int32', [1, 2])]),
  ],
  [
    'borders for another rank',
    'paddings do not fit',
    ({ graph, input }) => graph.op('Pad', [input([4, 4]), graph.constant(Int32Array.of(1, 0), 'int32', [1, 2])]),
  ],
  [
    'a strided cut of the batch',
    'batch of unknown size',
    ({ graph, input }) => graph.op('StridedSlice', [input([null]), vector(graph, 0), vector(graph, 2), vector(graph, 1)]),
  ],
  [
    'a backward stride',
    'stride is not positive',
    ({ graph, input }) => graph.op('StridedSlice', [input([4]), vector(graph, 3), vector(graph, 0), vector(graph, -1)]),
  ],
  ['a sum along no axis', 'axes does not exist', ({ graph, input }) => sum(graph, input([2]), [1], false)],
  ['a softmax of one number', 'single number', ({ graph, input }) => graph.op('Softmax', [input([])])],
  ['a Dense on images', 'has 4 dimensions', ({ graph, input }) => graph.op('MatMul', [input([null, 3, 3, 2]), input([2, 5])])],
  ['matrices that do not chain', 'inner dimensions', ({ graph, input }) => graph.op('MatMul', [input([null, 3]), input([4, 5])])],
  ['a bias of another width', 'bias does not fit', ({ graph, input }) => graph.op('BiasAdd', [input([null, 3]), input([4])])],
  [
    'a filter for other channels',
    'does not fit the channels',
    ({ graph, input }) => convolve(graph, input([null, 8, 8, 1]), [3, 3, 3, 4], 1, 'SAME'),
  ],
  [
    'a window larger than the image',
    'larger than its input',
    ({ graph, input }) => convolve(graph, input([null, 2, 8, 1]), [3, 3, 1, 4], 1, 'VALID'),
  ],
  [
    'explicit padding',
    'padding is not supported',
    ({ graph, input }) => graph.op('MaxPool', [input([null, 4, 4, 1])], { ...window, padding: text('EXPLICIT') }),
  ],
  [
    'uneven depthwise strides',
    'no such depthwise',
    ({ graph, input }) =>
      graph.op('DepthwiseConv2dNative', [input([null, 8, 8, 1]), input([3, 3, 1, 1])], convolutionAttributes([1, 2], 'SAME')),
  ],
  [
    'a dilated depthwise filter',
    'no such depthwise',
    ({ graph, input }) =>
      graph.op('DepthwiseConv2dNative', [input([null, 8, 8, 1]), input([3, 3, 1, 1])], convolutionAttributes([1, 1], 'SAME', [2, 2])),
  ],
  [
    'a scale of another width',
    'does not fit the channels',
    ({ graph, input }) => graph.op('FusedBatchNormV3', [input([null, 2, 2, 3]), ...[2, 3, 3, 3].map((size) => input([size]))]),
  ],
  [
    'no statistics for inference',
    'does not fit the channels',
    ({ graph, input }) =>
      graph.op('FusedBatchNormV3', [input([null, 2, 2, 3]), ...[3, 3, 0, 0].map((size) => input([size]))], { is_training: bool(false) }),
  ],
  [
    'labels of another batch',
    'labels do not fit',
    ({ graph, input }) => graph.op('SparseSoftmaxCrossEntropyWithLogits', [input([4, 3]), input([5], 'int32')]),
  ],
  [
    'sparse labels for dense ones',
    'labels do not fit',
    ({ graph, input }) => graph.op('SoftmaxCrossEntropyWithLogits', [input([null, 3]), input([null])]),
  ],
  ['one seed', 'seed is not a pair', ({ graph }) => graph.op('StatelessRandomUniform', [vector(graph, 3), vector(graph, 1)])],
  ['reading what is no variable', 'is not a variable', ({ graph, input }) => graph.op('ReadVariableOp', [input([], 'resource')])],
  [
    'assigning another shape',
    'value does not fit',
    ({ graph, input }) => graph.effect('AssignVariableOp', [graph.variable('v', 'float32', [2]).handle, input([3])]),
  ],
  [
    'assigning another type',
    'value does not fit',
    ({ graph, input }) => graph.effect('AssignVariableOp', [graph.variable('v', 'float32', [2]).handle, input([2], 'int32')]),
  ],
  [
    'updating with another shape',
    'gradient does not fit',
    ({ graph, input }) => graph.effect('ResourceApplyGradientDescent', [graph.variable('v', 'float32', [2]).handle, input([]), input([3])]),
  ],
  [
    'a vector as learning rate',
    'is not one number',
    ({ graph, input }) =>
      graph.effect('ResourceApplyGradientDescent', [graph.variable('v', 'float32', [2]).handle, input([2]), input([2])]),
  ],
  [
    'an empty picture size',
    'height and a width',
    ({ graph, input }) => graph.op('ResizeBilinear', [input([null, 4, 4, 1]), vector(graph, 0, 4)]),
  ],
  [
    'transforms of six numbers',
    'transforms do not fit',
    ({ graph, input }) =>
      graph.op('ImageProjectiveTransformV3', [input([null, 4, 4, 1]), input([null, 6]), vector(graph, 4, 4), input([])]),
  ],
];

describe('refusals name the op, what was expected and what came', () => {
  it.each(refusals)('%s', (_, problem, build) => {
    const scene = start();
    const error = failure(() => build(scene));
    expect(error.code).toBe('bad_recipe');
    expect(error.message).toMatch(/^The op [A-Z][A-Za-z0-9]+ cannot be built because .*\.$/);
    expect(error.message).toContain(problem);
    expect([error.expected, error.received, error.help]).not.toContain(undefined);
  });

  it('suggests a Flatten where a matrix product gets images', () => {
    const { graph, input } = start();
    expect(failure(() => graph.op('MatMul', [input([null, 3, 3, 2]), input([2, 5])])).help).toContain('Flatten');
  });

  it.each<[string, string, (scene: Scene) => unknown]>([
    [
      'content that does not fill a constant',
      'does not fit its shape',
      ({ graph }) => graph.constant(Float32Array.of(1, 2), 'float32', [3]),
    ],
    ['a float as a bfloat16 constant', 'does not fit its shape', ({ graph }) => graph.constant(1, 'bfloat16')],
    ['an axis known at run time only', 'at run time only', ({ graph, input }) => graph.op('Sum', [input([2]), input([1], 'int32')])],
    ['a shape of unknown length', 'needs a shape', ({ graph, input }) => graph.op('Fill', [input([2], 'int32'), input([])])],
    [
      'OneHot along another axis',
      'last axis only',
      ({ graph, input }) => graph.op('OneHot', [input([2], 'int32'), scalar(graph, 3, 'int32'), input([]), input([])], { axis: int(0) }),
    ],
    [
      'strides over the batch',
      'must be [1, height, width, 1]',
      ({ graph, input }) => graph.op('MaxPool', [input([1, 4, 4, 1])], { ...window, strides: ints([2, 1, 1, 1]) }),
    ],
    ['a batch that does not lead', 'Only a leading batch', ({ graph, input }) => runtimeShape(graph, [3, null], input([null, 3]))],
    ['a constant without content', 'needs the attribute value', ({ graph }) => graph.op('Const', [], { dtype: type('float32') })],
    ['a resource as a constant', 'cannot be a constant', ({ graph }) => scalar(graph, 1, 'resource')],
  ])('%s is a mistake of this program', (_, problem, build) => {
    const error = failure(() => build(start()));
    expect(error.code).toBe('internal');
    expect(error.message).toContain(problem);
  });

  it('does not let two entries share a name', () => {
    const entry: OpDefinition = define({ op: 'Relu', inputs: ['T'], infer: likeInput(0) });
    expect(failure(() => mergeFamilies([[entry], [entry]])).message).toContain('two entries for Relu');
  });
});
