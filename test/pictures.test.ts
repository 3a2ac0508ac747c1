// Addresses, layout and drawing of pictures. What is drawn is decoded again and compared with the bytes of the store.
import fc from 'fast-check';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import {
  meanUrl,
  parsePicturePath,
  pictureUrl,
  sheetLayout,
  sheetUrl,
  tilePlace,
  type PictureSplit,
} from '../src/shared/domain/pictures.ts';
import { writeStore, type PictureShape } from '../src/main/data/storeWriter.ts';
import { createViewerHandlers } from '../src/main/viewer/requests.ts';
import { patternedPixels, temporaryFolder } from './dataFiles.ts';

const never = new AbortController().signal;
const print = 'a'.repeat(64);
const shapes = fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 }), fc.constantFrom(1, 3));

describe('sheet layout', () => {
  test.each([
    [
      [28, 28, 1],
      [28, 28, 20, 25],
    ],
    [
      [32, 32, 3],
      [32, 32, 18, 18],
    ],
    [
      [224, 224, 3],
      [96, 96, 6, 6],
    ],
    [
      [100, 400, 1],
      [24, 96, 20, 22],
    ],
  ])('of %j is %j', (shape, [height, width, columns, rows]) => {
    expect(sheetLayout(shape)).toMatchObject({ tileHeight: height, tileWidth: width, columns, rows });
  });

  test('keeps small pictures, bounds big ones, and a sheet stays below 1 MiB', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { tileHeight, tileWidth, columns, rows, perSheet } = sheetLayout(shape);
        const longer = Math.max(shape[0], shape[1]);
        expect(Math.max(tileHeight, tileWidth)).toBe(longer <= 64 ? longer : 96);
        expect(perSheet).toBe(columns * rows);
        expect(perSheet).toBeGreaterThan(0);
        expect(tileHeight * tileWidth * shape[2] * perSheet).toBeLessThanOrEqual(2 ** 20);
      }),
    );
  });

  test('gives every picture a place of its own inside its sheet', () => {
    fc.assert(
      fc.property(shapes, fc.nat(100_000), (shape, position) => {
        const layout = sheetLayout(shape);
        const { page, x, y } = tilePlace(layout, position);
        expect(x % layout.tileWidth).toBe(0);
        expect(x).toBeLessThan(layout.columns * layout.tileWidth);
        expect(y).toBeLessThan(layout.rows * layout.tileHeight);
        expect(page * layout.perSheet + (y / layout.tileHeight) * layout.columns + x / layout.tileWidth).toBe(position);
      }),
    );
  });
});

const splits = fc.constantFrom<PictureSplit>('all', 'train', 'test');
const numbers = fc.nat(999_999);

describe('picture addresses', () => {
  test('are taken apart into what they were made of', () => {
    const classes = fc.option(fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 1000 }));
    fc.assert(
      fc.property(splits, classes, numbers, (split, chosen, page) => {
        const address = { fingerprint: print, split, classes: chosen, page };
        const sorted = chosen === null ? null : chosen.toSorted((a, b) => a - b);
        expect(parsePicturePath(sheetUrl(address))).toEqual({ type: 'sheet', ...address, classes: sorted });
        expect(parsePicturePath(pictureUrl(print, page))).toEqual({ type: 'picture', fingerprint: print, index: page });
        const mean = { type: 'mean', fingerprint: print, split };
        expect(parsePicturePath(meanUrl(print, split, page))).toEqual({ ...mean, classes: [page] });
        expect(parsePicturePath(meanUrl(print, split, 'all'))).toEqual({ ...mean, classes: null });
      }),
    );
  });

  test.each([
    '',
    '/',
    `/sheet/${print}/all/all/00.png`,
    `/sheet/${print}/all/all/-1.png`,
    `/sheet/${print}/all/all/1e3.png`,
    `/sheet/${print}/all/all/0.png/`,
    `/sheet/${print}/all/all/0.png\n`,
    `/sheet/${print}/all/all/0.png?x`,
    `/sheet/${print}/all//0.png`,
    `/sheet/${print}/all/3.1/0.png`,
    `/sheet/${print}/all/1.1/0.png`,
    `/sheet/${print}/all/all.1/0.png`,
    `/sheet/${print}/both/all/0.png`,
    `/sheet/${print}/all/all/%30.png`,
    `/Sheet/${print}/all/all/0.png`,
    `//sheet/${print}/all/all/0.png`,
    `/sheet/${print.toUpperCase()}/all/all/0.png`,
    `/sheet/${print.slice(1)}/all/all/0.png`,
    `/sheet/../picture/${print}/0.png`,
    `/picture/${print}/0.PNG`,
    `/picture/${print}/1234567890.png`,
    `/mean/${print}/all/1.2.png`,
  ])('%j is none', (path) => {
    expect(parsePicturePath(path)).toBeUndefined();
  });
});

