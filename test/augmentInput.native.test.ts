// Standardisation in the graph against Keras; the fixture is that of scripts/fixtures/augment_mix.py.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Graph } from '../src/main/engine/graph.ts';
import { lowerInputPipeline } from '../src/main/engine/inputPipeline.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { inputSchema, type InputPipeline } from '../src/shared/contract/schema.ts';
import { expectClose, openExecutor, openFixture, placeSchema, type Place } from './kerasFixture.ts';

const shapeSchema = z.tuple([z.int(), z.int(), z.int()]);
const scaling = inputSchema.shape.scaling.unwrap();
const { index, read } = openFixture('augment', 'augment_mix', {
  crops: z.unknown(),
  holes: z.unknown(),
  orders: z.unknown(),
  mixes: z.unknown(),
  transforms: z.unknown(),
  shares: z.unknown(),
  standardized: z.array(
    z.strictObject({
      shape: shapeSchema,
      pictures: placeSchema,
      scaling,
      samplewiseCenter: z.boolean(),
      samplewiseStdNormalization: z.boolean(),
      expected: placeSchema,
    }),
  ),
  fits: z.array(
    z.strictObject({
      shape: shapeSchema,
      scaling,
      pictures: placeSchema,
      mean: z.array(z.number()),
      std: z.array(z.number()),
      first: placeSchema,
    }),
  ),
});

/** The pictures at a place as the network sees them, from bytes or from float pixels. */
function pass(input: InputPipeline, place: Place, dtype: 'uint8' | 'float32') {
  const pictures = read(place);
  const graph = new Graph(opTable);
  const feed = graph.placeholder('pixels', dtype, [null, ...pictures.shape.slice(1)]);
  const output = graph.op('Identity', [lowerInputPipeline(graph, feed, input)], {}, { name: 'seen' });
  const data = dtype === 'uint8' ? Uint8Array.from(pictures.data) : pictures.data;
  const session = openExecutor().load(graph);
  try {
    return session.prepare([feed], [output])([{ shape: pictures.shape, data }])[0];
  } finally {
    session.close();
  }
}

test('each picture is standardised as ImageDataGenerator.standardize does it after scaling, from bytes and from float pixels', () => {
  expect(index.standardized).toHaveLength(18);
  for (const { pictures, expected, scaling: wanted, shape, ...flags } of index.standardized) {
    const input = inputSchema.parse({ scaling: wanted, standardization: flags });
    const size = shape[0] * shape[1] * shape[2];
    for (const dtype of ['uint8', 'float32'] as const) {
      const what = `${wanted} ${shape.join('x')} ${JSON.stringify(flags)} ${dtype}`;
      const output = pass(input, pictures, dtype);
      read(expected).data.forEach((level, position) => {
        const isConstant = Math.floor(position / size) === 2;
        // The third picture has one level only: what is left of it is rounding, divided by 1e-6.
        const bound = isConstant && flags.samplewiseStdNormalization ? 0.3 : 2e-5 * (1 + Math.abs(level));
        expect(Math.abs((output?.data[position] ?? Number.NaN) - level), what).toBeLessThan(bound);
      });
    }
  }
});

test('fitted values in normalize give what Keras gives after fit', () => {
  for (const { pictures, scaling: wanted, mean, std, first } of index.fits) {
    const normalize = { mean, std: std.map((value) => value + 1e-6) };
    const output = pass(inputSchema.parse({ scaling: wanted, normalize }), pictures, 'uint8');
    const expected = read(first);
    const data = (output?.data ?? new Float32Array()).slice(0, expected.data.length) as Float32Array;
    expectClose({ shape: expected.shape, data }, expected, 1e-5, 2e-5, wanted);
  }
});
