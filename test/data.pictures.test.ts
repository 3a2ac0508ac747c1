import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { convertChannels } from '../src/main/data/channels.ts';
import { decodePicture, readPictureSize } from '../src/main/data/images.ts';
import { importDataset, type ImportResult } from '../src/main/data/importDataset.ts';
import { createResampler } from '../src/main/data/resample.ts';
import { openStore } from '../src/main/data/store.ts';
import { type ExpectedError, expectLabError, putFiles, temporaryFolder } from './dataFiles.ts';

const fixtures = join(import.meta.dirname, 'fixtures', 'data');
const pictures = join(fixtures, 'pictures');
const colourSchema = z.record(z.string(), z.array(z.int()));

const bytes = z.array(z.int());
const pillowSchema = z.object({
  resize: z.array(
    z.object({
      method: z.enum(['bilinear', 'nearest']),
      from: z.tuple([z.int(), z.int(), z.union([z.literal(1), z.literal(3)])]),
      to: z.tuple([z.int(), z.int()]),
      source: bytes,
      result: bytes,
    }),
  ),
  gray: z.object({ source: bytes, result: bytes }),
});

async function readJson(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(fixtures, name), 'utf8'));
}

/** A folder with a class of colour pictures and one of grey ones, and whatever `extra` files (folder/name from fixture) say. */
async function classFolders(folder: string, extra: Readonly<Record<string, string>> = {}): Promise<string> {
  const root = join(folder, 'animals');
  const files = {
    'cats/a.png': 'colour.png',
    'cats/b.webp': 'colour.webp',
    'dogs/a.bmp': 'colour.bmp',
    'dogs/b.png': 'alpha.png',
    ...extra,
  };
  for (const [name, source] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await cp(join(pictures, source), join(root, name));
  }
  return root;
}

function importFolders(path: string, targetFolder: string, size: number | null = null): Promise<ImportResult> {
  return importDataset({ paths: [path], kind: null, name: null, size, targetFolder });
}

async function expectRefusal(path: string, target: string, error: Omit<ExpectedError, 'code'>, size: number | null = null): Promise<void> {
  await expectLabError(importFolders(path, target, size), { code: 'bad_input', ...error }, target);
}

describe('resizing and colours are those of Pillow', () => {
  test('bilinear and nearest, byte for byte', async () => {
    for (const { method, from, to, source, result } of pillowSchema.parse(await readJson('pillow.json')).resize) {
      const resample = createResampler(from, [to[0], to[1], from[2]], method);
      expect({ method, from, to, pixels: [...resample(Uint8Array.from(source))] }).toEqual({ method, from, to, pixels: result });
    }
  });

  test('colour to grey and grey to colour', async () => {
    const { gray } = pillowSchema.parse(await readJson('pillow.json'));
    expect([...convertChannels(Uint8Array.from(gray.source), 3, 1)]).toEqual(gray.result);
    expect([...convertChannels(Uint8Array.of(1, 200), 1, 3)]).toEqual([1, 1, 1, 200, 200, 200]);
  });
});

