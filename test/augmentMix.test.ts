// Crop, cutout and mixing against plain numpy, and more of Keras's transforms; the fixture is that of scripts/fixtures/augment_mix.py.
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { applyTransform, createAugmenter } from '../src/main/data/augment.ts';
import { mixPictures } from '../src/main/data/augmentMix.ts';
import { createPrefetcher, type PrefetchedSource } from '../src/main/data/augmentPrefetch.ts';
import { transformBatches, type BatchSource } from '../src/main/data/batches.ts';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { cutoutAt, drawTransform, neutralTransform, type TransformParameters } from '../src/shared/domain/augment.ts';
import { drawBeta, drawMix, pasteAt, type RowMix } from '../src/shared/domain/augmentMix.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { openFixture, placeSchema } from './kerasFixture.ts';

const shapeSchema = z.tuple([z.int(), z.int(), z.int()]);
const number = z.number();
const fill = { fillMode: augmentationSchema.shape.fillMode.unwrap(), cval: number };
const picture = { shape: shapeSchema, picture: placeSchema, expected: placeSchema };
const parametersSchema = z.record(z.string(), z.union([number, z.boolean()]));
const centre = z.tuple([z.int(), z.int()]);
const hole = { size: z.int(), value: number, centre };
const rowSchema = z.strictObject({ partner: z.int(), drawn: number, centre: centre.nullable(), share: number });
const fixture = openFixture('augment', 'augment_mix', {
  crops: z.array(z.strictObject({ ...picture, ...fill, down: z.int(), right: z.int() })),
  holes: z.array(z.strictObject({ ...picture, ...hole })),
  orders: z.array(
    z.strictObject({
      ...picture,
      ...fill,
      parameters: parametersSchema,
      crop: z.strictObject({ down: z.int(), right: z.int() }),
      cutout: z.strictObject(hole),
    }),
  ),
  mixes: z.array(
    z.strictObject({ name: z.string(), shape: shapeSchema, pictures: placeSchema, rows: z.array(rowSchema), expected: placeSchema }),
  ),
  transforms: z.array(z.strictObject({ ...picture, ...fill, parameters: parametersSchema })),
  standardized: z.unknown(),
  fits: z.unknown(),
  shares: z.array(z.strictObject({ alpha: number, quantiles: z.array(number) })),
});
const { index, read } = fixture;

const noFill = { fillMode: 'nearest', cval: 0 } as const;
const bytesOf = (place: z.infer<typeof placeSchema>): Uint8Array => Uint8Array.from(read(place).data);

function expectPixels(received: Float32Array, place: z.infer<typeof placeSchema>, what: string): void {
  const expected = read(place).data;
  const worst = expected.reduce((largest, level, at) => Math.max(largest, Math.abs(level - (received[at] ?? Number.NaN))), 0);
  expect(worst, what).toBeLessThan(1e-4);
}

describe('single pictures', () => {
  test('a crop moves whole pixels as numpy.pad and a slice, in every fill mode', () => {
    for (const { down, right, ...entry } of index.crops) {
      const received = applyTransform(bytesOf(entry.picture), entry.shape, { ...neutralTransform, crop: { down, right } }, entry);
      expectPixels(received, entry.expected, `${entry.fillMode} ${entry.shape.join('x')} by ${down}, ${right}`);
    }
  });

  test('cutout covers a square about its centre', () => {
    for (const { shape, picture: place, expected, size, value, centre: at } of index.holes) {
      const cutout = cutoutAt({ size, value }, shape, ...at);
      expectPixels(applyTransform(bytesOf(place), shape, { ...neutralTransform, cutout }, noFill), expected, `${size} at ${at.join()}`);
    }
  });

  test("Keras's transforms come first, then the crop, then the hole", () => {
    for (const entry of index.orders) {
      const cutout = cutoutAt(entry.cutout, entry.shape, ...entry.cutout.centre);
      const parameters = { ...neutralTransform, ...entry.parameters, crop: entry.crop, cutout } as TransformParameters;
      expectPixels(applyTransform(bytesOf(entry.picture), entry.shape, parameters, entry), entry.expected, entry.fillMode);
    }
  });

  test("long pictures and other pairs of Keras's transforms", () => {
    expect(index.transforms.length).toBeGreaterThan(60);
    for (const entry of index.transforms) {
      const parameters = { ...neutralTransform, ...entry.parameters };
      const received = applyTransform(bytesOf(entry.picture), entry.shape, parameters, entry);
      expectPixels(received, entry.expected, `${entry.fillMode} ${JSON.stringify(entry.parameters)}`);
    }
  });
});

