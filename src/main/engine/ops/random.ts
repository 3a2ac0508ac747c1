import { getAttribute, type } from '../attributes.ts';
import type { OpDefinition, TensorSpec } from '../graph.ts';
import { define, reject, requestedShape, requireRank, spec } from './definition.ts';
import type { Site } from './definition.ts';
import { describeShape } from './shapes.ts';

/** Random numbers that follow from a pair of int32 seeds alone: equal seeds give equal numbers on every run. */
export const randomOps: readonly OpDefinition[] = [
  ...['StatelessRandomUniform', 'StatelessRandomNormal', 'StatelessTruncatedNormal'].map((op) =>
    define({ op, inputs: ['T', 'Tseed'], defaults: { dtype: type('float32') }, infer: inferRandom }),
  ),
  define({
    op: 'StatelessRandomUniformFullInt',
    inputs: ['T', 'Tseed'],
    defaults: { dtype: type('int32') },
    infer: inferRandom,
  }),
  define({ op: 'StatelessRandomUniformInt', inputs: ['T', 'Tseed', 'dtype', 'dtype'], infer: inferRandom }),
];

function inferRandom(site: Site): readonly TensorSpec[] {
  const seed = requireRank(site, 1, 1);
  if (seed.shape[0] !== 2) reject(site, 'its seed is not a pair', { expected: '2 integers', received: describeShape(seed.shape) });
  return spec(getAttribute(site.attributes, 'dtype', 'type'), requestedShape(site, 0));
}
