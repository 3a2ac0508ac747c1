// The viewer's augmented pictures against the batches that the trainer really gets, and its statistics against Keras.
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createPictureForm } from '../src/main/data/pictureForm.ts';
import { writeStore } from '../src/main/data/storeWriter.ts';
import { openRunData } from '../src/main/trainer/runData.ts';
import { createViewerHandlers } from '../src/main/viewer/requests.ts';
import { inputSchema, recipeSchema, splitSchema } from '../src/shared/contract/schema.ts';
import type { ViewerAnswer, ViewerRequest } from '../src/shared/contract/viewer.ts';
import { patternedPixels } from './dataFiles.ts';
import { openFixture, placeSchema } from './kerasFixture.ts';
import { makeFolder } from './lab.ts';

const never = new AbortController().signal;
const trainCount = 26;
const shape = [7, 5, 3] as const;
const labels = Array.from({ length: trainCount + 4 }, (_, index) => (index * 5 + Math.floor(index / 4)) % 3);
const workerFile = new URL('../src/main/data/augmentWorker.ts', import.meta.url);

async function writeDataset(pictures: Uint8Array, labelsOfAll: readonly number[], train: number, size: readonly [number, number, 1 | 3]) {
  const folder = join(makeFolder(), 'store');
  const bytes = size[0] * size[1] * size[2];
  const draft = {
    id: 'seen',
    name: 'Seen',
    kind: 'idx',
    classes: ['a', 'b', 'c'],
    shape: [...size],
    origin: 'a test',
    licence: null,
  } as const;
  const blocks = [
    { part: 'train' as const, labels: labelsOfAll.slice(0, train), pixels: pictures.slice(0, train * bytes) },
    { part: 'test' as const, labels: labelsOfAll.slice(train), pixels: pictures.slice(train * bytes) },
  ];
  const { fingerprint } = await writeStore(folder, { ...draft, shape: [size[0], size[1], size[2]], sources: () => [] }, blocks);
  return { folder, fingerprint };
}

const augmentation = {
  rotationRange: 40,
  widthShiftRange: 0.2,
  zoomRange: 0.3,
  channelShiftRange: 90,
  brightnessRange: [0.7, 1.6],
  horizontalFlip: true,
  fillMode: 'constant',
  cval: -30,
  randomCrop: { padding: 2 },
  cutout: { size: 2, value: 200 },
  mixup: { alpha: 0.6 },
  cutmix: {},
};

function makeRecipe(change: { readonly input?: object; readonly phase?: object } = {}) {
  const split = { test: { type: 'ownTestSet' }, validation: { type: 'count', count: 6, position: 'random' }, seed: 3 };
  const phase = { name: 'second', classes: [2, 0], batchSize: 4, stepsPerEpoch: 3, augmentation, ...change.phase };
  const rest = { optimizer: { type: 'SGD' }, epochs: 2 };
  return recipeSchema.parse({
    version: 1,
    id: 'seen',
    title: 'Seen',
    dataset: { id: 'seen', classes: ['a', 'b', 'c'], shape },
    input: change.input ?? {},
    splits: { document: split, sound: split },
    network: { layers: [{ type: 'Flatten', name: 'flatten' }] },
    phases: [
      { name: 'first', classes: [0, 1], batchSize: 8, ...rest },
      { ...rest, ...phase },
    ],
    seed: 12,
  });
}

type Recipe = ReturnType<typeof makeRecipe>;
type Wish = Partial<Pick<ViewerRequest<'augmented'>, 'extremes'>> & Pick<ViewerRequest<'augmented'>, 'pictures'>;

/** The request that services/planning sends for the second phase. */
function requestOf(
  store: { readonly folder: string; readonly fingerprint: string },
  recipe: Recipe,
  wish: Wish,
): ViewerRequest<'augmented'> {
  const [, phase] = recipe.phases;
  if (phase === undefined) throw new Error('The recipe has two phases.');
  const { size, colorMode, resize } = recipe.input;
  const { classes, trainOn, batchSize, stepsPerEpoch } = phase;
  return {
    ...store,
    split: recipe.splits.document,
    input: { size, colorMode, resize },
    phase: { classes, trainOn, batchSize, stepsPerEpoch, augmentation: phase.augmentation },
    position: 1,
    seed: recipe.seed,
    extremes: false,
    ...wish,
  };
}

