import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { augmentationSchema, type Augmentation } from '../src/shared/contract/augmentation.ts';
import { drawTransform, neutralTransform } from '../src/shared/domain/augment.ts';
import { listExtremes } from '../src/shared/domain/augmentExtremes.ts';
import { findAugmentationWarnings } from '../src/shared/domain/augmentWarnings.ts';
import { describeTransform } from '../src/shared/domain/augmentWords.ts';
import { createSheetShelf } from '../src/main/services/sheetShelf.ts';
import { parsePicturePath } from '../src/shared/domain/pictures.ts';
import { createSchedule } from '../src/main/data/schedule.ts';
import { createStream } from '../src/shared/domain/rng.ts';

const digits = Array.from({ length: 10 }, (_, digit) => String(digit));
const clothes = ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'];
const letters = ['a', 'b', 'd', 'p', 'q'];
const signs = ['turn left', 'turn right', 'stop'];
type Input = z.input<typeof augmentationSchema>;

function warn(options: Input, classes: readonly string[], shape: readonly [number, number, number] = [28, 28, 1]) {
  return findAugmentationWarnings(augmentationSchema.parse(options), { classes, shape });
}

describe('warnings', () => {
  test.each<[Input, readonly string[], readonly string[]]>([
    [{ verticalFlip: true }, digits, ['verticalFlip label']],
    [{ verticalFlip: true }, ['six', 'nine'], ['verticalFlip label']],
    [{ verticalFlip: true }, ['digit 6', 'digit 9', 'other'], ['verticalFlip label']],
    [{ verticalFlip: true, horizontalFlip: true }, clothes, []],
    [{ verticalFlip: true }, ['1', 'house', 'tree'], []],
    [{ horizontalFlip: true }, digits, ['horizontalFlip label']],
    [{ horizontalFlip: true, verticalFlip: true }, letters, ['horizontalFlip label', 'verticalFlip label']],
    [{ horizontalFlip: true }, signs, ['horizontalFlip label']],
    [{ verticalFlip: true }, signs, []],
    [{ verticalFlip: true }, ['Thumb_Up', 'Thumb_Down'], ['verticalFlip label']],
    [{ horizontalFlip: true }, ['bright', 'leftover'], []],
    [{ rotationRange: 30 }, digits, []],
    [{ rotationRange: 31 }, digits, ['rotationRange label']],
    [{ rotationRange: 31 }, letters, ['rotationRange label']],
    [{ rotationRange: 180 }, clothes, []],
    [{ rotationRange: 90 }, signs, ['rotationRange label']],
    [{ brightnessRange: [0, 1] }, clothes, ['brightnessRange lost']],
    [{ brightnessRange: [0.1, 1] }, clothes, []],
    [{ channelShiftRange: 128 }, clothes, ['channelShiftRange lost']],
    [{ widthShiftRange: 0.5 }, clothes, ['widthShiftRange lost']],
    [{ widthShiftRange: 0.49, heightShiftRange: 13.9 }, clothes, []],
    [{ heightShiftRange: 15 }, clothes, ['heightShiftRange lost']],
    [{ zoomRange: [0.39, 1] }, clothes, ['zoomRange lost']],
    [{ zoomRange: [-0.1, 3.1] }, clothes, ['zoomRange lost', 'zoomRange lost']],
    [{ zoomRange: [0.4, 3] }, clothes, []],
    [{ randomCrop: { padding: 14 } }, clothes, ['randomCrop lost']],
    [{ randomCrop: { padding: 13 }, cutout: { size: 19 } }, clothes, []],
    [{ cutout: { size: 20 } }, clothes, ['cutout lost']],
    [{ mixup: {}, cutmix: {}, shearRange: 10 }, digits, []],
  ])('%j of %j: %j', (options, classes, expected) => {
    const found = warn(options, classes);
    expect(found.map(({ field, kind }) => `${field} ${kind}`)).toEqual(expected);
    for (const { message } of found) expect(message).toMatch(/^[A-Z].*\.$/);
  });

  test('of shifts know along which side Keras moves', () => {
    // 0.4 of the height of 100 is 40 pixels, which are moved along a width of 60.
    expect(warn({ heightShiftRange: 0.4 }, clothes, [100, 60, 3]).map(({ message }) => message)).toEqual([
      'Shifts of up to 40 of 60 pixels move half or more of the picture out.',
    ]);
    expect(warn({ widthShiftRange: 0.7 }, clothes, [100, 60, 3])).toEqual([]);
  });
});