describe('the decoder', () => {
  test('gives the pixels that Pillow gives, for each format', async () => {
    const expected = colourSchema.parse(await readJson('pictures.json'));
    for (const [name, pixels] of Object.entries(expected)) {
      const decoded = await decodePicture(await readFile(join(pictures, name)), [6, 8, 3]);
      expect({ name, pixels: [...decoded] }).toEqual({ name, pixels });
    }
  });

  test('applies the orientation, before size and pixels are told', async () => {
    const file = await readFile(join(pictures, 'rotated.png'));
    expect(await readPictureSize(file)).toMatchObject({ height: 8, width: 6 });
    const decoded = await decodePicture(file, [8, 6, 3]);
    // Orientation 6 turns clockwise: the white corner goes from top left to top right.
    expect([...decoded.subarray(15, 18)]).toEqual([255, 255, 255]);
    expect([...decoded.subarray(0, 3)]).toEqual([10, 20, 30]);
  });

  test('brings sixteen bits and CMYK to eight bits of sRGB', async () => {
    const sixteen = await decodePicture(await readFile(join(pictures, 'sixteen.png')), [6, 8, 1]);
    expect([sixteen[0], sixteen[47]]).toEqual([0, Math.floor((47 * 1300) / 256)]);
    const [red = 0, green = 255, blue = 255] = await decodePicture(await readFile(join(pictures, 'cmyk.jpg')), [6, 8, 3]);
    expect(red).toBeGreaterThan(180);
    expect(Math.max(green, blue)).toBeLessThan(70);
  });

  const refused: [string, RegExp, RegExp][] = [
    ['truncated.png', /damaged/, /complete/],
    ['huge.png', /too many pixels/, /100000000/],
    ['text.png', /not a picture/, /PNG, JPEG/],
    ['vector.svg', /not a picture/, /PNG, JPEG/],
  ];
  test.each(refused)('refuses %s', async (name, message, expected) => {
    const file = await readFile(join(pictures, name));
    await expectLabError(decodePicture(file, [6, 8, 3]), { code: 'bad_input', message, expected, received: /.+/ });
  });

  test('refuses bitmaps that are cut, compressed or too large', async () => {
    const good = await readFile(join(pictures, 'colour.bmp'));
    const changed = (offset: number, value: number): Buffer => {
      const copy = Buffer.from(good);
      copy.writeInt32LE(value, offset);
      return copy;
    };
    const refusal = (file: Buffer, message: RegExp): Promise<void> =>
      expectLabError(decodePicture(file, [6, 8, 3]), { code: 'bad_input', message, expected: /.+/, received: /.+/ });
    await refusal(good.subarray(0, -1), /truncated bitmap/);
    await refusal(good.subarray(0, 40), /too short/);
    await refusal(changed(30, 1), /unsupported kind/);
    await refusal(changed(18, 2 ** 30), /impossible size/);
    await refusal(changed(14, 12), /unknown bitmap header/);
    await refusal(changed(10, 20), /truncated bitmap/);
  });

  test('any damage to a bitmap is decoded or refused, never more', async () => {
    const good = await readFile(join(pictures, 'gray.bmp'));
    for (let position = 2; position < 1078; position += 3) {
      const file = Buffer.from(good);
      file[position] = (position * 89 + 170) % 256;
      const outcome = await readPictureSize(file).catch((error: unknown) => error);
      expect(outcome instanceof Error ? outcome.name : 'size').toMatch(/^(LabError|size)$/);
    }
  });
});

