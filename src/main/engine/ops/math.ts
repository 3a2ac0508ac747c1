import type { OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, eachInput, inputAt, likeInput, perInput, reject, spec } from './definition.ts';
import type { Backward, OpRule, Site } from './definition.ts';
import { scalar, scale, sumToShapeOf } from './emit.ts';
import { broadcastShapes, describeShape, equalShapes } from './shapes.ts';

/** Element-by-element arithmetic on two tensors with broadcasting, and sums of several. */
export const mathOps: readonly OpDefinition[] = [
  binary(
    'AddV2',
    (backward) => reduceTo(backward, 0, backward.gradient),
    (backward) => reduceTo(backward, 1, backward.gradient),
  ),
  binary(
    'Sub',
    (backward) => reduceTo(backward, 0, backward.gradient),
    (backward) => backward.graph.op('Neg', [reduceTo(backward, 1, backward.gradient)]),
  ),
  binary(
    'Mul',
    (backward) => reduceTo(backward, 0, times(backward, backward.gradient, backward.input(1))),
    (backward) => reduceTo(backward, 1, times(backward, backward.gradient, backward.input(0))),
  ),
  binary('RealDiv', (backward) => reduceTo(backward, 0, divide(backward, backward.gradient)), divisorGradient),
  binary('Pow', baseGradient, exponentGradient),
  binary(
    'Maximum',
    (backward) => keepWhere(backward, 0, 'GreaterEqual', false),
    (backward) => keepWhere(backward, 1, 'GreaterEqual', true),
  ),
  binary(
    'Minimum',
    (backward) => keepWhere(backward, 0, 'LessEqual', false),
    (backward) => keepWhere(backward, 1, 'LessEqual', true),
  ),
  binary(
    'SquaredDifference',
    (backward) => reduceTo(backward, 0, twiceDifference(backward)),
    (backward) => backward.graph.op('Neg', [reduceTo(backward, 1, twiceDifference(backward))]),
  ),
  integerBinary('FloorMod'),
  integerBinary('FloorDiv'),
  integerBinary('BitwiseAnd'),
  integerBinary('BitwiseOr'),
  integerBinary('BitwiseXor'),
  integerBinary('LeftShift'),
  integerBinary('RightShift'),
  define({
    op: 'AddN',
    inputs: { repeated: 'T', then: [] },
    infer: (site) => {
      const first = inputAt(site, 0);
      const other = site.inputs.find((input) => !equalShapes(input.shape, first.shape));
      if (other !== undefined) {
        reject(site, 'its inputs differ in shape', { expected: describeShape(first.shape), received: describeShape(other.shape) });
      }
      return spec(first.dtype, first.shape);
    },
    gradient: eachInput(({ gradient }) => gradient),
  }),
  define({
    op: 'SelectV2',
    inputs: ['bool', 'T', 'T'],
    infer: (site) => spec(inputAt(site, 1).dtype, broadcastAll(site)),
    gradient: perInput(
      null,
      (backward) => reduceTo(backward, 1, select(backward, backward.input(0), false)),
      (backward) => reduceTo(backward, 2, select(backward, backward.input(0), true)),
    ),
  }),
  ...['Equal', 'NotEqual', 'Less', 'LessEqual', 'Greater', 'GreaterEqual'].map((op) =>
    define({ op, inputs: ['T', 'T'], infer: (site) => spec('bool', broadcastAll(site)) }),
  ),
  ...['LogicalAnd', 'LogicalOr'].map((op) => define({ op, inputs: ['bool', 'bool'], infer: (site) => spec('bool', broadcastAll(site)) })),
  define({ op: 'LogicalNot', inputs: ['bool'], infer: likeInput(0) }),
];

function binary(op: string, first: (backward: Backward) => Tensor, second: (backward: Backward) => Tensor): OpDefinition {
  return define({ ...elementwise(op), gradient: perInput(first, second) });
}

function integerBinary(op: string): OpDefinition {
  return define(elementwise(op));
}

function elementwise(op: string): OpRule {
  return { op, inputs: ['T', 'T'], infer: inferElementwise };
}

function inferElementwise(site: Site): readonly TensorSpec[] {
  return spec(inputAt(site, 0).dtype, broadcastAll(site));
}

function broadcastAll(site: Site): TensorSpec['shape'] {
  return site.inputs.reduce<TensorSpec['shape']>((shape, input) => {
    const joined = broadcastShapes(shape, input.shape);
    if (joined === null) {
      reject(site, 'its inputs cannot be broadcast to one shape', {
        expected: 'dimensions that are equal or 1',
        received: site.inputs.map((each) => describeShape(each.shape)).join(' and '),
      });
    }
    return joined;
  }, []);
}

function reduceTo({ graph, input }: Backward, index: number, gradient: Tensor): Tensor {
  return sumToShapeOf(graph, gradient, input(index));
}

function times({ graph }: Backward, first: Tensor, second: Tensor): Tensor {
  return graph.op('Mul', [first, second]);
}

function divide({ graph, input }: Backward, value: Tensor): Tensor {
  return graph.op('RealDiv', [value, input(1)]);
}

/** d(x/y)/dy = -(x/y)/y. */
function divisorGradient(backward: Backward): Tensor {
  const quotient = times(backward, backward.gradient, backward.output(0));
  return backward.graph.op('Neg', [reduceTo(backward, 1, divide(backward, quotient))]);
}

function baseGradient(backward: Backward): Tensor {
  const { graph, gradient, input } = backward;
  const lower = graph.op('Sub', [input(1), scalar(graph, 1, gradient.dtype)]);
  const slope = times(backward, input(1), graph.op('Pow', [input(0), lower]));
  return reduceTo(backward, 0, times(backward, gradient, slope));
}

/** d(x^y)/dy = x^y log x, taken as 0 where x is not positive (as TensorFlow does). */
function exponentGradient(backward: Backward): Tensor {
  const { graph, gradient, input, output } = backward;
  const isPositive = graph.op('Greater', [input(0), scalar(graph, 0, gradient.dtype)]);
  const safe = graph.op('SelectV2', [isPositive, input(0), scalar(graph, 1, gradient.dtype)]);
  const slope = times(backward, output(0), graph.op('Log', [safe]));
  return reduceTo(backward, 1, times(backward, gradient, slope));
}

/** The gradient where the condition holds, or where it does not, and 0 elsewhere. */
function select({ graph, gradient }: Backward, condition: Tensor, isInverted: boolean): Tensor {
  const zero = scalar(graph, 0, gradient.dtype);
  return graph.op('SelectV2', isInverted ? [condition, zero, gradient] : [condition, gradient, zero]);
}

function keepWhere(backward: Backward, index: number, comparison: string, isInverted: boolean): Tensor {
  const condition = backward.graph.op(comparison, [backward.input(0), backward.input(1)]);
  return reduceTo(backward, index, select(backward, condition, isInverted));
}

function twiceDifference(backward: Backward): Tensor {
  const { graph, gradient, input } = backward;
  return times(backward, scale(graph, gradient, 2), graph.op('Sub', [input(0), input(1)]));
}
