import { existsSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BatchSource, createBatchSource } from '../src/main/data/batches.ts';
import { bundledListSchema, materializeBundled } from '../src/main/data/bundled.ts';
import { deriveStore } from '../src/main/data/derive.ts';
import { openFormedStore } from '../src/main/data/formedStore.ts';
import { createFeatureSource, writeFeatures, type WriteFeaturesOptions } from '../src/main/data/features.ts';
import { idOf, importDataset } from '../src/main/data/importDataset.ts';
import { type DatasetStore, openStore } from '../src/main/data/store.ts';
import { type ManifestDraft, writeStore } from '../src/main/data/storeWriter.ts';
import { expectLabError, patternedPixels, temporaryFolder } from './dataFiles.ts';

const resources = join(import.meta.dirname, '..', 'resources', 'datasets');

function draftOf(shape: ManifestDraft['shape']): ManifestDraft {
  return { id: 'small', name: 'Small', kind: 'idx', classes: ['a', 'b'], shape, origin: 'test', licence: null, sources: () => [] };
}

async function smallStore(folder: string, shape: ManifestDraft['shape'], count = 6): Promise<DatasetStore> {
  const bytes = shape[0] * shape[1] * shape[2];
  const labels = Array.from({ length: count }, (_, index) => index % 2);
  await writeStore(folder, draftOf(shape), [
    { part: 'train', labels, pixels: patternedPixels(count * bytes) },
    { part: 'test', labels: [1], pixels: patternedPixels(bytes, 9) },
  ]);
  return openStore(folder);
}

describe('derived stores', () => {
  const asIs = { size: null, colorMode: null, resize: 'bilinear' } as const;

  test('a dataset that fits is used as it is', async () => {
    const folder = await temporaryFolder();
    await smallStore(join(folder, 'store'), [4, 4, 1]);
    const answers = [asIs, { ...asIs, size: [4, 4] as [number, number] }, { ...asIs, colorMode: 'grayscale' as const }].map((input) =>
      deriveStore({ folder: join(folder, 'store'), input, cacheFolder: join(folder, 'cache') }),
    );
    expect(new Set(await Promise.all(answers))).toEqual(new Set([join(folder, 'store')]));
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });

  test('size and colours are converted once, labels and counts stay', async () => {
    const folder = await temporaryFolder();
    const original = await smallStore(join(folder, 'store'), [4, 4, 1]);
    const input = { size: [2, 3] as [number, number], colorMode: 'rgb' as const, resize: 'nearest' as const };
    const derived = await deriveStore({ folder: join(folder, 'store'), input, cacheFolder: join(folder, 'cache') });
    const store = openStore(derived);
    expect(store.manifest).toMatchObject({ shape: [2, 3, 3], trainCount: 6, testCount: 1, classes: ['a', 'b'] });
    expect([...store.readLabels()]).toEqual([...original.readLabels()]);
    const from = new Uint8Array(16);
    const to = new Uint8Array(18);
    original.readPictures([6], from);
    store.readPictures([6], to);
    // Rows 1 and 3, columns 0, 2 and 3 hold the centres.
    const expected = [4, 6, 7, 12, 14, 15].flatMap((place) => Array.from({ length: 3 }, () => from[place]));
    expect([...to]).toEqual(expected);
    const before = await stat(join(derived, 'dataset.json'));
    expect(await deriveStore({ folder: join(folder, 'store'), input, cacheFolder: join(folder, 'cache') })).toBe(derived);
    expect((await stat(join(derived, 'dataset.json'))).ino).toBe(before.ino);
    expect(await readdir(join(folder, 'cache'))).toHaveLength(1);
  });

  test('too many pictures to write are converted whenever they are read, to the same bytes', async () => {
    const folder = await temporaryFolder();
    await smallStore(join(folder, 'store'), [4, 4, 1]);
    const input = { size: [6, 5] as [number, number], colorMode: 'rgb' as const, resize: 'bilinear' as const };
    const options = { folder: join(folder, 'store'), input, cacheFolder: join(folder, 'cache') };
    const converting = await openFormedStore({ ...options, writtenBytes: 7 * 90 - 1 });
    expect(existsSync(options.cacheFolder)).toBe(false);
    const written = await openFormedStore({ ...options, writtenBytes: 7 * 90 });
    expect(await readdir(options.cacheFolder)).toHaveLength(1);
    const [first, second] = [converting, written].map((store) => {
      const pixels = new Uint8Array(10 + 3 * store.pictureBytes);
      store.readPictures([6, 0, 3], pixels, 10);
      return pixels;
    });
    expect(first).toEqual(second);
    expect(new Set(first).size).toBeGreaterThan(1);
    const ofForm = { shape: [6, 5, 3], trainCount: 6, testCount: 1 };
    expect([converting.manifest, written.manifest]).toMatchObject([ofForm, ofForm]);
    expect([...converting.readLabels()]).toEqual([...written.readLabels()]);
    const asStored = await openFormedStore({ ...options, input: asIs });
    expect(converting.manifest.fingerprint).not.toBe(asStored.manifest.fingerprint);
    for (const store of [converting, written, asStored]) store.close();
  });

  test('a stop leaves no half store', async () => {
    const folder = await temporaryFolder();
    await smallStore(join(folder, 'store'), [4, 4, 1]);
    const work = deriveStore({
      folder: join(folder, 'store'),
      input: { ...asIs, size: [8, 8] },
      cacheFolder: join(folder, 'cache'),
      signal: AbortSignal.abort(),
    });
    await expect(work).rejects.toThrow(/abort/);
    expect(await readdir(join(folder, 'cache'))).toEqual([]);
  });
});

