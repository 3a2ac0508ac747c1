import { LabError } from '../../../shared/contract/errors.ts';
import { getAttribute, int, shape, type } from '../attributes.ts';
import type { DataType, OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, likeInput, perInput, reject, requestedShape, requireRank, spec } from './definition.ts';
import type { Site } from './definition.ts';
import { cast } from './emit.ts';
import { countElements, describeShape, evaluate, readConstant } from './shapes.ts';

const elementBytes: Readonly<Record<DataType, number>> = {
  float32: 4,
  bfloat16: 2,
  float16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  bool: 1,
  resource: 0,
};

/** Ops that bring values in, pass them on, convert them, or make new ones of a given shape. */
export const sourceOps: readonly OpDefinition[] = [
  define({
    op: 'Placeholder',
    inputs: [],
    defaults: { shape: shape([]) },
    infer: ({ attributes }) => spec(getAttribute(attributes, 'dtype', 'type'), getAttribute(attributes, 'shape', 'shape')),
  }),
  define({ op: 'Const', inputs: [], infer: inferConstant }),
  define({ op: 'NoOp', inputs: [], infer: () => [] }),
  define({ op: 'Identity', inputs: ['T'], infer: likeInput(0), gradient: perInput(({ gradient }) => gradient) }),
  define({ op: 'StopGradient', inputs: ['T'], infer: likeInput(0), gradient: perInput(null) }),
  define({
    op: 'Cast',
    inputs: ['SrcT'],
    infer: (site) => spec(getAttribute(site.attributes, 'DstT', 'type'), inputAt(site, 0).shape),
    gradient: (context) => {
      const back = isFloat(inputAt(context.node, 0))
        ? perInput(({ graph, gradient, input }) => cast(graph, gradient, input(0).dtype))
        : perInput(null);
      return back(context);
    },
  }),
  define({ op: 'Bitcast', inputs: ['T'], infer: inferBitcast }),
  define({
    op: 'Shape',
    inputs: ['T'],
    defaults: { out_type: type('int32') },
    infer: (site) => spec(getAttribute(site.attributes, 'out_type', 'type'), [inputAt(site, 0).shape.length]),
  }),
  define({
    op: 'Size',
    inputs: ['T'],
    defaults: { out_type: type('int32') },
    infer: ({ attributes }) => spec(getAttribute(attributes, 'out_type', 'type'), []),
  }),
  define({ op: 'ZerosLike', inputs: ['T'], infer: likeInput(0), gradient: perInput(null) }),
  define({ op: 'OnesLike', inputs: ['T'], infer: likeInput(0), gradient: perInput(null) }),
  define({
    op: 'Fill',
    inputs: ['index_type', 'T'],
    infer: (site) => spec(requireRank(site, 1, 0).dtype, requestedShape(site, 0)),
  }),
  define({ op: 'Range', inputs: ['Tidx', 'Tidx', 'Tidx'], infer: inferRange }),
  define({
    op: 'OneHot',
    inputs: ['TI', 'int32', 'T', 'T'],
    defaults: { axis: int(-1) },
    infer: inferOneHot,
  }),
];

function isFloat(tensor: Tensor): boolean {
  return tensor.dtype === 'float32' || tensor.dtype === 'bfloat16' || tensor.dtype === 'float16';
}

function inferConstant(site: Site): readonly TensorSpec[] {
  const value = site.attributes['value'];
  if (value?.kind !== 'tensor') throw new LabError('internal', 'A Const needs the attribute value.');
  const expected = (countElements(value.shape) ?? 0) * elementBytes[value.dtype];
  if (value.data.byteLength !== expected || value.dtype !== getAttribute(site.attributes, 'dtype', 'type')) {
    throw new LabError('internal', 'The content of a Const does not fit its shape and type.', {
      expected: `${expected} bytes of ${value.dtype} for ${describeShape(value.shape)}`,
      received: `${value.data.byteLength} bytes`,
    });
  }
  return spec(value.dtype, value.shape);
}

/** As in TensorFlow: to a narrower type a last dimension is added, to a wider one the last dimension must be the ratio and goes. */
function inferBitcast(site: Site): readonly TensorSpec[] {
  const input = inputAt(site, 0);
  const target = getAttribute(site.attributes, 'type', 'type');
  const from = elementBytes[input.dtype];
  const to = elementBytes[target];
  if (from === to) return spec(target, input.shape);
  if (from > to) return spec(target, [...input.shape, from / to]);
  if (input.shape.at(-1) !== to / from) {
    reject(site, 'its last dimension does not fill one element of the new type', {
      expected: `a last dimension of ${to / from}`,
      received: `the shape ${describeShape(input.shape)}`,
    });
  }
  return spec(target, input.shape.slice(0, -1));
}

function inferOneHot(site: Site): readonly TensorSpec[] {
  if (getAttribute(site.attributes, 'axis', 'int') !== -1)
    throw new LabError('internal', 'The op OneHot is supported along the last axis only.');
  return spec(requireRank(site, 2, 0).dtype, [...inputAt(site, 0).shape, readConstant(inputAt(site, 1))[0] ?? null]);
}

function inferRange(site: Site): readonly TensorSpec[] {
  const [start, limit, delta] = site.inputs.map((input) => evaluate(input)?.[0]);
  const isStatic = typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number';
  return spec(inputAt(site, 0).dtype, [isStatic ? Math.max(Math.ceil((limit - start) / delta), 0) : null]);
}