describe('words', () => {
  test('name what was drawn and leave out what was not', () => {
    expect(describeTransform(neutralTransform)).toEqual([]);
    const drawn = {
      ...neutralTransform,
      ...{ theta: -12.345, tx: -3, ty: 2.5, shear: 0.2, zx: 2, zy: 0.5, flipHorizontal: true, flipVertical: true },
      ...{ channelShiftIntensity: -20, brightness: 1.25, crop: { down: -1, right: 2 } },
      cutout: { top: 0, left: 3, bottom: 4, right: 7, value: 0 },
    };
    expect(describeTransform(drawn).map(({ name, text }) => `${name} ${text}`)).toEqual([
      'rotationRange −12.35°',
      'widthShiftRange 2.5 px up',
      'heightShiftRange 3 px right',
      'shearRange +0.2°',
      'zoomRange width × 0.5, height × 2',
      'channelShiftRange −20 levels',
      'horizontalFlip mirrored',
      'verticalFlip upside down',
      'brightnessRange × 1.25',
      'randomCrop 2 px left, 1 px down',
      'cutout rows 0 to 3, columns 3 to 6',
    ]);
  });
});

describe('extremes', () => {
  const everything: Augmentation = augmentationSchema.parse({
    ...{ rotationRange: 45, widthShiftRange: 4, heightShiftRange: 0.25, shearRange: 10, zoomRange: [0.5, 2], channelShiftRange: 30 },
    ...{ brightnessRange: [0.5, 1.5], horizontalFlip: true, verticalFlip: true, randomCrop: { padding: 3 }, cutout: { size: 4 } },
    ...{ mixup: {}, cutmix: {} },
  });

  test('enclose everything that can be drawn', () => {
    const extremes = listExtremes(everything, [20, 32, 3]);
    const ends = (field: 'theta' | 'tx' | 'ty' | 'shear' | 'zx' | 'channelShiftIntensity' | 'brightness') =>
      extremes.map(({ parameters }) => parameters[field]).filter((value) => value !== null && value !== neutralTransform[field]);
    fc.assert(
      fc.property(fc.nat(), (sample) => {
        const drawn = drawTransform(everything, [20, 32, 3], 1, 0, sample, 0);
        for (const field of ['theta', 'tx', 'ty', 'shear', 'zx', 'channelShiftIntensity', 'brightness'] as const) {
          const [low, high] = ends(field).toSorted((a, b) => Number(a) - Number(b));
          expect(Number(drawn[field]), field).toBeGreaterThanOrEqual(Number(low));
          expect(Number(drawn[field]), field).toBeLessThanOrEqual(Number(high));
        }
      }),
    );
    expect(ends('ty')).toEqual([-3, 3]);
    expect(ends('tx')).toEqual([-5, 5]);
    expect(extremes.map(({ mix }) => mix?.share).filter((share) => share !== undefined)).toEqual([0.5, 1 - (14 * 22) / 640]);
  });

  test('are none for an augmentation that does nothing', () => {
    expect(listExtremes(augmentationSchema.parse({}), [8, 8, 1])).toEqual([]);
  });
});

test('a schedule finds the batch and row in which a pass shows a sample', () => {
  const sizes = fc.record({ count: fc.integer({ min: 1, max: 40 }), batchSize: fc.integer({ min: 1, max: 12 }), pass: fc.nat(9) });
  fc.assert(
    fc.property(sizes, fc.option(fc.integer({ min: 1, max: 9 })), ({ count, batchSize, pass }, stepsPerEpoch) => {
      const order = (one: number): Uint32Array => createStream(4, 'order', one).permutation(count);
      const schedule = createSchedule({ count, batchSize, order, stepsPerEpoch });
      for (let sample = 0; sample < count; sample++) {
        const { epoch, step, row } = schedule.find(pass, sample);
        expect(schedule.locate(epoch, step)[row]).toBe(sample);
        expect(schedule.passAt(epoch, step)).toBe(pass);
        expect(step).toBeLessThan(schedule.steps);
      }
    }),
  );
});

test('sheets are kept by their content, the oldest forgotten beyond the limit, the latest never', () => {
  const shelf = createSheetShelf(100);
  const sheet = (letter: string, length: number) => ({ sha256: letter.repeat(64), png: new Uint8Array(length) });
  const url = shelf.keep(sheet('a', 40));
  expect(parsePicturePath(url)).toEqual({ type: 'augmented', sha256: 'a'.repeat(64) });
  expect(parsePicturePath(`/augmented/${'g'.repeat(64)}.png`)).toBeUndefined();
  shelf.keep(sheet('b', 40));
  shelf.keep(sheet('a', 40));
  shelf.keep(sheet('c', 40));
  expect(shelf.find('a'.repeat(64)).length).toBe(40);
  expect(() => shelf.find('b'.repeat(64))).toThrow('forgotten');
  shelf.keep(sheet('d', 300));
  expect(shelf.find('d'.repeat(64)).length).toBe(300);
  expect(() => shelf.find('c'.repeat(64))).toThrow('forgotten');
});