interface Dataset {
  readonly shape: PictureShape;
  readonly train: number;
  readonly test: number;
}

/** Pictures with a pattern, labelled 0, 1, 2, 0, ... */
async function openDataset({ shape, train, test: testCount }: Dataset) {
  const folder = join(await temporaryFolder(), 'store');
  const pictureBytes = shape[0] * shape[1] * shape[2];
  const count = train + testCount;
  const pixels = patternedPixels(count * pictureBytes);
  const labels = Array.from({ length: count }, (_, index) => index % 3);
  const { fingerprint } = await writeStore(
    folder,
    { id: 'drawn', name: 'Drawn', kind: 'idx', classes: ['a', 'b', 'c'], shape, origin: 'a test', licence: null, sources: () => [] },
    [
      { part: 'train', labels: labels.slice(0, train), pixels: pixels.subarray(0, train * pictureBytes) },
      { part: 'test', labels: labels.slice(train), pixels: pixels.subarray(train * pictureBytes) },
    ],
  );
  const pictureAt = (index: number): Uint8Array => pixels.subarray(index * pictureBytes, (index + 1) * pictureBytes);
  return { store: { folder, fingerprint }, labels, pictureAt, viewer: createViewerHandlers() };
}

async function decode(png: Uint8Array) {
  const { format, space } = await sharp(png).metadata();
  expect(format).toBe('png');
  const { data, info } = await sharp(png).toColourspace(space).raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, height: info.height, width: info.width, channels: info.channels };
}

type Decoded = Awaited<ReturnType<typeof decode>>;

function cut({ pixels, width, channels }: Decoded, x: number, y: number, tileWidth: number, tileHeight: number): Buffer {
  const rows = Array.from({ length: tileHeight }, (_, row) => {
    const start = ((y + row) * width + x) * channels;
    return pixels.subarray(start, start + tileWidth * channels);
  });
  return Buffer.concat(rows);
}

