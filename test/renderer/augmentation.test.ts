// The augmentation part of a page: what each switch means for the recipe, how a sheet is laid out and said in words, and the preview from
// the real viewer on small IDX files.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  spread,
  useAugmentationPreviewStore,
  type ChosenByClass,
  type PreviewWish,
} from '../../src/renderer/stores/augmentationPreview.ts';
import { useImportsStore } from '../../src/renderer/stores/imports.ts';
import type { PutFile } from '../../src/renderer/stores/uploads.ts';
import { describeCost, describeTile, groupTiles, sizeTiles } from '../../src/renderer/views/newRun/augmentation/previewTiles.ts';
import {
  document001,
  isOn,
  listTransforms,
  neutral,
  readKnob,
  switchTransform,
  transformsOn,
} from '../../src/renderer/views/newRun/augmentation/transforms.ts';
import { augmentationSchema } from '../../src/shared/contract/augmentation.ts';
import type { PreviewTile } from '../../src/shared/contract/preview.ts';
import { recipeSchema, type Recipe } from '../../src/shared/contract/schema.ts';
import { setAt } from '../../src/shared/domain/draft/place.ts';
import { idxLabels, idxPictures, patternedPixels } from '../dataFiles.ts';
import { fakePrograms, makeFolder, openLab, resourcesFolder } from '../lab.ts';
import { openPage } from './page.ts';

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 20_000 };
const side = 8;
const transforms = listTransforms(side);

function readTemplate(id: string): Recipe {
  return recipeSchema.parse(JSON.parse(readFileSync(join(resourcesFolder, 'recipes', `${id}.json`), 'utf8')));
}

describe('the transforms of the part', () => {
  it('begin as document 001 has them', () => {
    expect(document001).toEqual(readTemplate('cifar-cnn-augmented').phases[0]?.augmentation);
    const on = transforms.filter(({ name }) => isOn(document001, name));
    const built = on.reduce<typeof neutral | null>((augmentation, one) => switchTransform(augmentation, one, true), null);
    expect(built).toEqual(document001);
  });

  it('leave no field of the schema without a control', () => {
    const shown = transforms.map(({ name }) => name);
    expect([...shown, 'fillMode', 'cval'].sort()).toEqual(Object.keys(augmentationSchema.shape).sort());
    for (const { name, start } of transforms) expect(transformsOn(augmentationSchema.parse(start))).toEqual([name]);
  });

  it('have numbers on their sliders that the schema takes', () => {
    for (const transform of transforms) {
      const on = switchTransform(null, transform, true) ?? neutral;
      for (const knob of transform.knobs) {
        for (const end of [knob.least, knob.most]) {
          const value = knob.isPair ? [end, end] : end;
          expect(augmentationSchema.safeParse(setAt(on, knob.place, value)).success, `${transform.name} ${end}`).toBe(true);
        }
        const start = [readKnob(transform, knob, null)].flat();
        expect(
          start.every((value) => value >= knob.least && value <= knob.most),
          transform.name,
        ).toBe(true);
      }
    }
  });

  it('are as before when switched on and off again, and nothing when none is left', () => {
    const names = fc.uniqueArray(fc.constantFrom(...transforms), { selector: ({ name }) => name });
    fc.assert(
      fc.property(names, fc.constantFrom(...transforms), (chosen, other) => {
        const before = chosen.reduce<typeof neutral | null>((augmentation, one) => switchTransform(augmentation, one, true), null);
        expect(before === null).toBe(chosen.length === 0);
        if (chosen.includes(other)) return;
        expect(switchTransform(switchTransform(before, other, true), other, false)).toEqual(before);
        if (before === null) return;
        const emptied = chosen.reduce<typeof neutral | null>((augmentation, one) => switchTransform(augmentation, one, false), before);
        expect(emptied).toBeNull();
      }),
    );
  });

  it('keep how the border was filled', () => {
    const [rotation] = transforms;
    if (rotation === undefined) throw new Error('There is no transform.');
    expect(switchTransform(null, rotation, true, { fillMode: 'wrap', cval: 7 })).toMatchObject({ fillMode: 'wrap', cval: 7 });
  });
});

function tile(changes: Partial<PreviewTile>): PreviewTile {
  return { index: 0, label: 0, sample: 0, variant: null, extreme: null, parameters: [], mix: null, ...changes };
}