async function tilesOf(
  { png, columns, tileSize: [height, width], tiles }: ViewerAnswer<'augmented'>,
  channels: 1 | 3,
): Promise<number[][]> {
  const image = sharp(png).toColourspace(channels === 1 ? 'b-w' : 'srgb');
  return Promise.all(
    tiles.map(async (_, position) => {
      const place = { left: (position % columns) * width, top: Math.floor(position / columns) * height, width, height };
      return [...(await image.clone().extract(place).raw().toBuffer())];
    }),
  );
}

const cases = [
  ['as stored', {}],
  ['resized and grey, one pass an epoch', { input: { size: [6, 8], colorMode: 'grayscale' }, phase: { stepsPerEpoch: null } }],
  ['with the validation pictures and all classes', { phase: { trainOn: 'trainAndValidation', classes: null, batchSize: 9 } }],
] as const;

describe('augmented pictures', () => {
  const pictures = patternedPixels(labels.length * 105, 3);
  const open = () => writeDataset(pictures, labels, trainCount, shape);
  const handlers = createViewerHandlers();
  const ask = (request: ViewerRequest<'augmented'>) => handlers.augmented(request, never);

  test.each(cases)('of a batch are exactly those of the training: %s', async (_, change) => {
    const store = await open();
    const recipe = makeRecipe(change);
    const channels = recipe.input.colorMode === 'grayscale' ? 1 : 3;
    const command = { recipe, seed: recipe.seed, datasetFolder: store.folder, cacheFolder: makeFolder() };
    const data = await openRunData(command, workerFile);
    onTestFinished(() => data.close());
    const phase = data.openPhase(1);
    onTestFinished(() => phase.close());
    for (const [epoch, step] of [
      [0, 0],
      [0, 1],
      [1, 2],
      [4, 0],
    ] as const) {
      const batch = phase.train.fill(epoch, step);
      const answer = await ask(requestOf(store, recipe, { pictures: { kind: 'batch', epoch, step, offset: 0, limit: 200 } }));
      const tiles = await tilesOf(answer, channels);
      expect(tiles.flat()).toEqual([...new Uint8ClampedArray(batch.input)]);
      expect(answer.tiles.map(({ sample }) => sample)).toEqual([...batch.samples]);
      expect(answer).toMatchObject({ batchImages: batch.count, trainImages: phase.train.sampleCount, stepsPerEpoch: phase.train.steps });
      const relabel = (label: number | undefined): number => recipe.phases[1]?.classes?.indexOf(label ?? -1) ?? label ?? -1;
      expect(answer.tiles.map(({ label }) => relabel(label))).toEqual([...batch.labels]);
      expect(answer.tiles.map(({ mix }) => relabel(mix?.label))).toEqual([...(batch.mix?.labels ?? [])]);
      expect(answer.tiles.map(({ mix }) => Math.fround(mix?.share ?? -1))).toEqual([...(batch.mix?.shares ?? [])]);

      // The same pictures one by one: variant p is what pass p shows.
      const pass = answer.tiles[0]?.variant ?? -1;
      for (const [row, { index }] of answer.tiles.entries()) {
        const wanted = { kind: 'chosen' as const, indices: [index], variants: pass + 1 };
        const single = await ask(requestOf(store, recipe, { pictures: wanted }));
        expect((await tilesOf(single, channels))[pass + 1]).toEqual(tiles[row]);
        expect(single.tiles[pass + 1]).toEqual(answer.tiles[row]);
      }
      const part = await ask(requestOf(store, recipe, { pictures: { kind: 'batch', epoch, step, offset: 1, limit: 2 } }));
      expect(await tilesOf(part, channels)).toEqual(tiles.slice(1, 3));
    }
  });

  test('begin with the picture as it is in the training, also of pictures that are not trained on', async () => {
    const store = await open();
    const recipe = makeRecipe({ input: { size: [4, 4] } });
    const form = createPictureForm([7, 5, 3], recipe.input);
    const own = (index: number): number[] => [...form.convert(pictures.slice(index * 105, (index + 1) * 105))];
    const answer = await ask(requestOf(store, recipe, { pictures: { kind: 'chosen', indices: [trainCount + 1, 0], variants: 2 } }));
    expect(answer).toMatchObject({ columns: 3, tileSize: [4, 4], batchImages: null });
    const tiles = await tilesOf(answer, 3);
    expect([tiles[0], tiles[3]]).toEqual([own(trainCount + 1), own(0)]);
    expect(answer.tiles.map(({ variant }) => variant)).toEqual([null, 0, 1, null, 0, 1]);
    expect(answer.tiles[1]).toMatchObject({ index: trainCount + 1, sample: null, label: labels[trainCount + 1] });
    expect(answer.tiles[0]).toMatchObject({ parameters: [], mix: null });
    expect(answer.microsecondsPerPicture).toBeGreaterThan(0);
    const again = await ask(requestOf(store, recipe, { pictures: { kind: 'chosen', indices: [trainCount + 1, 0], variants: 2 } }));
    expect(again.sha256).toBe(answer.sha256);

    const plain = makeRecipe({ phase: { augmentation: null } });
    const first = await ask(requestOf(store, plain, { pictures: { kind: 'training', count: 3, variants: 5 } }));
    expect(first.tiles.map(({ sample }) => sample)).toEqual([0, 1, 2]);
    expect(first).toMatchObject({ columns: 1, microsecondsPerPicture: null });
  });

  test('at the ends of every range, each transform alone', async () => {
    const store = await open();
    const simple = { rotationRange: 90, verticalFlip: true, brightnessRange: [0, 1], cutmix: {} };
    const recipe = makeRecipe({ phase: { augmentation: simple } });
    const answer = await ask(requestOf(store, recipe, { pictures: { kind: 'chosen', indices: [1], variants: 0 }, extremes: true }));
    expect(answer.tiles.map(({ extreme }) => extreme)).toEqual([
      null,
      'rotationRange −90°',
      'rotationRange +90°',
      'verticalFlip flipped',
      'brightnessRange 0',
      'brightnessRange 1',
      'cutmix half',
    ]);
    const tiles = await tilesOf(answer, 3);
    const own = [...pictures.slice(105, 210)];
    expect(tiles[0]).toEqual(own);
    expect(tiles[3]).toEqual(Array.from({ length: 7 }, (_, row) => own.slice((6 - row) * 15, (7 - row) * 15)).flat());
    expect(tiles[4]).toEqual(own.map(() => 0));
    expect(tiles[5]).toEqual(own);
    expect(answer.tiles[6]?.mix).toMatchObject({ kind: 'cutmix', share: 1 - (4 * 2) / 35 });
    const batch = { kind: 'batch', epoch: 0, step: 0, offset: 0, limit: 9 } as const;
    await expect(ask(requestOf(store, recipe, { pictures: batch, extremes: true }))).rejects.toMatchObject({ code: 'bad_usage' });
  });

  test('that do not exist, or are too many, are refused', async () => {
    const store = await open();
    const recipe = makeRecipe();
    const refuse = (pictures: Wish['pictures'], error: object, of: Recipe = recipe) =>
      expect(ask(requestOf(store, of, { pictures }))).rejects.toMatchObject(error);
    await refuse({ kind: 'chosen', indices: [0, 30], variants: 1 }, { code: 'not_found', expected: '0 to 29' });
    await refuse({ kind: 'batch', epoch: 0, step: 3, offset: 0, limit: 9 }, { code: 'not_found', expected: '0 to 2' });
    await refuse({ kind: 'batch', epoch: 0, step: 0, offset: 4, limit: 9 }, { code: 'not_found', expected: '0 to 3' });
    const large = makeRecipe({ input: { size: [1024, 1024] } });
    const many = { kind: 'chosen' as const, indices: [0, 1], variants: 5 };
    await refuse(many, { code: 'limit_exceeded', expected: 'at most 10 pictures of 1024 x 1024 pixels' }, large);
    const gone = requestOf(store, recipe, { pictures: { kind: 'chosen', indices: [0], variants: 1 } });
    await expect(handlers.augmented(gone, AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
  });
});

const scaling = inputSchema.shape.scaling.unwrap();
const { index, read } = openFixture('augment', 'augment_mix', {
  ...{ crops: z.unknown(), holes: z.unknown(), orders: z.unknown(), mixes: z.unknown() },
  ...{ transforms: z.unknown(), shares: z.unknown(), standardized: z.unknown() },
  fits: z.array(
    z.strictObject({
      shape: z.tuple([z.int(), z.int(), z.union([z.literal(1), z.literal(3)])]),
      scaling,
      pictures: placeSchema,
      mean: z.array(z.number()),
      std: z.array(z.number()),
      first: placeSchema,
    }),
  ),
});

describe('fitting', () => {
  const handlers = createViewerHandlers();
  const split = splitSchema.parse({});

  test.each(index.fits)('$scaling $shape as ImageDataGenerator.fit', async ({ shape: size, scaling: wanted, pictures, mean, std }) => {
    const train = Uint8Array.from(read(pictures).data);
    const test = patternedPixels(size[0] * size[1] * size[2]);
    const all = Array.from({ length: 31 }, (_, position) => position % 3);
    const store = await writeDataset(Uint8Array.from([...train, ...test]), all, 30, size);
    const answer = await handlers.fit({ ...store, split, input: inputSchema.parse({ scaling: wanted }) }, never);
    expect(answer.images).toBe(30);
    // Keras sums in float32.
    mean.forEach((value, channel) => expect(Math.abs((answer.mean[channel] ?? NaN) - value)).toBeLessThan(2e-6 * (1 + Math.abs(value))));
    std.forEach((value, channel) => expect(Math.abs((answer.std[channel] ?? NaN) - value - 1e-6)).toBeLessThan(2e-6 * (1 + value)));
  });

  test('sees the pictures in the size, colours and order of channels that the network gets', async () => {
    const pictures = patternedPixels(labels.length * 105, 4);
    const store = await writeDataset(pictures, labels, trainCount, shape);
    const form = createPictureForm([7, 5, 3], { size: [4, 3], colorMode: null, resize: 'bilinear' });
    const seen = Array.from({ length: trainCount }, (_, at) => [...form.convert(pictures.slice(at * 105, (at + 1) * 105))]).flat();
    const blue = seen.filter((_, position) => position % 3 === 2);
    const mean = blue.reduce((sum, level) => sum + level, 0) / blue.length;
    const input = inputSchema.parse({ size: [4, 3], scaling: 'caffe' });
    const answer = await handlers.fit({ ...store, split, input }, never);
    expect(answer.mean[0]).toBeCloseTo(mean - 103.939, 9);

    const standardization = { samplewiseCenter: true, samplewiseStdNormalization: true };
    const standardized = await handlers.fit({ ...store, split, input: inputSchema.parse({ standardization }) }, never);
    expect(standardized.mean.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 9);
    expect(
      standardized.std.reduce((sum, value, channel) => sum + (value - 1e-6) ** 2 + (standardized.mean[channel] ?? 0) ** 2, 0),
    ).toBeCloseTo(3, 3);
  });

  test('stops when nobody waits, and refuses what the training would refuse', async () => {
    const store = await writeDataset(patternedPixels(labels.length * 105), labels, trainCount, shape);
    const request = { ...store, split, input: inputSchema.parse({}) };
    await expect(handlers.fit(request, AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
    const grey = inputSchema.parse({ scaling: 'caffe', colorMode: 'grayscale' });
    await expect(handlers.fit({ ...request, input: grey }, never)).rejects.toMatchObject({ code: 'bad_recipe' });
    const empty = splitSchema.parse({ trainLimit: 1000 });
    await expect(handlers.fit({ ...request, split: empty }, never)).rejects.toMatchObject({ code: 'bad_recipe' });
  });
});