describe('feature tables', () => {
  async function pictures(folder: string): Promise<BatchSource<Uint8Array>> {
    const store = await smallStore(join(folder, 'store'), [2, 2, 1], 10);
    return createBatchSource({ store, indices: Uint32Array.from([9, 1, 2, 3, 4, 5, 0]), labelMap: [0, 1], batchSize: 3 });
  }

  function optionsOf(folder: string, source: BatchSource<Uint8Array>, heldBytes: number): WriteFeaturesOptions {
    const extract = (pixels: Uint8Array, count: number): Float32Array =>
      Float32Array.from({ length: count * 2 }, (_, index) => (pixels[Math.floor(index / 2) * 4] ?? 0) + (index % 2) / 2);
    return { file: join(folder, 'features.f32'), shape: [1, 2], source, extract, heldBytes };
  }

  test.each([1_000_000, 10])('rows come back in any order with their labels (held bytes %i)', async (heldBytes) => {
    const folder = await temporaryFolder();
    const source = await pictures(folder);
    const table = await writeFeatures(optionsOf(folder, source, heldBytes));
    expect(table.isSpilled).toBe(heldBytes === 10);
    expect(existsSync(join(folder, 'features.f32'))).toBe(heldBytes === 10);
    const order = (pass: number): Uint32Array => Uint32Array.from({ length: 7 }, (_, index) => (index * 3 + pass) % 7);
    const features = createFeatureSource({ table, batchSize: 4, order });
    expect([features.steps, features.sampleShape]).toEqual([2, [1, 2]]);
    const first = [0, 1, 2, 3, 4, 5, 6].map((sample) => source.fill(0, Math.floor(sample / 3)).input[(sample % 3) * 4] ?? -1);
    for (const epoch of [0, 1, 0]) {
      const batches = [features.fill(epoch, 0), features.fill(epoch, 1)];
      expect(batches.map((batch) => batch.count)).toEqual([4, 3]);
      const samples = batches.flatMap((batch) => [...batch.samples]);
      expect(samples).toEqual([...order(epoch)]);
      expect(batches.flatMap((batch) => [...batch.input])).toEqual(
        samples.flatMap((sample) => [first[sample], (first[sample] ?? 0) + 0.5]),
      );
      expect(batches.flatMap((batch) => [...batch.labels])).toEqual(samples.map((sample) => [1, 1, 0, 1, 0, 1, 0][sample]));
    }
    table.close();
    expect(existsSync(join(folder, 'features.f32'))).toBe(false);
  });

  test('a failure between batches removes the file; a wrong number of features is refused', async () => {
    const folder = await temporaryFolder();
    const options = optionsOf(folder, await pictures(folder), 10);
    await expect(writeFeatures({ ...options, breathe: () => Promise.reject(new Error('stop')) })).rejects.toThrow(/stop/);
    expect(existsSync(options.file)).toBe(false);
    await expect(writeFeatures({ ...options, extract: () => new Float32Array(3) })).rejects.toThrow(/3 numbers for 3 pictures/);
    expect(existsSync(options.file)).toBe(false);
  });
});