describe('a sheet', () => {
  it('has a row for each picture, or is one batch', () => {
    const tiles = [0, 1].flatMap((label) => [tile({ label }), tile({ label, variant: 0 }), tile({ label, variant: 1 })]);
    expect(groupTiles(tiles, false).map(({ label, tiles: row }) => [label, row.map(({ at }) => at)])).toEqual([
      [0, [0, 1, 2]],
      [1, [3, 4, 5]],
    ]);
    expect(groupTiles(tiles, true).map(({ tiles: row }) => row.length)).toEqual([6]);
    expect(groupTiles([], true)).toEqual([]);
  });

  it('says in words what each tile shows', () => {
    const classes = ['cat', 'dog'];
    const parameters = [
      { name: 'rotationRange', text: '+12°' },
      { name: 'cutout', text: '4 px' },
    ];
    const mix = { kind: 'mixup', share: 0.75, index: 1200, label: 1 } as const;
    expect(describeTile(tile({}), classes)).toBe('cat, as it is');
    expect(describeTile(tile({ variant: 1, parameters }), classes)).toBe('cat, pass 2: Rotation +12°, Cutout 4 px');
    expect(describeTile(tile({ variant: 0 }), classes)).toBe('cat, pass 1: nothing changed');
    expect(describeTile(tile({ extreme: 'rotationRange −45°' }), classes)).toBe('cat: Rotation −45°');
    expect(describeTile(tile({ variant: 0, mix }), classes, 39)).toBe(
      'cat, image 40 of the batch: mixup with image 1,200, label 75.00 % cat, 25.00 % dog',
    );
    expect(describeTile(tile({ label: 7 }), classes)).toBe('class 7, as it is');
  });

  it('is drawn as large as fits, small pictures by whole factors', () => {
    const room = { width: 400, height: 500, across: 6, down: 5, gap: 4, captionHeight: 18 };
    expect(sizeTiles([28, 28], room)).toEqual({ width: 56, height: 56 });
    expect(sizeTiles([224, 224], room)).toEqual({ width: 62, height: 62 });
    const positive = fc.integer({ min: 1, max: 600 });
    fc.assert(
      fc.property(positive, fc.integer({ min: 200, max: 2000 }), fc.integer({ min: 1, max: 20 }), (pixels, width, across) => {
        const size = sizeTiles([pixels, pixels], { ...room, width, across });
        if (pixels <= 40) expect(size.width % pixels).toBe(0);
        if (size.width > 40) expect(size.width).toBeLessThanOrEqual(width / across);
      }),
    );
  });

  it('tells what augmenting costs, and whether training hides it', () => {
    const answer = { microsecondsPerPicture: 250, stepsPerEpoch: 1000 };
    const words = (secondsPerEpoch: number | null): string | null => describeCost({ ...empty, ...answer }, 40, secondsPerEpoch);
    expect(words(null)).toMatch(/^Augmenting an epoch \(1,000 steps × 40 images\) is about 10\.0 s of work for one thread; /);
    expect(words(30)).toMatch(/hidden behind the training steps, which take 30\.0 s\.$/);
    expect(words(4)).toMatch(/take 4\.0 s, so more than one thread is needed/);
    expect(describeCost({ ...empty, microsecondsPerPicture: null }, 40, null)).toBeNull();
  });
});

const empty = {
  tiles: [],
  columns: 1,
  tileSize: [8, 8] as [number, number],
  trainImages: 0,
  stepsPerEpoch: 1,
  batchImages: null,
  microsecondsPerPicture: null,
  sheetUrl: '',
};

describe('the classes of the strip', () => {
  it('are different ones where there are enough, and others in another round', () => {
    expect(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5, 0)).toEqual([0, 2, 4, 6, 8]);
    expect(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5, 1)).toEqual([1, 3, 5, 7, 9]);
    expect(spread([3, 7], 5, 0)).toEqual([3, 7, 3, 7, 3]);
    expect(spread([], 5, 0)).toEqual([]);
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(100), { minLength: 5 }), fc.nat(50), (classes, round) => {
        expect(new Set(spread(classes, 5, round)).size).toBe(5);
      }),
    );
  });
});

