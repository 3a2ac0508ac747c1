import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { applyTransform, createAugmenter } from '../src/main/data/augment.ts';
import type { Batch } from '../src/main/data/batches.ts';
import { type Augmentation, augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { drawTransform, neutralTransform, type PictureShape, type TransformParameters } from '../src/shared/domain/augment.ts';
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
      // Measured: all values bit-equal, brightness too, since both sides cut the same float32 levels. The bound leaves room for fixtures made
      // with another libm or BLAS; those may then need a whole level at cut levels and at the hard edge of constant fill.
      expect(worst, `${entry.name} ${JSON.stringify(entry.parameters)} cval ${entry.cval}`).toBeLessThan(1e-4);
    }
  });

  function compute(entry: (typeof fixture.index.cases)[number]) {
    const picture = Uint8Array.from(fixture.read(entry.picture).data);
    const parameters = { ...neutralTransform, ...entry.parameters } as TransformParameters;
    return { expected: fixture.read(entry.expected).data, received: applyTransform(picture, entry.shape, parameters, entry) };
  }
});

describe('drawTransform', () => {
  const count = 20_000;

  test.each(fixture.index.draws)('follows the distribution of Keras: $name', ({ shape, options, quantiles }) => {
    const drawn = Array.from({ length: count }, (_, sample) => drawTransform(options, shape, 7, 3, sample, 0));
    for (const field of fieldSchema.options) {
      const values = drawn.map((parameters) => parameters[field]);
      const expected = quantiles[field];
      if (expected === undefined) {
        expect(new Set(values), field).toEqual(new Set([null]));
        continue;
      }
      expected.forEach((quantile, index) => {
        const share = index / (expected.length - 1);
        const below = values.filter((value) => Number(value) < quantile).length / count;
        const upTo = values.filter((value) => Number(value) <= quantile).length / count;
        // 0.02 is four standard deviations of the difference of two such shares at most; discrete values jump over the share.
        expect(below, `${field} below ${quantile}`).toBeLessThan(share + 0.02);
        expect(upTo, `${field} up to ${quantile}`).toBeGreaterThan(share - 0.02);
      });
    }
  });

  test('fields, samples, epochs, phases and seeds are independent', () => {
    const series = (draw: (index: number) => TransformParameters, field: 'theta' | 'zx' | 'zy' | 'tx' | 'ty' | 'shear'): number[] =>
      Array.from({ length: count }, (_, index) => draw(index)[field]);
    const bySample = (index: number) => drawTransform(everything, [32, 32, 3], 5, 0, index, 0);
    const others = [
      series(bySample, 'zy'),
      series(bySample, 'tx'),
      series(bySample, 'theta'),
      series((index) => bySample(index + 1), 'zx'),
      series((index) => drawTransform(everything, [32, 32, 3], 5, 1, index, 0), 'zx'),
      series((index) => drawTransform(everything, [32, 32, 3], 5, 0, index, 1), 'zx'),
      series((index) => drawTransform(everything, [32, 32, 3], 6, 0, index, 0), 'zx'),
      series((index) => drawTransform(everything, [32, 32, 3], 5, index, 0, 0), 'zx'),
    ];
    const base = series(bySample, 'zx');
    for (const other of others) expect(Math.abs(correlation(base, other))).toBeLessThan(0.03);
  });

  test('stays within its ranges and repeats itself', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(5), (seed, epoch, sample, phase) => {
        const first = drawTransform(everything, [20, 32, 3], seed, epoch, sample, phase);
        expect(drawTransform(everything, [20, 32, 3], seed, epoch, sample, phase)).toEqual(first);
        expect(Math.abs(first.theta)).toBeLessThanOrEqual(45);
        expect(Math.abs(first.tx)).toBeLessThanOrEqual(5);
        expect(Math.abs(first.ty)).toBeLessThanOrEqual(9.6);
        expect(Math.abs(first.shear)).toBeLessThanOrEqual(10);
        expect(Math.abs(first.zx - 1)).toBeLessThanOrEqual(0.25);
        expect(Math.abs(first.channelShiftIntensity ?? 99)).toBeLessThanOrEqual(30);
        expect(Math.abs((first.brightness ?? 99) - 1)).toBeLessThanOrEqual(0.5);
      }),
    );
  });

  test('switching one transform off leaves the others as they were', () => {
    const whole = drawTransform(everything, [32, 32, 3], 1, 2, 3, 0);
    const part = drawTransform({ ...everything, rotationRange: 0, brightnessRange: null }, [32, 32, 3], 1, 2, 3, 0);
    expect(part).toEqual({ ...whole, theta: 0, brightness: null });
  });

  test('draws nothing without options', () => {
    expect(drawTransform(augmentationSchema.parse({}), [32, 32, 3], 1, 2, 3, 0)).toEqual(neutralTransform);
  });
});