describe('bundled datasets', () => {
  test('Fashion-MNIST is the published one', async () => {
    const folder = await temporaryFolder();
    const manifest = await materializeBundled('fashion-mnist', resources, join(folder, 'fashion'));
    expect(manifest).toMatchObject({ id: 'fashion-mnist', trainCount: 60_000, testCount: 10_000, shape: [28, 28, 1] });
    expect(manifest.classCounts).toEqual(Array.from({ length: 10 }, () => [6000, 1000]));
    expect(manifest.classes[9]).toBe('Ankle boot');
    const store = openStore(join(folder, 'fashion'));
    const pixels = new Uint8Array(60_000 * 784);
    store.readPictures(
      Uint32Array.from({ length: 60_000 }, (_, index) => index),
      pixels,
    );
    const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length / 255;
    const deviation = Math.sqrt(pixels.reduce((sum, value) => sum + (value / 255 - mean) ** 2, 0) / pixels.length);
    // The constants that everybody normalises Fashion-MNIST with.
    expect([mean.toFixed(4), deviation.toFixed(4)]).toEqual(['0.2860', '0.3530']);
    // The first labels of the original file.
    expect([...store.readLabels().subarray(0, 10)]).toEqual([9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
  });

  test('mnist-10k: 10,000 digits whose stretches have all classes; made once, twice at once, and by import', async () => {
    const folder = await temporaryFolder();
    const target = join(folder, 'mnist');
    const [first, second] = await Promise.all([
      materializeBundled('mnist-10k', resources, target),
      materializeBundled('mnist-10k', resources, target),
    ]);
    expect(second.fingerprint).toBe(first.fingerprint);
    expect(await readdir(folder)).toEqual(['mnist']);
    expect(first).toMatchObject({ trainCount: 10_000, testCount: 0, licence: expect.stringContaining('LeCun') as unknown });
    const labels = openStore(target).readLabels();
    for (let start = 0; start < 10_000; start += 100) expect(new Set(labels.subarray(start, start + 100)).size).toBe(10);
    const inode = (await stat(target)).ino;
    await materializeBundled('mnist-10k', resources, target);
    expect((await stat(target)).ino).toBe(inode);
    const imported = { paths: [join(resources, 'mnist-10k')], kind: null, name: null, size: null, targetFolder: join(folder, 'again') };
    expect((await importDataset(imported)).manifest).toMatchObject({ id: 'mnist-10k', fingerprint: first.fingerprint, name: first.name });
  });

  test('a changed file is named, an unknown id too, and nothing stays', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'resources', 'mnist-10k'), { recursive: true });
    const list = bundledListSchema.parse(JSON.parse(await readFile(join(resources, 'bundled.json'), 'utf8')));
    await writeFile(join(folder, 'resources', 'bundled.json'), JSON.stringify(list));
    for (const name of ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz']) {
      await writeFile(join(folder, 'resources', 'mnist-10k', name), await readFile(join(resources, 'mnist-10k', name)));
    }
    await appendFile(join(folder, 'resources', 'mnist-10k', 'train-labels-idx1-ubyte.gz'), Buffer.alloc(1));
    await expectLabError(materializeBundled('mnist-10k', join(folder, 'resources'), join(folder, 'store')), {
      code: 'bad_input',
      message: /mnist-10k.*damaged: train-labels/,
      expected: /SHA-256 [0-9a-f]{64}/,
      received: /[0-9a-f]{64}/,
    });
    await expectLabError(materializeBundled('cifar', resources, join(folder, 'store')), {
      code: 'not_found',
      message: /"cifar"/,
      expected: /bundled\.json/,
      received: /cifar/,
    });
    expect(await readdir(folder)).toEqual(['resources']);
  });

  test('licences lie beside the data', async () => {
    for (const id of ['fashion-mnist', 'mnist-10k'])
      expect(await readFile(join(resources, id, 'LICENSE'), 'utf8')).toMatch(/MIT License[^]*Copyright/);
  });
});

describe('imports', () => {
  test('an id is made of any name', () => {
    expect(['CIFAR 10', 'Hände & Füße', '../../etc', '猫', '--', 'x'.repeat(100)].map(idOf)).toEqual([
      'cifar-10',
      'ha-nde-fu-e',
      'etc',
      'dataset',
      'dataset',
      'x'.repeat(64),
    ]);
  });

  test('a folder that holds something is never touched', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'precious'), 'data');
    const work = importDataset({ paths: [join(resources, 'mnist-10k')], kind: null, name: null, size: null, targetFolder: folder });
    await expectLabError(work, { code: 'conflict', message: /not empty/, expected: /empty/, received: /1 entries/ });
    expect(await readdir(folder)).toEqual(['precious']);
  });

  test('IDX pictures take a size on import', async () => {
    const folder = await temporaryFolder();
    const command = {
      paths: [join(resources, 'mnist-10k')],
      kind: null,
      name: 'Large digits',
      size: 32,
      targetFolder: join(folder, 'store'),
    };
    expect((await importDataset(command)).manifest).toMatchObject({
      id: 'large-digits',
      shape: [32, 32, 1],
      classes: expect.arrayContaining(['9']) as unknown,
    });
  });
});