describe('drawing', () => {
  test.each<[string, PictureShape]>([
    ['grey', [7, 5, 1]],
    ['colour', [6, 9, 3]],
  ])('sheets of %s pictures hold their exact bytes, in order, page after page', async (_, shape) => {
    const { store, labels, pictureAt, viewer } = await openDataset({ shape, train: 700, test: 150 });
    const filter = { split: 'all' as const, classes: [0, 2] };
    const wanted = labels.flatMap((label, index) => (label === 1 ? [] : [index]));
    const layout = sheetLayout(shape);
    expect(wanted.length).toBeGreaterThan(layout.perSheet);
    const sheets = [0, 1].map(async (page) => decode((await viewer.sheet({ ...store, ...filter, page }, never)).png));
    const drawn = await Promise.all(sheets);
    for (const sheet of drawn) {
      const { width, height, channels } = sheet;
      expect([width, height]).toEqual([layout.columns * layout.tileWidth, layout.rows * layout.tileHeight]);
      expect(channels).toBe(shape[2]);
    }
    for (const [position, index] of wanted.entries()) {
      const { page, x, y } = tilePlace(layout, position);
      const sheet = drawn[page];
      if (sheet === undefined) throw new Error(`There is no page ${page}.`);
      expect(Buffer.compare(cut(sheet, x, y, layout.tileWidth, layout.tileHeight), pictureAt(index))).toBe(0);
    }
    await expect(viewer.sheet({ ...store, ...filter, page: 2 }, never)).rejects.toMatchObject({ code: 'not_found' });
    await expect(viewer.sheet({ ...store, ...filter, classes: [9], page: 0 }, never)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('big pictures are averaged into tiles of the same proportions', async () => {
    const shape: PictureShape = [80, 160, 3];
    const { store, pictureAt, viewer } = await openDataset({ shape, train: 6, test: 3 });
    const layout = sheetLayout(shape);
    const sheet = await decode((await viewer.sheet({ ...store, split: 'test', classes: null, page: 0 }, never)).png);
    expect(layout).toMatchObject({ tileHeight: 48, tileWidth: 96 });
    const mean = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum + byte, 0) / bytes.length;
    for (const position of [0, 1, 2]) {
      const { x, y } = tilePlace(layout, position);
      const tile = cut(sheet, x, y, 96, 48);
      expect(mean(tile)).toBeCloseTo(mean(pictureAt(6 + position)), 0);
      // The pattern is finer than a pixel of the tile: picking single pixels would keep its full range.
      expect(Math.max(...tile) - Math.min(...tile)).toBeLessThan(200);
    }
  });

  test('a picture has its exact bytes at its own size, and its pixels are the same', async () => {
    const { store, pictureAt, labels, viewer } = await openDataset({ shape: [70, 90, 3], train: 6, test: 3 });
    const drawn = await decode((await viewer.picture({ ...store, index: 7 }, never)).png);
    expect([drawn.height, drawn.width, drawn.channels]).toEqual([70, 90, 3]);
    expect(Buffer.compare(drawn.pixels, pictureAt(7))).toBe(0);
    const { pixels, label } = await viewer.pixels({ ...store, index: 7 }, never);
    expect(Buffer.compare(pixels, pictureAt(7))).toBe(0);
    expect(label).toBe(labels[7]);
    await expect(viewer.picture({ ...store, index: 9 }, never)).rejects.toMatchObject({ code: 'not_found', expected: '0 to 8' });
  });

  test.each<['all' | 'train' | 'test', number[] | null]>([
    ['all', null],
    ['train', [1]],
    ['test', [2]],
  ])('the mean of %s %j is the mean of the bytes', async (split, classes) => {
    const shape: PictureShape = [9, 8, 3];
    const { store, labels, pictureAt, viewer } = await openDataset({ shape, train: 40, test: 20 });
    const inSplit = (index: number): boolean => split === 'all' || index < 40 === (split === 'train');
    const chosen = [...labels.keys()].filter((index) => inSplit(index) && (classes?.includes(labels[index] ?? -1) ?? true));
    const expected = Array.from({ length: 9 * 8 * 3 }, (_, at) =>
      Math.round(chosen.reduce((sum, index) => sum + (pictureAt(index)[at] ?? 0), 0) / chosen.length),
    );
    const ask = async () => decode((await viewer.mean({ ...store, split, classes }, never)).png);
    expect([...(await ask()).pixels]).toEqual(expected);
    expect([...(await ask()).pixels]).toEqual(expected);
    await expect(viewer.mean({ ...store, split, classes: [7] }, never)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('browsing gives what the filter leaves, page by page', async () => {
    const { store, labels, viewer } = await openDataset({ shape: [2, 2, 1], train: 50, test: 25 });
    await fc.assert(
      fc.asyncProperty(splits, fc.option(fc.subarray([0, 1, 2, 3])), fc.nat(80), fc.nat(80), async (split, classes, offset, limit) => {
        const all = labels
          .map((label, index) => ({ index, label }))
          .filter(({ index, label }) => (split === 'all' || index < 50 === (split === 'train')) && (classes?.includes(label) ?? true));
        expect(await viewer.browse({ ...store, split, classes, offset, limit }, never)).toEqual({
          total: all.length,
          pictures: all.slice(offset, offset + limit),
        });
      }),
    );
  });

  test('a dataset that is not the expected one is not shown', async () => {
    const { store, viewer } = await openDataset({ shape: [2, 2, 1], train: 6, test: 0 });
    const other = viewer.picture({ ...store, fingerprint: print, index: 0 }, never);
    await expect(other).rejects.toMatchObject({ code: 'dataset_changed' });
    const gone = viewer.picture({ folder: `${store.folder}-gone`, fingerprint: print, index: 0 }, never);
    await expect(gone).rejects.toMatchObject({ code: 'dataset_missing' });
  });

  test('a sheet and a mean that nobody wants any more are given up', async () => {
    const { store, viewer } = await openDataset({ shape: [70, 70, 1], train: 100, test: 0 });
    const request = { ...store, split: 'all' as const, classes: null };
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(viewer.sheet({ ...request, page: 0 }, gone)).rejects.toThrow('gone');
    await expect(viewer.mean(request, gone)).rejects.toThrow('gone');
  });
});
