// The folder of features that runs share: entries appear whole, are verified, are used by many and make room for others.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { featureManifestSchema, nameUse } from '../src/shared/contract/featureCache.ts';
import { createRowFile } from '../src/main/data/featureRows.ts';
import { openFeatureCache, reservedBytes, type DiskSpace, type FeatureCache } from '../src/main/trainer/featureCache.ts';

const key = (digit: string): string => digit.repeat(64);
const origin = {
  madeBy: 'run-one',
  recipe: 'Small',
  base: null,
  layer: 'pool',
  dataset: 'small',
  part: 'train' as const,
  images: 3,
  shape: [2],
};
const rows = Float32Array.of(1, 2, 3, 4, 5, 6);
const labels = Int32Array.of(0, 1, 2);
/** No process has it: beyond the largest number that Linux gives out. */
const deadProcess = 2 ** 22 + 1;
const plenty: DiskSpace = { freeBytes: 10 ** 12, totalBytes: 10 ** 12 };

function makeCache(disk: () => DiskSpace = () => plenty): { readonly folder: string; readonly cache: FeatureCache } {
  const folder = mkdtempSync(join(tmpdir(), 'lab-features-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, cache: openFeatureCache({ folder, measureDisk: disk }) };
}

function write(file: string, values = rows): Promise<{ bytes: number; sha256: string }> {
  const target = createRowFile(file);
  target.append(values);
  return Promise.resolve(target.finish());
}

const request = (digit: string, heldBytes = 1000) => ({
  key: key(digit),
  shape: [2],
  labels,
  heldBytes,
  breathe: () => Promise.resolve(),
});

async function readAll(cache: FeatureCache, digit: string, heldBytes = 1000): Promise<number[] | null> {
  const found = await cache.open(request(digit, heldBytes));
  if (found === null) return null;
  const target = new Float32Array(6);
  found.table.readRows(Uint32Array.of(2, 0, 1), target);
  found.table.close();
  return [...target];
}

/** Makes `lastUsedAt` of an entry so many minutes earlier, and its size what the test needs. */
function describeEntry(folder: string, digit: string, minutesAgo: number, bytes: number): void {
  const file = join(folder, key(digit), 'manifest.json');
  const manifest = featureManifestSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const lastUsedAt = new Date(Date.now() - minutesAgo * 60_000).toISOString();
  writeFileSync(file, JSON.stringify({ ...manifest, lastUsedAt, bytes }));
}

describe('an entry', () => {
  test('is read as it was written, from memory or from the disk', async () => {
    const { cache, folder } = makeCache();
    expect(await readAll(cache, 'a')).toBeNull();
    await cache.add(key('a'), origin, write);
    expect(await readAll(cache, 'a')).toEqual([5, 6, 1, 2, 3, 4]);
    expect(await readAll(cache, 'a', 0)).toEqual([5, 6, 1, 2, 3, 4]);
    expect(readdirSync(folder)).toEqual([key('a')]);
    expect(readdirSync(join(folder, key('a'))).toSorted()).toEqual(['features.f32', 'manifest.json']);
  });

  test('says who made it, and when it was used last', async () => {
    const { cache, folder } = makeCache();
    await cache.add(key('a'), origin, write);
    describeEntry(folder, 'a', 60, 24);
    const found = await cache.open(request('a'));
    found?.table.close();
    expect(found?.manifest).toMatchObject(origin);
    const stored = featureManifestSchema.parse(JSON.parse(readFileSync(join(folder, key('a'), 'manifest.json'), 'utf8')));
    expect(Date.now() - Date.parse(stored.lastUsedAt)).toBeLessThan(30_000);
  });

  test('that was cut short, changed or has no readable description is removed and made again', async () => {
    const { cache, folder } = makeCache();
    const file = join(folder, key('a'), 'features.f32');
    const damages = [
      () => truncateSync(file, 20),
      () => writeFileSync(file, Buffer.from(new Float32Array([1, 2, 3, 4, 5, 7]).buffer)),
      () => writeFileSync(join(folder, key('a'), 'manifest.json'), '{"version":1'),
    ];
    for (const damage of damages) {
      await cache.add(key('a'), origin, write);
      damage();
      expect(await readAll(cache, 'a')).toBeNull();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('whose making failed leaves nothing', async () => {
    const { cache, folder } = makeCache();
    const failure = new Error('the disk went away');
    await expect(cache.add(key('a'), origin, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that two make at once is there once, whole', async () => {
    const { cache, folder } = makeCache();
    const other = openFeatureCache({ folder });
    await cache.add(key('a'), origin, async (file) => {
      await other.add(key('a'), { ...origin, madeBy: 'run-two' }, write);
      return write(file);
    });
    expect(await readAll(cache, 'a')).toEqual([5, 6, 1, 2, 3, 4]);
    expect(readdirSync(folder)).toEqual([key('a')]);
  });

  test('can be read on after it was removed', async () => {
    const { cache, folder } = makeCache();
    await cache.add(key('a'), origin, write);
    const found = await cache.open(request('a', 0));
    rmSync(join(folder, key('a')), { recursive: true });
    const target = new Float32Array(2);
    found?.table.readRows(Uint32Array.of(1), target);
    expect([...target]).toEqual([3, 4]);
    found?.table.close();
  });

  test('keeps no mark of a reader who gave up', async () => {
    const { cache, folder } = makeCache();
    await cache.add(key('a'), origin, write);
    const enough = new Error('enough');
    await expect(cache.open({ ...request('a'), breathe: () => Promise.reject(enough) })).rejects.toBe(enough);
    expect(readdirSync(join(folder, key('a'))).toSorted()).toEqual(['features.f32', 'manifest.json']);
  });
});

describe('what is left of a crash', () => {
  test('is cleared away at the next start, unless its maker lives', () => {
    const { folder } = makeCache();
    for (const name of [`.making-${deadProcess}-aa`, `.making-${process.pid}-bb`, '.leaving-cc']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'features.f32'), 'half');
    }
    openFeatureCache({ folder });
    expect(readdirSync(folder)).toEqual([`.making-${process.pid}-bb`]);
  });
});

describe('making room', () => {
  const gigabyte = 10 ** 9;

  async function fill(disk: DiskSpace): Promise<{ readonly folder: string; readonly cache: FeatureCache }> {
    const made = makeCache(() => disk);
    for (const [digit, minutesAgo] of [
      ['a', 30],
      ['b', 10],
      ['c', 20],
    ] as const) {
      await made.cache.add(key(digit), origin, write);
      describeEntry(made.folder, digit, minutesAgo, 5 * gigabyte);
    }
    return made;
  }
  const left = (folder: string): string[] => readdirSync(folder).map((name) => name.slice(0, 1));

  test('removes nothing while there is some', async () => {
    const { cache, folder } = await fill(plenty);
    expect(cache.makeRoom(5 * gigabyte)).toBe(true);
    expect(left(folder).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('removes what was used longest ago when the folder would pass 20 GB', async () => {
    const { cache, folder } = await fill(plenty);
    expect(cache.makeRoom(10 * gigabyte)).toBe(true);
    expect(left(folder).toSorted()).toEqual(['b', 'c']);
    expect(cache.makeRoom(14 * gigabyte)).toBe(true);
    expect(left(folder)).toEqual(['b']);
  });

  test('passes over what is in use', async () => {
    const { cache, folder } = await fill(plenty);
    writeFileSync(join(folder, key('a'), nameUse(process.pid, 'aa')), '');
    writeFileSync(join(folder, key('c'), nameUse(deadProcess, 'bb')), '');
    expect(cache.makeRoom(10 * gigabyte)).toBe(true);
    expect(left(folder).toSorted()).toEqual(['a', 'b']);
    expect(cache.makeRoom(16 * gigabyte)).toBe(false);
  });

  test('gives nothing up for what will never fit', async () => {
    const { cache, folder } = await fill(plenty);
    expect(cache.makeRoom(21 * gigabyte)).toBe(false);
    expect(left(folder)).toHaveLength(3);
  });

  test('leaves a gigabyte of the disk free, and takes no more than a fifth of it', () => {
    const tight = makeCache(() => ({ freeBytes: reservedBytes + 100, totalBytes: 10 ** 12 }));
    expect(tight.cache.makeRoom(100)).toBe(true);
    expect(tight.cache.makeRoom(101)).toBe(false);
    const small = makeCache(() => ({ freeBytes: 10 ** 12, totalBytes: 10 * gigabyte }));
    expect(small.cache.makeRoom(2 * gigabyte)).toBe(true);
    expect(small.cache.makeRoom(2 * gigabyte + 1)).toBe(false);
    expect(existsSync(small.folder)).toBe(true);
  });
});
