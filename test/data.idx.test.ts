import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pairIdxFiles, readIdx } from '../src/main/data/idx.ts';
import { computeFingerprint, openStore } from '../src/main/data/store.ts';
import { writeStore } from '../src/main/data/storeWriter.ts';
import { datasetManifestSchema } from '../src/shared/contract/dataset.ts';
import { damaged, expectLabError, gzip, idxLabels, idxPictures, patternedPixels, putFiles, temporaryFolder } from './dataFiles.ts';

const [height, width] = [3, 4];
const trainPixels = patternedPixels(6 * height * width);
const testPixels = patternedPixels(2 * height * width, 2);
const trainLabels = [0, 1, 2, 0, 1, 2];
const testLabels = [2, 0];

async function importIdx(paths: readonly string[], folder: string): Promise<void> {
  const source = await readIdx(await pairIdxFiles(paths));
  await writeStore(folder, { id: 'some', name: 'Some', ...source }, source.blocks());
}

function fourFiles(compress: boolean): Record<string, Uint8Array> {
  const ending = compress ? '.gz' : '';
  const pack = (bytes: Buffer): Uint8Array => (compress ? gzip(bytes) : bytes);
  return {
    [`train-images-idx3-ubyte${ending}`]: pack(idxPictures({ height, width, pixels: trainPixels })),
    [`train-labels-idx1-ubyte${ending}`]: pack(idxLabels(trainLabels)),
    [`t10k-images-idx3-ubyte${ending}`]: pack(idxPictures({ height, width, pixels: testPixels })),
    [`t10k-labels-idx1-ubyte${ending}`]: pack(idxLabels(testLabels)),
  };
}

describe('IDX becomes a store', () => {
  test.each([false, true])('four files, gzip %s: bytes, labels and manifest', async (compress) => {
    const folder = await temporaryFolder();
    const paths = await putFiles(folder, fourFiles(compress));
    const target = join(folder, 'store');
    await importIdx(paths.reverse(), target);
    const manifest = datasetManifestSchema.parse(JSON.parse(await readFile(join(target, 'dataset.json'), 'utf8')));
    expect(manifest).toMatchObject({
      kind: 'idx',
      classes: ['0', '1', '2'],
      trainCount: 6,
      testCount: 2,
      shape: [3, 4, 1],
      bytes: 96 + 16,
    });
    expect(manifest.classCounts).toEqual([
      [2, 1],
      [2, 0],
      [2, 1],
    ]);
    expect(await readFile(join(target, 'images.bin'))).toEqual(Buffer.concat([trainPixels, testPixels]));
    const store = openStore(target);
    expect([...store.readLabels()]).toEqual([...trainLabels, ...testLabels]);
    const sha256 = createHash('sha256')
      .update(await readFile(paths.find((path) => path.includes('train-images')) ?? ''))
      .digest('hex');
    expect(manifest.sources).toContainEqual({ file: compress ? 'train-images-idx3-ubyte.gz' : 'train-images-idx3-ubyte', sha256 });
    expect(manifest.sources).toHaveLength(4);
  });

  test('two files need no names: all pictures are for training', async () => {
    const folder = await temporaryFolder();
    const paths = await putFiles(folder, { a: idxLabels(trainLabels), b: idxPictures({ height, width, pixels: trainPixels }) });
    await importIdx(paths, join(folder, 'store'));
    expect(openStore(join(folder, 'store')).manifest).toMatchObject({ trainCount: 6, testCount: 0 });
  });

  test('the fingerprint covers pictures, labels, shape and names, and nothing else', async () => {
    const folder = await temporaryFolder();
    const write = async (
      name: string,
      change: { id?: string; classes?: string[]; pixels?: Uint8Array; labels?: number[] },
    ): Promise<string> => {
      const draft = {
        id: change.id ?? 'a',
        name,
        kind: 'idx' as const,
        classes: change.classes ?? ['x', 'y'],
        shape: [2, 2, 1] as const,
        origin: name,
        licence: null,
        sources: () => [],
      };
      const block = { part: 'train' as const, labels: change.labels ?? [0, 1], pixels: change.pixels ?? patternedPixels(8) };
      const manifest = await writeStore(join(folder, name), draft, [block]);
      expect(computeFingerprint(openStore(join(folder, name)))).toBe(manifest.fingerprint);
      expect(computeFingerprint(openStore(join(folder, name), { heldBytes: 0 }))).toBe(manifest.fingerprint);
      return manifest.fingerprint;
    };
    const original = await write('one', {});
    expect(await write('two', { id: 'b' })).toBe(original);
    const others = [
      await write('three', { classes: ['x', 'z'] }),
      await write('four', { pixels: patternedPixels(8, 3) }),
      await write('five', { labels: [1, 0] }),
    ];
    expect(new Set([original, ...others]).size).toBe(4);
  });

  test('a truncated store is refused with both sizes; a missing one is named', async () => {
    const folder = await temporaryFolder();
    const paths = await putFiles(folder, fourFiles(false));
    const target = join(folder, 'store');
    await importIdx(paths, target);
    await truncate(join(target, 'images.bin'), 95);
    await expectLabError(
      Promise.resolve().then(() => openStore(target)),
      {
        code: 'dataset_changed',
        message: /images\.bin/,
        expected: /96 bytes/,
        received: /95 bytes/,
      },
    );
    await expectLabError(
      Promise.resolve().then(() => openStore(folder)),
      {
        code: 'dataset_missing',
        message: /dataset\.json/,
        expected: /dataset\.json/,
        received: /ENOENT/,
      },
    );
  });
});

