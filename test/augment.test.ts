import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { applyTransform, createAugmenter } from '../src/main/data/augment.ts';
import type { Batch } from '../src/main/data/batches.ts';
import { type Augmentation, augmentationSchema } from '../src/shared/contract/schema.ts';
import { drawTransform, type PictureShape, type TransformParameters } from '../src/shared/domain/augment.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { openFixture, placeSchema } from './kerasFixture.ts';

const shapeSchema = z.tuple([z.int(), z.int(), z.int()]);
const fieldSchema = z.enum([
  'theta',
  'tx',
  'ty',
  'shear',
  'zx',
  'zy',
  'flipHorizontal',
  'flipVertical',
  'channelShiftIntensity',
  'brightness',
]);
const fixture = openFixture('augment', 'augment', {
  cases: z.array(
    z.strictObject({
      name: z.string(),
      shape: shapeSchema,
      picture: placeSchema,
      expected: placeSchema,
      fillMode: augmentationSchema.shape.fillMode.unwrap(),
      cval: z.number(),
      parameters: z.partialRecord(fieldSchema, z.union([z.number(), z.boolean()])),
    }),
  ),
  draws: z.array(
    z.strictObject({
      name: z.string(),
      shape: shapeSchema,
      options: augmentationSchema,
      quantiles: z.partialRecord(fieldSchema, z.array(z.number())),
    }),
  ),
});

const neutral: TransformParameters = {
  theta: 0,
  tx: 0,
  ty: 0,
  shear: 0,
  zx: 1,
  zy: 1,
  flipHorizontal: false,
  flipVertical: false,
  channelShiftIntensity: null,
  brightness: null,
};

const everything: Augmentation = augmentationSchema.parse({
  rotationRange: 45,
  widthShiftRange: 0.3,
  heightShiftRange: 0.25,
  shearRange: 10,
  zoomRange: 0.25,
  channelShiftRange: 30,
  brightnessRange: [0.5, 1.5],
  horizontalFlip: true,
  verticalFlip: true,
});

function randomPictures(count: number, shape: PictureShape): Uint8Array {
  const stream = createStream(1, 'test pictures');
  return Uint8Array.from({ length: count * shape[0] * shape[1] * shape[2] }, () => stream.integer(256));
}

function batchOf(pictures: Uint8Array, pictureBytes: number, samples: readonly number[]): Batch<Uint8Array> {
  const input = new Uint8Array(samples.length * pictureBytes);
  for (const [row, sample] of samples.entries())
    input.set(pictures.subarray(sample * pictureBytes, (sample + 1) * pictureBytes), row * pictureBytes);
  return { count: samples.length, input, labels: new Int32Array(samples.length), samples: Uint32Array.from(samples) };
}

describe('applyTransform against Keras 3.15', () => {
  const groups = Map.groupBy(fixture.index.cases, (entry) => `${entry.shape.join('x')} ${entry.fillMode}`);
  test.each([...groups.keys()])('%s', (group) => {
    for (const entry of groups.get(group) ?? []) {
      const { expected, received } = compute(entry);
      const worst = expected.reduce((largest, level, index) => Math.max(largest, Math.abs(level - (received[index] ?? Number.NaN))), 0);
      // Measured: at most 3.1e-5, one step of a float32 near 255. Brightness needs no looser bound: both cut equal float32 levels.
      expect(worst, `${entry.name} ${JSON.stringify(entry.parameters)} cval ${entry.cval}`).toBeLessThan(1e-3);
    }
  });

  function compute(entry: (typeof fixture.index.cases)[number]) {
    const picture = Uint8Array.from(fixture.read(entry.picture).data);
    const parameters = { ...neutral, ...entry.parameters } as TransformParameters;
    return { expected: fixture.read(entry.expected).data, received: applyTransform(picture, entry.shape, parameters, entry) };
  }
});
