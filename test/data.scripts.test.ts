// The scripts that make datasets for trials at real size: what they write is imported as the formats they name, and comes out the same twice.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { importDataset } from '../src/main/data/importDataset.ts';
import { openStore } from '../src/main/data/store.ts';
import type { DatasetManifest } from '../src/shared/contract/dataset.ts';
import { temporaryFolder } from './dataFiles.ts';

const run = promisify(execFile);

async function make(script: string, ...options: readonly string[]): Promise<void> {
  await run(process.execPath, [join(import.meta.dirname, '../scripts/data', script), ...options]);
}

interface Imported {
  readonly manifest: DatasetManifest;
  readonly labels: Uint16Array;
}

async function importFrom(path: string, size: number | null = null): Promise<Imported> {
  const targetFolder = join(await temporaryFolder(), 'store');
  const { rejected } = await importDataset({ paths: [path], kind: null, name: null, size, targetFolder });
  expect(rejected).toEqual([]);
  const store = openStore(targetFolder);
  const imported = { manifest: store.manifest, labels: store.readLabels() };
  store.close();
  return imported;
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

describe('householdPictures.ts', () => {
  it('makes class folders with a train and a test part, the same for the same seed', async () => {
    const folder = await temporaryFolder();
    const [first, second, other] = ['first', 'second', 'other'].map((name) => join(folder, name));
    if (first === undefined || second === undefined || other === undefined) throw new Error('There are three folders.');
    await make('householdPictures.ts', '--out', first, '--count', '32');
    await make('householdPictures.ts', '--out', second, '--count', '32');
    await make('householdPictures.ts', '--out', other, '--count', '32', '--seed', '2');
    const { manifest } = await importFrom(first, 224);
    expect(manifest).toMatchObject({ kind: 'folders', trainCount: 24, testCount: 8, shape: [224, 224, 3] });
    expect(manifest.classes).toEqual(['ankle_boot', 'bag', 'dress', 'pullover', 'sandal', 'sneaker', 't-shirt', 'trouser']);
    expect(manifest.classCounts).toEqual(manifest.classes.map(() => [3, 1]));
    expect((await importFrom(second, 224)).manifest.fingerprint).toBe(manifest.fingerprint);
    expect((await importFrom(other, 224)).manifest.fingerprint).not.toBe(manifest.fingerprint);
  });

  it('refuses a folder that holds something', async () => {
    await expect(make('householdPictures.ts', '--out', import.meta.dirname, '--count', '32')).rejects.toThrow(/is not empty/);
  });
});

describe('cifarFiles.ts', () => {
  it('makes both published formats with the same pictures, and the import shows the checksum of the archive', async () => {
    const folder = await temporaryFolder();
    await make('cifarFiles.ts', '--out', folder, '--per-batch', '300');
    expect(readdirSync(folder).sort()).toEqual(['cifar-10-binary.tar.gz', 'cifar-10-python.tar.gz']);
    const imported: Imported[] = [];
    for (const file of ['cifar-10-python.tar.gz', 'cifar-10-binary.tar.gz']) {
      const one = await importFrom(join(folder, file));
      expect(one.manifest).toMatchObject({ kind: 'cifar', trainCount: 1500, testCount: 300, shape: [32, 32, 3] });
      expect(one.manifest.sources).toEqual([{ file, sha256: sha256(join(folder, file)) }]);
      imported.push(one);
    }
    const [pickled, binary] = imported;
    expect(pickled?.manifest.fingerprint).toBe(binary?.manifest.fingerprint);
    expect(new Set(pickled?.labels).size).toBe(10);
  });
});