describe('drawn crops and holes', () => {
  const old = augmentationSchema.parse({ rotationRange: 45, zoomRange: 0.2, channelShiftRange: 9, brightnessRange: [0.5, 1.5] });
  const more = augmentationSchema.parse({ ...old, randomCrop: { padding: 2 }, cutout: { size: 4, value: 7 } });
  const draw = (augmentation: typeof old, sample: number) => drawTransform(augmentation, [9, 6, 3], 5, 1, sample, 0);

  test('leave what was drawn before as it was, and one another', () => {
    for (let sample = 0; sample < 50; sample++) {
      const both = draw(more, sample);
      expect({ ...both, crop: null, cutout: null }).toEqual(draw(old, sample));
      expect(draw({ ...more, randomCrop: null }, sample).cutout).toEqual(both.cutout);
      expect(draw({ ...more, cutout: null, brightnessRange: null }, sample).crop).toEqual(both.crop);
    }
  });

  test('runs of earlier versions keep their transforms: a draw is what it always was', () => {
    const options = {
      rotationRange: 45,
      widthShiftRange: 0.3,
      heightShiftRange: 3,
      shearRange: 10,
      zoomRange: 0.25,
      channelShiftRange: 30,
    };
    const whole = augmentationSchema.parse({ ...options, brightnessRange: [0.5, 1.5], horizontalFlip: true, verticalFlip: true });
    expect(drawTransform(whole, [20, 32, 3], 7, 2, 5, 1)).toEqual({
      ...{ theta: 18.00423302582235, tx: -1, ty: -1.1880409054873815, shear: -8.503293692841202 },
      ...{ zx: 1.1488191165131438, zy: 1.0446174846439993, flipHorizontal: true, flipVertical: true },
      ...{ channelShiftIntensity: 4.073591968522663, brightness: 0.5653557508873441, crop: null, cutout: null },
    });
  });

  test('reach every place equally often and stay inside', () => {
    const drawn = Array.from({ length: 20_000 }, (_, sample) => draw(more, sample));
    const downs = Map.groupBy(drawn, ({ crop }) => crop?.down);
    expect([...downs.keys()].toSorted()).toEqual([-1, -2, 0, 1, 2]);
    for (const group of downs.values()) expect(Math.abs(group.length / 4000 - 1)).toBeLessThan(0.08);
    const holes = Map.groupBy(drawn, ({ cutout }) => `${cutout?.top} ${cutout?.bottom}`);
    expect([...holes.keys()].toSorted()).toEqual(['0 2', '0 3', '0 4', '1 5', '2 6', '3 7', '4 8', '5 9', '6 9']);
    expect(new Set(drawn.map(({ cutout }) => cutout?.value))).toEqual(new Set([7]));
  });
});

const mixOptions = fc.constantFrom(
  augmentationSchema.parse({ mixup: { alpha: 0.4 } }),
  augmentationSchema.parse({ cutmix: { alpha: 1 } }),
  augmentationSchema.parse({ mixup: {}, cutmix: {} }),
);
const place = { seed: 3, phase: 1, epoch: 2, step: 4 };

describe('mixing', () => {
  test.each(index.mixes)('$name as numpy', ({ shape, pictures, rows, expected }) => {
    const pixels = read(pictures).data;
    const rules = rows.map(({ partner, drawn, centre: at }): RowMix =>
      at === null ? { partner, share: drawn, pasted: null } : pasteAt(partner, shape, drawn, ...at),
    );
    rules.forEach(({ share }, row) => expect(share).toBeCloseTo(rows[row]?.share ?? Number.NaN, 12));
    mixPictures(pixels, shape, rules, new Float32Array(shape[0] * shape[1] * shape[2]));
    expectPixels(pixels, expected, 'mixed');
  });

  test('gives every picture one partner and a share, the same ones each time, others in other batches', () => {
    fc.assert(
      fc.property(mixOptions, fc.integer({ min: 1, max: 40 }), fc.nat(1000), (options, count, step) => {
        const rows = drawMix(options, [8, 9, 3], { ...place, step }, count);
        expect(rows.map(({ partner }) => partner).toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, row) => row));
        for (const { share, pasted } of rows) {
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(1);
          if (pasted !== null) expect(share).toBe(1 - ((pasted.bottom - pasted.top) * (pasted.right - pasted.left)) / 72);
        }
        expect(drawMix(options, [8, 9, 3], { ...place, step }, count)).toEqual(rows);
      }),
    );
    const shares = (changed: Partial<typeof place>) =>
      drawMix(augmentationSchema.parse({ mixup: {} }), [4, 4, 1], { ...place, ...changed }, 6).map(({ share }) => share);
    const all = [{}, { seed: 4 }, { phase: 2 }, { epoch: 3 }, { step: 5 }].map((changed) => shares(changed).join());
    expect(new Set(all).size).toBe(5);
  });

  test('with both, each row takes one of them, half of the rows either', () => {
    const both = augmentationSchema.parse({ mixup: {}, cutmix: {} });
    const rows = drawMix(both, [8, 8, 1], place, 10_000);
    expect(rows.filter(({ pasted }) => pasted === null).length / 10_000).toBeCloseTo(0.5, 1);
  });

  test('shares follow the beta distribution of SciPy', () => {
    const count = 20_000;
    for (const { alpha, quantiles } of index.shares) {
      const stream = createStream(11, 'test/beta');
      const drawn = Array.from({ length: count }, () => drawBeta(stream, alpha));
      quantiles.forEach((quantile, position) => {
        const share = 0.05 * (position + 1);
        const below = drawn.filter((value) => value < quantile).length / count;
        const upTo = drawn.filter((value) => value <= quantile).length / count;
        // Four standard deviations of a share of 20,000 are at most 0.0142; with a small alpha many numbers round to 1.
        expect(below, `alpha ${alpha} below ${quantile}`).toBeLessThan(share + 0.0142);
        expect(upTo, `alpha ${alpha} up to ${quantile}`).toBeGreaterThan(share - 0.0142);
      });
    }
    const tiny = createStream(1, 'test/beta');
    const ends = Array.from({ length: 200 }, () => drawBeta(tiny, 1e-4));
    expect(ends.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(ends.filter((value) => value < 0.5).length).toBeGreaterThan(60);
  });
});