describe('class folders become a store', () => {
  test('one level: classes by name, pixels, counts, nothing rejected', async () => {
    const folder = await temporaryFolder();
    const { rejected } = await importFolders(await classFolders(folder, { 'cats/.DS_Store': 'text.png' }), join(folder, 'store'));
    const store = openStore(join(folder, 'store'));
    expect(rejected).toEqual([]);
    expect(store.manifest).toMatchObject({
      kind: 'folders',
      name: 'animals',
      id: 'animals',
      classes: ['cats', 'dogs'],
      trainCount: 4,
      testCount: 0,
      shape: [6, 8, 3],
    });
    const pixels = new Uint8Array(4 * 144);
    store.readPictures([0, 1, 2, 3], pixels);
    const expected = colourSchema.parse(await readJson('pictures.json'))['colour.png'] ?? [];
    for (const index of [0, 1, 2, 3]) expect([...pixels.subarray(index * 144, (index + 1) * 144)]).toEqual(expected);
  });

  test('train, validation and test; grey pictures stay grey; a size for all', async () => {
    const folder = await temporaryFolder();
    const root = join(folder, 'split');
    for (const part of ['train', 'valid', 'test']) {
      for (const name of ['x', 'y']) {
        await mkdir(join(root, part, name), { recursive: true });
        await cp(join(pictures, 'gray.png'), join(root, part, name, 'one.png'));
      }
    }
    await importFolders(root, join(folder, 'store'), 4);
    const { manifest } = openStore(join(folder, 'store'));
    expect(manifest).toMatchObject({ trainCount: 4, testCount: 2, shape: [4, 4, 1], classes: ['x', 'y'] });
    expect(manifest.origin).toContain('the last 2 training pictures are those of valid');
  });

  test('files that cannot be used are listed and not used', async () => {
    const folder = await temporaryFolder();
    const many = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`dogs/more-${index}.png`, 'colour.png']));
    const root = await classFolders(folder, {
      ...many,
      'cats/broken.png': 'truncated.png',
      'cats/notes.png': 'text.png',
      'dogs/huge.png': 'huge.png',
    });
    await mkdir(join(root, 'dogs', 'inner'));
    const { manifest, rejected } = await importFolders(root, join(folder, 'store'));
    expect(manifest.trainCount).toBe(16);
    expect(rejected.map(({ file }) => file).toSorted()).toEqual(['cats/broken.png', 'cats/notes.png', 'dogs/huge.png', 'dogs/inner']);
    const reasons = new Map(rejected.map(({ file, reason }) => [file, reason]));
    expect(reasons.get('cats/notes.png')).toMatch(/not a picture.*Expected PNG, JPEG.*received first bytes/);
    expect(reasons.get('dogs/huge.png')).toMatch(/too many pixels.*at most 100000000/);
    expect(reasons.get('cats/broken.png')).toMatch(/damaged.*complete picture/);
  });
});