describe('the preview of a phase', () => {
  const labels = Array.from({ length: 60 }, (_, index) => index % 6);

  async function openDigits() {
    const realImporter = { programs: { ...fakePrograms, importer: join(import.meta.dirname, '../../src/main/importer.ts') } };
    const lab = await openLab(makeFolder(), realImporter);
    const page = openPage(() => lab.core);
    const put: PutFile = async (path, file, signal) => {
      await lab.core.assets.respond({ method: 'PUT', path, body: file.stream() }, signal);
    };
    const pictures = idxPictures({ count: 60, height: side, width: side, pixels: patternedPixels(60 * side * side, 1) });
    const files = [
      { path: 'd/train-images-idx3-ubyte', file: new Blob([new Uint8Array(pictures)]) },
      { path: 'd/train-labels-idx1-ubyte', file: new Blob([new Uint8Array(idxLabels(labels))]) },
    ];
    const source = { from: 'upload', files } as const;
    const dataset = await page.use(useImportsStore).start({ name: 'Digits', size: null, kind: null, source }, put);
    if (dataset === undefined) throw new Error('The pictures were not imported.');
    const template = readTemplate('mnist-test-5');
    const [phase] = template.phases;
    if (phase === undefined) throw new Error('The template has no phase.');
    const recipe = recipeSchema.parse({
      ...template,
      splits: { ...template.splits, document: { test: { type: 'fraction', fraction: 0.2 } } },
      phases: [{ ...phase, classes: null, batchSize: 10, augmentation: document001 }],
    });
    const chosen: ChosenByClass = {
      kind: 'classes',
      dataset: { id: dataset.id },
      classes: [0, 1, 2, 3, 4],
      count: 5,
      round: 0,
      variants: 3,
    };
    const wish: PreviewWish = { recipe, datasetId: dataset.id, phase: 0, pictures: chosen, extremes: false };
    return { lab, page, store: page.use(useAugmentationPreviewStore), recipe, wish, chosen };
  }

  it('shows five pictures of five classes with their variants, others in the next round, one batch exactly, and what they are standardised by', async () => {
    const { lab, store, recipe, wish, chosen } = await openDigits();
    await store.show(wish);
    const tiles = store.answer?.tiles ?? [];
    const rows = groupTiles(tiles, false);
    expect(rows.map(({ label }) => label)).toEqual([0, 1, 2, 3, 4]);
    expect(rows.every((row) => row.tiles.length === 4)).toBe(true);
    expect(tiles.every(({ index, label }) => labels[index] === label)).toBe(true);
    expect(store.answer?.tileSize).toEqual([side, side]);
    const sheet = await lab.core.assets.respond(
      { method: 'GET', path: store.answer?.sheetUrl ?? '', body: null },
      new AbortController().signal,
    );
    expect(sheet.status).toBe(200);

    await store.show({ ...wish, pictures: { ...chosen, round: 1 } });
    const others = (store.answer?.tiles ?? []).map(({ index }) => index);
    expect(others).toHaveLength(20);
    expect(others.filter((index) => tiles.some((before) => before.index === index))).toEqual([]);

    const batch = { kind: 'batch', epoch: 1, step: 2, offset: 4, limit: 40 } as const;
    await store.show({ ...wish, pictures: batch });
    expect(store.answer).toMatchObject({ batchImages: 10 });
    expect(store.answer?.tiles.map(({ variant }) => variant)).toEqual(Array.from({ length: 6 }, () => 1));
    await store.show({ ...wish, pictures: { ...chosen, count: 1 }, extremes: true });
    expect(store.answer?.tiles.filter(({ extreme }) => extreme !== null).length).toBeGreaterThan(8);

    // Mean and deviation of the scaled training pictures, from the same data.
    const fitted = await store.fit(recipe, wish.datasetId);
    const pixels = [...patternedPixels(60 * side * side, 1)].map((value) => value / 255);
    const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
    expect(fitted?.images).toBeGreaterThan(0);
    expect(fitted?.mean[0]).toBeCloseTo(mean, 1);
    const cancelled = store.fit(recipe, wish.datasetId);
    expect(store.isFitting).toBe(true);
    store.cancelFitting();
    expect(await cancelled).toBeUndefined();
    expect(store.isFitting).toBe(false);
  });

  it('answers the newest wish only, keeps what was shown until then, and says what went wrong', async () => {
    const { page, store, wish, chosen } = await openDigits();
    await store.show(wish);
    const first = store.answer;
    const older = store.show({ ...wish, pictures: { ...chosen, variants: 1 } });
    expect(store.isBusy).toBe(true);
    expect(store.answer).toBe(first);
    const newer = store.show({ ...wish, pictures: { ...chosen, variants: 2 } });
    await Promise.all([older, newer]);
    expect(store.answer?.tiles).toHaveLength(15);
    expect(store.isBusy).toBe(false);

    const shown = store.answer;
    await store.show({ ...wish, phase: 7 });
    expect(store.error).toMatchObject({ code: 'not_found' });
    expect(store.answer).toBe(shown);
    await store.show(wish);
    expect(store.error).toBeNull();

    const left = store.show({ ...wish, pictures: { ...chosen, variants: 4 } });
    store.leave();
    await left;
    expect(store.answer?.tiles).toHaveLength(20);
    expect(store.error).toBeNull();

    // What failed while the lab was away is asked for again.
    await store.show({ ...wish, phase: 7 });
    const before = store.error;
    page.cut();
    await vi.waitFor(() => expect(store.error).not.toBe(before), patience);
    expect(store.error).toMatchObject({ code: 'not_found' });
  });
});