describe('mixed batches', { timeout: 60_000 }, () => {
  const shape = [5, 4, 3] as const;
  const size = 60;
  const count = 14;
  const batchSize = 4;
  const bytes = createStream(2, 'pictures');
  const pictures = Uint8Array.from({ length: count * size }, () => bytes.integer(256));
  const augmentation = augmentationSchema.parse({ rotationRange: 20, randomCrop: { padding: 1 }, mixup: { alpha: 0.7 }, cutmix: {} });
  const options = { augmentation, shape, batchSize, seed: 6, phase: 1, passAt: (epoch: number) => epoch + 5 };

  const source = (): BatchSource<Uint8Array> => ({
    sampleShape: shape,
    sampleCount: count,
    steps: 4,
    samplesIn: () => count,
    fill(epoch, step) {
      const samples = Uint32Array.from({ length: Math.min(batchSize, count - step * batchSize) }, (_, row) => step * batchSize + row);
      const input = pictures.slice(step * batchSize * size, (step * batchSize + samples.length) * size);
      return { count: samples.length, input, labels: Int32Array.from(samples, (sample) => (sample * 7 + epoch) % 10), samples, mix: null };
    },
  });
  const open: PrefetchedSource[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  test('hold the pictures augmented alone and then mixed, and the labels and shares that belong to them', () => {
    const mixed = transformBatches(source(), createAugmenter(options));
    for (const [epoch, step] of [
      [0, 0],
      [2, 1],
      [1, 3],
    ] as const) {
      const batch = mixed.fill(epoch, step);
      const plain = source().fill(epoch, step);
      const rows = drawMix(augmentation, shape, { seed: 6, phase: 1, epoch, step }, batch.count);
      const alone = Float32Array.from(
        [...plain.samples].flatMap((sample) => {
          const parameters = drawTransform(augmentation, shape, 6, epoch + 5, sample, 1);
          return [...applyTransform(pictures.slice(sample * size, (sample + 1) * size), shape, parameters, augmentation)];
        }),
      );
      mixPictures(alone, shape, rows, new Float32Array(size));
      expect([...batch.input]).toEqual([...alone]);
      expect([...(batch.mix?.labels ?? [])]).toEqual(rows.map(({ partner }) => plain.labels[partner]));
      expect([...(batch.mix?.shares ?? [])]).toEqual(rows.map(({ share }) => Math.fround(share)));
    }
  });

  test.each([0, 2])('are the same to the last bit from %i threads', (threads) => {
    const workerFile = new URL('../src/main/data/augmentWorker.ts', import.meta.url);
    const prefetched = createPrefetcher(source(), { ...options, workerFile, threads });
    open.push(prefetched);
    const plain = transformBatches(source(), createAugmenter(options));
    for (const [epoch, step] of [
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 0],
      [3, 2],
      [3, 3],
    ] as const) {
      const batch = prefetched.fill(epoch, step);
      const expected = plain.fill(epoch, step);
      expect([...batch.input]).toEqual([...expected.input]);
      expect(batch.mix).toEqual(expected.mix);
    }
  });

  test('are not mixed without mixup and cutmix', () => {
    const plain = { ...options, augmentation: { ...augmentation, mixup: null, cutmix: null } };
    expect(transformBatches(source(), createAugmenter(plain)).fill(0, 0).mix).toBeNull();
  });
});