describe('createAugmenter', () => {
  const shape = [9, 7, 3] as const;
  const size = 9 * 7 * 3;
  const pictures = randomPictures(12, shape);
  const make = (batchSize: number, passAt?: (epoch: number, step: number) => number) =>
    createAugmenter({ augmentation: everything, shape, batchSize, seed: 11, phase: 2, ...(passAt === undefined ? {} : { passAt }) });
  const alone = (sample: number, pass: number): Float32Array =>
    applyTransform(
      pictures.subarray(sample * size, (sample + 1) * size),
      shape,
      drawTransform(everything, shape, 11, pass, sample, 2),
      everything,
    );

  test('a picture in a batch equals the same picture drawn and applied alone, whatever the batch', () => {
    const order = fc.shuffledSubarray(
      Array.from({ length: 12 }, (_, sample) => sample),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(order, fc.nat(4), fc.nat(1000), (samples, spare, epoch) => {
        const output = make(samples.length + spare)(batchOf(pictures, size, samples), epoch, 3).input;
        expect(output.length).toBe(samples.length * size);
        samples.forEach((sample, row) => expect(output.slice(row * size, (row + 1) * size)).toEqual(alone(sample, epoch)));
      }),
      { numRuns: 30 },
    );
  });

  test('keeps the previous batch while the next is made, and aligns both for TensorFlow', () => {
    const augment = make(5);
    const first = augment(batchOf(pictures, size, [0, 1, 2]), 0, 0).input;
    const copy = first.slice();
    const second = augment(batchOf(pictures, size, [3, 4]), 0, 1).input;
    expect(first).toEqual(copy);
    expect(second.subarray(0, size)).toEqual(alone(3, 0));
    expect(first.byteOffset % 64).toBe(0);
    expect(second.byteOffset % 64).toBe(0);
    // WebAssembly pages, the only memory of JavaScript with a promised alignment.
    expect(first.buffer.byteLength % 65_536).toBe(0);
  });

  test('leaves the pictures as they were', () => {
    const batch = batchOf(pictures, size, [5, 6]);
    const before = batch.input.slice();
    make(2)(batch, 0, 0);
    expect(batch.input).toEqual(before);
  });

  test('a sample that comes twice in one long epoch is drawn by its pass', () => {
    const augment = make(2, (epoch, step) => epoch * 10 + step);
    expect(augment(batchOf(pictures, size, [4]), 1, 2).input).toEqual(alone(4, 12));
    expect(augment(batchOf(pictures, size, [4]), 1, 3).input).toEqual(alone(4, 13));
  });

  test('refuses a batch larger than its memory, a picture of another size and pictures with alpha', () => {
    expect(() => make(1)(batchOf(pictures, size, [0, 1]), 0, 0)).toThrow('A batch of 2 pictures came to an augmenter made for 1.');
    expect(() => applyTransform(pictures, shape, neutralTransform, everything)).toThrow('does not have the shape 9x7x3');
    expect(() => createAugmenter({ augmentation: everything, shape: [4, 4, 4], batchSize: 1, seed: 0, phase: 0 })).toThrow(
      'These pictures cannot be augmented.',
    );
  });
});

function correlation(first: readonly number[], second: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [firstMean, secondMean] = [mean(first), mean(second)];
  const covariance = mean(first.map((value, index) => (value - firstMean) * ((second[index] ?? 0) - secondMean)));
  const deviation = (values: readonly number[], centre: number) => Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
  return covariance / (deviation(first, firstMean) * deviation(second, secondMean));
}