describe('bad folders are refused and leave nothing', () => {
  test('too many unusable files', async () => {
    const folder = await temporaryFolder();
    const root = await classFolders(folder, { 'cats/c.png': 'text.png', 'cats/d.png': 'truncated.png' });
    await expectRefusal(root, join(folder, 'store'), {
      message: /animals.*too many.*cats\/c\.png/,
      expected: /25 % of 6/,
      received: /2 files/,
    });
  });

  test('pictures that break only when decoded count as well', async () => {
    const folder = await temporaryFolder();
    const root = await classFolders(folder);
    for (const name of ['c.png', 'd.png', 'e.png']) {
      const file = await readFile(join(pictures, 'colour.png'));
      await writeFile(join(root, 'cats', name), file.subarray(0, file.length - 30));
    }
    await expectRefusal(root, join(folder, 'store'), { message: /too many.*cats\/c\.png/, expected: /25 % of 7/, received: /2 files/ });
  });

  test.each([
    [['Cats', 'cats'], /"Cats" and "cats"/],
    [['caf\u00e9', 'cafe\u0301'], /"caf\u00e9" and "cafe\u0301"|"cafe\u0301" and "caf\u00e9"/],
    [['cats', 'cats '], /"cats" and "cats "|"cats " and "cats"/],
  ])('class names that look equal: %j', async (names, received) => {
    const folder = await temporaryFolder();
    for (const name of names) {
      await mkdir(join(folder, 'animals', name), { recursive: true });
      await cp(join(pictures, 'colour.png'), join(folder, 'animals', name, 'a.png'));
    }
    await expectRefusal(join(folder, 'animals'), join(folder, 'store'), { message: /animals.*look equal/, expected: /differ/, received });
  });

  test('an empty class, one class, and a class that only the test part has', async () => {
    const folder = await temporaryFolder();
    const root = await classFolders(folder);
    await mkdir(join(root, 'horses'));
    await expectRefusal(root, join(folder, 'store'), { message: /animals.*classes without/, expected: /each with/, received: /"horses"/ });
    const one = join(folder, 'one');
    await cp(join(root, 'cats'), join(one, 'cats'), { recursive: true });
    await expectRefusal(one, join(folder, 'store'), {
      message: /one do not hold class folders/,
      expected: /two folders/,
      received: /only "cats"/,
    });
    const parts = join(folder, 'parts');
    await cp(root, join(parts, 'train'), { recursive: true, filter: (path) => !path.includes('horses') });
    await cp(join(root, 'cats'), join(parts, 'test', 'birds'), { recursive: true });
    await expectRefusal(parts, join(folder, 'store'), { message: /parts.*classes without/, expected: /training/, received: /"birds"/ });
  });

  test('different sizes name both files', async () => {
    const folder = await temporaryFolder();
    const root = await classFolders(folder, { 'dogs/photo.jpg': 'photo.jpg' });
    await expectRefusal(root, join(folder, 'store'), {
      message: /animals.*different sizes/,
      expected: /6x8 as in cats\/a\.png/,
      received: /24x32 in dogs\/photo\.jpg/,
    });
    await importFolders(root, join(folder, 'store'), 8);
    expect(openStore(join(folder, 'store')).manifest.shape).toEqual([8, 8, 3]);
  });

  test('links: loops and folders are refused, outside files rejected, inside files taken', async () => {
    const folder = await temporaryFolder();
    const root = await classFolders(folder);
    await symlink(join(pictures, 'colour.png'), join(root, 'cats', 'outside.png'));
    await symlink('a.png', join(root, 'cats', 'inside.png'));
    const { manifest, rejected } = await importFolders(root, join(folder, 'links'));
    expect(manifest.trainCount).toBe(5);
    expect(rejected).toEqual([{ file: 'cats/outside.png', reason: expect.stringMatching(/link out of it/) as unknown }]);
    await symlink('loop.png', join(root, 'cats', 'loop.png'));
    await expectRefusal(root, join(folder, 'store'), {
      message: /cats\/loop\.png.*symbolic link/,
      expected: /loops/,
      received: /leads to itself/,
    });
    await unlink(join(root, 'cats', 'loop.png'));
    await symlink('..', join(root, 'dogs', 'up'));
    await expectRefusal(root, join(folder, 'store'), {
      message: /dogs\/up.*symbolic link/,
      expected: /without links/,
      received: /link to the folder/,
    });
    await unlink(join(root, 'dogs', 'up'));
    await symlink('cats', join(root, 'birds'));
    await expectRefusal(root, join(folder, 'store'), {
      message: /birds.*symbolic link/,
      expected: /without links/,
      received: /link to the folder/,
    });
  });

  test('pipes and sockets are rejected without waiting for them', async () => {
    const folder = await temporaryFolder();
    const root = await classFolders(
      folder,
      Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`dogs/m${index}.png`, 'colour.png'])),
    );
    execFileSync('mkfifo', [join(root, 'cats', 'pipe.png')]);
    const server = createServer().listen(join(root, 'cats', 'socket.png'));
    await new Promise((resolve) => server.once('listening', resolve));
    const { rejected } = await importFolders(root, join(folder, 'store'));
    server.close();
    expect(rejected.map(({ file }) => file).toSorted()).toEqual(['cats/pipe.png', 'cats/socket.png']);
  });

  test('an empty folder, a folder that is not there, and one that holds other things', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'empty'));
    const target = join(folder, 'store');
    await expectRefusal(join(folder, 'empty'), target, {
      message: /empty.*not a dataset/,
      expected: /class folders/,
      received: /an empty folder/,
    });
    await expectRefusal(join(folder, 'gone'), target, { message: /gone cannot be read/, expected: /existing/, received: /ENOENT/ });
    await putFiles(join(folder, 'empty'), { 'letter.txt': 'Dear reader' });
    await expectRefusal(join(folder, 'empty'), target, {
      message: /empty.*not a dataset/,
      expected: /class folders/,
      received: /letter\.txt/,
    });
    await expectRefusal(join(folder, 'empty', 'letter.txt'), target, {
      message: /letter\.txt/,
      expected: /IDX/,
      received: /begins with 44656172/,
    });
  });
});