describe('bad IDX files are refused and leave nothing', () => {
  const good = idxPictures({ height, width, pixels: trainPixels });
  const labels = idxLabels(trainLabels);
  const constant = idxPictures({ height: 1000, width: 1000, pixels: new Uint8Array(12_000_000) });
  const cases: { name: string; pictures: Uint8Array; labels: Uint8Array; message: RegExp; expected: RegExp; received: RegExp }[] = [
    {
      name: 'wrong magic',
      pictures: idxPictures({ magic: 2052, height, width, pixels: trainPixels }),
      labels,
      message: /pictures.*magic/,
      expected: /2051.*2049/,
      received: /2052/,
    },
    {
      name: 'count mismatch',
      pictures: good,
      labels: idxLabels([0, 1, 2, 0, 1]),
      message: /pictures.*labels/,
      expected: /6 labels/,
      received: /5 labels/,
    },
    { name: 'missing pictures', pictures: good.subarray(0, 80), labels, message: /pictures/, expected: /88 bytes/, received: /80 bytes/ },
    {
      name: 'trailing data',
      pictures: Buffer.concat([good, Buffer.alloc(1)]),
      labels,
      message: /pictures.*more bytes/,
      expected: /88 bytes/,
      received: /89 bytes/,
    },
    {
      name: 'trailing labels',
      pictures: good,
      labels: idxLabels([...trainLabels, 0], { count: 6 }),
      message: /labels.*more/,
      expected: /14/,
      received: /15/,
    },
    {
      name: 'truncated gzip',
      pictures: gzip(good).subarray(0, 40),
      labels,
      message: /pictures.*truncated gzip/,
      expected: /complete/,
      received: /end/,
    },
    {
      name: 'damaged gzip',
      pictures: damaged(gzip(good), -6),
      labels,
      message: /pictures.*damaged gzip/,
      expected: /checksum/,
      received: /.+/,
    },
    {
      name: 'gzip bomb behind a small header',
      pictures: gzip(Buffer.concat([good, Buffer.alloc(50_000_000)])),
      labels,
      message: /pictures.*more bytes/,
      expected: /88 bytes after decompression/,
      received: /at least/,
    },
    {
      name: 'gzip bomb announced by its header',
      pictures: gzip(constant),
      labels: idxLabels([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]),
      message: /pictures/,
      expected: /12000016 bytes/,
      received: /200:1/,
    },
    {
      name: 'header overflow',
      pictures: idxPictures({ count: 0xffffffff, height: 0xffffffff, width: 0xffffffff, pixels: trainPixels }),
      labels,
      message: /pictures.*impossible/,
      expected: /at most/,
      received: /4294967295/,
    },
    {
      name: 'no pictures',
      pictures: idxPictures({ height, width, pixels: new Uint8Array(0) }),
      labels,
      message: /impossible/,
      expected: /1 to/,
      received: /0 pic/,
    },
    {
      name: 'label out of range',
      pictures: good,
      labels: idxLabels([0, 1, 2, 0, 1, 200]),
      message: /labels.*range/,
      expected: /0 to 3/,
      received: /200 at position 5/,
    },
    {
      name: 'empty class',
      pictures: good,
      labels: idxLabels([0, 1, 3, 0, 1, 3]),
      message: /labels.*class/,
      expected: /0 to 2/,
      received: /no picture has label 2/,
    },
    {
      name: 'one class',
      pictures: good,
      labels: idxLabels([0, 0, 0, 0, 0, 0]),
      message: /one class/,
      expected: /two classes/,
      received: /only "0"/,
    },
    { name: 'an empty file', pictures: new Uint8Array(0), labels, message: /pictures.*magic/, expected: /4 bytes/, received: /0 bytes/ },
  ];

  test.each(cases)('$name', async ({ pictures, labels: labelBytes, ...error }) => {
    const folder = await temporaryFolder();
    const paths = await putFiles(folder, { pictures, labels: labelBytes });
    await expectLabError(importIdx(paths, join(folder, 'store')), { code: 'bad_input', ...error }, join(folder, 'store'));
  });

  test('a test label that training does not have', async () => {
    const folder = await temporaryFolder();
    const files = { ...fourFiles(false), 't10k-labels-idx1-ubyte': idxLabels([2, 3]) };
    const paths = await putFiles(folder, files);
    await expectLabError(
      importIdx(paths, join(folder, 'store')),
      { code: 'bad_input', message: /t10k-labels/, expected: /0 to 2/, received: /label 3 at position 1/ },
      join(folder, 'store'),
    );
  });

  test('test pictures of another size', async () => {
    const folder = await temporaryFolder();
    const files = { ...fourFiles(false), 't10k-images-idx3-ubyte': idxPictures({ height: 4, width: 3, pixels: testPixels }) };
    await expectLabError(importIdx(await putFiles(folder, files), join(folder, 'store')), {
      code: 'bad_input',
      message: /t10k-images/,
      expected: /3x4/,
      received: /4x3/,
    });
  });

  test('three files do not form pairs', async () => {
    const folder = await temporaryFolder();
    const paths = (await putFiles(folder, fourFiles(false))).slice(0, 3);
    await expectLabError(importIdx(paths, join(folder, 'store')), {
      code: 'bad_input',
      message: /train-images/,
      expected: /t10k/,
      received: /2 of pictures and 1 of labels/,
    });
  });

  test('a folder in place of a file', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'pictures'));
    await expectLabError(pairIdxFiles([join(folder, 'pictures')]), {
      code: 'bad_input',
      message: /pictures/,
      expected: /regular file/,
      received: /folder/,
    });
  });

  test('a writer that is stopped leaves nothing', async () => {
    const folder = await temporaryFolder();
    const source = await readIdx(await pairIdxFiles(await putFiles(folder, fourFiles(false))));
    const stop = new AbortController();
    const target = join(folder, 'store');
    const writing = writeStore(target, { id: 'some', name: 'Some', ...source }, source.blocks(), {
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    await expect(writing).rejects.toThrow(/abort/);
    expect(await readdir(target)).toEqual([]);
  });
});
