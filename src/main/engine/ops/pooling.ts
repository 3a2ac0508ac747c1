import { ints, text } from '../attributes.ts';
import type { Attributes, OpDefinition, TensorSpec } from '../graph.ts';
import { slideOver } from './convolution.ts';
import { define, inputAt, likeInput, perInput, requestedShape, requireRank, spec } from './definition.ts';
import type { Site } from './definition.ts';
import { shapeOf } from './emit.ts';
import { readWindow } from './shapes.ts';

/** Pooling over [batch, height, width, channels]. */
export const poolingOps: readonly OpDefinition[] = [
  define({
    op: 'MaxPool',
    inputs: ['T'],
    infer: inferPool,
    gradient: perInput(({ graph, gradient, node, input, output }) =>
      graph.op('MaxPoolGrad', [input(0), output(0), gradient], copyAttributes(node.attributes)),
    ),
  }),
  define({
    op: 'AvgPool',
    inputs: ['T'],
    infer: inferPool,
    gradient: perInput(({ graph, gradient, node, input }) =>
      graph.op('AvgPoolGrad', [shapeOf(graph, input(0)), gradient], copyAttributes(node.attributes)),
    ),
  }),
  define({ op: 'MaxPoolGrad', inputs: ['T', 'T', 'T'], infer: likeInput(0) }),
  define({ op: 'AvgPoolGrad', inputs: ['int32', 'T'], infer: (site) => spec(inputAt(site, 1).dtype, requestedShape(site, 0)) }),
];

/** Attributes of a pooling op: equal names and meaning as TensorFlow's. */
export function poolingAttributes(
  window: readonly [number, number],
  strides: readonly [number, number],
  padding: 'SAME' | 'VALID',
): Attributes {
  return { ksize: ints([1, ...window, 1]), strides: ints([1, ...strides, 1]), padding: text(padding) };
}

function inferPool(site: Site): readonly TensorSpec[] {
  const images = requireRank(site, 0, 4);
  return spec(images.dtype, [...slideOver(site, images, readWindow(site, 'ksize')), images.shape[3] ?? null]);
}

function copyAttributes(attributes: Attributes): Attributes {
  const names = ['ksize', 'strides', 'padding'];
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => names.includes(name)));
}
