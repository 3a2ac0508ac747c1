import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importDataset } from '../src/main/data/importDataset.ts';
import { readPickle } from '../src/main/data/pickle.ts';
import { NumpyArray, PickleDict } from '../src/main/data/pickleValues.ts';
import { openStore } from '../src/main/data/store.ts';
import { LabError } from '../src/shared/contract/errors.ts';
import { type ExpectedError, expectLabError, gzip, temporaryFolder } from './dataFiles.ts';

const fixtures = join(import.meta.dirname, 'fixtures', 'data');
const names = ['plane', 'car', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** The byte that scripts/fixtures/data.py puts at a place of a batch. */
function pixelOf(batch: number, picture: number, row: number, column: number, channel: number): number {
  const index = picture * 3072 + channel * 1024 + row * 32 + column;
  return (index * 7 + Math.floor(index / 1024) * 31 + batch * 29) % 256;
}

function archive(folder: string, from: string): string {
  const path = join(folder, 'cifar-10.tar.gz');
  execFileSync('tar', ['-czf', path, '-C', join(fixtures, 'cifar'), from]);
  return path;
}

async function importCifar(path: string, targetFolder: string): Promise<void> {
  await importDataset({ paths: [path], kind: 'cifar', name: 'CIFAR', size: null, targetFolder });
}

async function expectRefusal(path: string, target: string, error: Omit<ExpectedError, 'code'>): Promise<void> {
  await expectLabError(importCifar(path, target), { code: 'bad_input', ...error }, target);
}

describe('CIFAR-10 becomes a store', () => {
  test.each([
    ['python2', 'archive'],
    ['binary', 'archive'],
    ['python2', 'folder'],
    ['binary', 'folder'],
  ])('%s %s', async (form, container) => {
    const folder = await temporaryFolder();
    const path = container === 'archive' ? archive(folder, form) : join(fixtures, 'cifar', form);
    await importDataset({ paths: [path], kind: null, name: null, size: null, targetFolder: join(folder, 'store') });
    const store = openStore(join(folder, 'store'));
    expect(store.manifest).toMatchObject({ kind: 'cifar', classes: names, trainCount: 15, testCount: 3, shape: [32, 32, 3] });
    const expectedLabels = [1, 2, 3, 4, 5, 6].flatMap((batch) => [0, 1, 2].map((picture) => (picture + batch * 2) % 10));
    expect([...store.readLabels()]).toEqual(expectedLabels);
    const pixels = new Uint8Array(18 * 3072);
    store.readPictures(
      Array.from({ length: 18 }, (_, index) => index),
      pixels,
    );
    const expected = Uint8Array.from({ length: pixels.length }, (_, index) => {
      const [number, place, channel] = [Math.floor(index / 3072), Math.floor((index % 3072) / 3), index % 3];
      return pixelOf(1 + Math.floor(number / 3), number % 3, Math.floor(place / 32), place % 32, channel);
    });
    expect(Buffer.compare(pixels, expected)).toBe(0);
  });

  test('both forms have one fingerprint', async () => {
    const folder = await temporaryFolder();
    await importCifar(join(fixtures, 'cifar', 'python2'), join(folder, 'a'));
    await importCifar(archive(folder, 'binary'), join(folder, 'b'));
    expect(openStore(join(folder, 'a')).manifest.fingerprint).toBe(openStore(join(folder, 'b')).manifest.fingerprint);
  });

  test.each(['protocol0', 'protocol1', 'protocol2', 'protocol3', 'protocol4', 'text-keys'])('a batch of Python 3, %s', async (form) => {
    const batch = readPickle(await readFile(join(fixtures, 'cifar', `python3-${form}`)), 'batch');
    const entries = batch instanceof PickleDict ? batch.entries : new Map<string, unknown>();
    expect(entries.get('labels')).toEqual([2, 3, 4]);
    const data = entries.get('data');
    if (!(data instanceof NumpyArray) || data.data === null) throw new Error('There is no array.');
    expect(data.shape).toEqual([3, 3072]);
    expect([...data.data.subarray(3072, 3080)]).toEqual(Array.from({ length: 8 }, (_, column) => pixelOf(1, 1, 0, column, 0)));
  });
});

describe('pickles that are not plain data are refused', () => {
  const cases: { file: string; message: RegExp; expected: RegExp; received: RegExp }[] = [
    { file: 'os-system', message: /run code/, expected: /only numpy/, received: /posix\.system/ },
    { file: 'os-system-protocol4', message: /run code/, expected: /only numpy/, received: /posix\.system/ },
    { file: 'eval', message: /run code/, expected: /only numpy/, received: /__builtin__\.eval/ },
    { file: 'inst', message: /operation/, expected: /plain data/, received: /opcode 0x69 at byte 15/ },
    { file: 'deep', message: /nested/, expected: /16 levels/, received: /more/ },
    { file: 'deep-through-memo', message: /nested/, expected: /16 levels/, received: /more/ },
    { file: 'long-8', message: /damaged/, expected: /at most 4 more bytes/, received: /1099511627776/ },
    { file: 'long-4', message: /damaged/, expected: /at most 4 more bytes/, received: /2147483647/ },
    { file: 'negative-length', message: /damaged/, expected: /bytes/, received: /-5/ },
    { file: 'array-of-objects', message: /array of another kind/, expected: /u1/, received: /O8/ },
    { file: 'array-of-floats', message: /array of another kind/, expected: /u1/, received: /f4/ },
    { file: 'fortran-order', message: /array of another kind/, expected: /C order/, received: /u1/ },
    { file: 'same-key-twice', message: /same key twice/, expected: /different/, received: /labels/ },
    { file: 'truncated', message: /damaged/, expected: /more bytes/, received: /length/ },
  ];
  test.each(cases)('$file', async ({ file, ...error }) => {
    const folder = await temporaryFolder();
    const batches = join(folder, 'batches');
    await cp(join(fixtures, 'cifar', 'python2'), batches, { recursive: true });
    await cp(join(fixtures, 'pickles', file), join(batches, 'data_batch_2'));
    await expectRefusal(batches, join(folder, 'store'), {
      ...error,
      message: new RegExp(`batches: data_batch_2.*${error.message.source}`),
    });
    expect(await readdir(process.cwd())).not.toContain('pickle-was-run');
  });

  test('a key named __proto__ is a key like any other', async () => {
    const value = readPickle(await readFile(join(fixtures, 'pickles', 'prototype-key')), 'file');
    if (!(value instanceof PickleDict)) throw new Error('There is no dictionary.');
    expect([...value.entries.keys()]).toEqual(['__proto__', 'labels']);
  });

  test('the stack has a budget', () => {
    const bytes = Buffer.concat([Buffer.from('\x80\x02', 'latin1'), Buffer.alloc(300_000, 'N'), Buffer.from('.')]);
    expect(() => readPickle(bytes, 'file')).toThrow(/piles up too many/);
  });

  test('any damage to a real batch either reads or is refused as bad input', async () => {
    const good = await readFile(join(fixtures, 'cifar', 'python2', 'data_batch_1'));
    const headBytes = 400;
    const change = fc.record({ position: fc.nat(headBytes - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Buffer.from(good);
        for (const { position, value } of changes) bytes[position] = value;
        try {
          readPickle(bytes, 'file');
        } catch (error) {
          expect(error instanceof LabError && error.code === 'bad_input').toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('bad CIFAR archives are refused and leave nothing', () => {
  interface TarFile {
    name: string;
    content?: Buffer;
    linkname?: string;
  }

  async function tarOf(entries: TarFile[]): Promise<Buffer> {
    const tar = pack();
    for (const { name, content, linkname } of entries) {
      if (linkname === undefined) tar.entry({ name }, content ?? Buffer.alloc(0));
      else tar.entry({ name, type: 'symlink', linkname }, () => undefined);
    }
    tar.finalize();
    const parts: Buffer[] = [];
    for await (const part of tar) if (Buffer.isBuffer(part)) parts.push(part);
    return Buffer.concat(parts);
  }

  async function binaryEntries(): Promise<{ name: string; content: Buffer }[]> {
    const folder = join(fixtures, 'cifar', 'binary');
    return Promise.all(
      (await readdir(folder)).map(async (name) => ({ name: `cifar/${name}`, content: await readFile(join(folder, name)) })),
    );
  }

  test('a missing batch is named', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'cifar.tar.gz');
    await writeFile(path, gzip(await tarOf((await binaryEntries()).filter(({ name }) => !name.includes('batch_3')))));
    await expectRefusal(path, join(folder, 'store'), {
      message: /cifar\.tar\.gz/,
      expected: /data_batch_1\.bin/,
      received: /no data_batch_3\.bin/,
    });
  });

  test('files that lead out of the archive and links are not taken', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'cifar.tar');
    const entries = (await binaryEntries()).map((entry) => ({
      ...entry,
      name: entry.name.replace('cifar/data_batch_1', '../../cifar/data_batch_1'),
    }));
    await writeFile(path, await tarOf(entries));
    await expectRefusal(path, join(folder, 'store'), { message: /cifar\.tar/, expected: /data_batch_1/, received: /no data_batch_1\.bin/ });
    await writeFile(path, await tarOf([...(await binaryEntries()).slice(1), { name: 'cifar/batches.meta.txt', linkname: '/etc/passwd' }]));
    await expectRefusal(path, join(folder, 'store'), { message: /batches\.meta\.txt/, expected: /regular file/, received: /symlink/ });
  });

  test('an archive that unpacks to too much', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'bomb.tar.gz');
    // A tar header that announces 420 MiB, then the zeros as 21 gzip members of 20 MiB each.
    const head = (await tarOf([{ name: 'zeros', content: Buffer.alloc(420 * 2 ** 20) }])).subarray(0, 512);
    const member = gzip(Buffer.alloc(20 * 2 ** 20), { level: 1 });
    await writeFile(path, Buffer.concat([gzip(head), ...Array.from({ length: 21 }, () => member)]));
    expect((await stat(path)).size).toBeLessThan(4_000_000);
    await expectRefusal(path, join(folder, 'store'), {
      message: /bomb\.tar\.gz unpacks to too much/,
      expected: /419430400/,
      received: /at least/,
    });
  });

  test('a truncated archive and one that is no tar', async () => {
    const folder = await temporaryFolder();
    const path = archive(folder, 'binary');
    await truncate(path, 500);
    await expectRefusal(path, join(folder, 'store'), { message: /truncated gzip/, expected: /complete/, received: /end/ });
    await writeFile(path, gzip(Buffer.alloc(2048, 'x')));
    await expectRefusal(path, join(folder, 'store'), { message: /damaged tar/, expected: /complete archive/, received: /tar header/ });
    await writeFile(path, (await tarOf(await binaryEntries())).subarray(0, 20_000));
    await expectRefusal(path, join(folder, 'store'), { message: /damaged tar/, expected: /complete archive/, received: /end of data/ });
  });

  test('half a record, a label out of range, and batches of different sizes', async () => {
    const folder = await temporaryFolder();
    const batches = join(folder, 'batches');
    await cp(join(fixtures, 'cifar', 'binary'), batches, { recursive: true });
    const file = join(batches, 'data_batch_4.bin');
    const good = await readFile(file);
    await writeFile(file, good.subarray(0, 3074));
    await expectRefusal(batches, join(folder, 'store'), { message: /data_batch_4/, expected: /3073/, received: /3074 bytes/ });
    const labelled = Buffer.from(good);
    labelled[3073] = 10;
    await writeFile(file, labelled);
    await expectRefusal(batches, join(folder, 'store'), {
      message: /data_batch_4.*range/,
      expected: /0 to 9/,
      received: /label 10 at position 1/,
    });
    await writeFile(file, good.subarray(0, 3073));
    await expectRefusal(batches, join(folder, 'store'), { message: /data_batch_4/, expected: /3 pictures/, received: /1 pictures/ });
  });

  test('a link in place of a batch', async () => {
    const folder = await temporaryFolder();
    const batches = join(folder, 'batches');
    await mkdir(batches);
    for (const { name, content } of (await binaryEntries()).slice(0, -1))
      await writeFile(join(batches, name.replace('cifar/', '')), content);
    await symlink(join(fixtures, 'cifar', 'binary', 'test_batch.bin'), join(batches, 'test_batch.bin'));
    await expectRefusal(batches, join(folder, 'store'), { message: /test_batch\.bin/, expected: /not a symbolic link/, received: /link/ });
  });
});
