import { execFile } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from './dataFiles.ts';

const mebibyte = 2 ** 20;
const data = (name: string): string => JSON.stringify(pathToFileURL(join(import.meta.dirname, '..', 'src', 'main', 'data', name)).href);

/** A store whose files are holes: any size, no room on the disk. */
async function hollowStore(shape: readonly [number, number, number], count: number): Promise<string> {
  const folder = await temporaryFolder();
  const bytes = shape[0] * shape[1] * shape[2] * count;
  const manifest = {
    version: 1,
    id: 'hollow',
    name: 'Hollow',
    kind: 'folders',
    classes: ['a', 'b'],
    trainCount: count,
    testCount: 0,
    classCounts: [
      [count, 0],
      [0, 0],
    ],
    shape,
    fingerprint: '0'.repeat(64),
    origin: 'test',
    sources: [],
    licence: null,
    bytes,
    createdAt: '2026-01-01T00:00:00Z',
  };
  await writeFile(join(folder, 'dataset.json'), JSON.stringify(manifest));
  for (const [name, size] of [['images.bin', bytes] as const, ['labels.bin', count * 2] as const]) {
    await writeFile(join(folder, name), '');
    await truncate(join(folder, name), size);
  }
  return folder;
}

/** Memory of a process that reads 300 shuffled batches of 32, in MiB: before the store was opened, and at its highest. */
async function measure(folder: string): Promise<{ before: number; peak: number }> {
  const program = `
    import { openStore } from ${data('store.ts')};
    import { createBatchSource } from ${data('batches.ts')};
    const before = process.resourceUsage().maxRSS / 1024;
    const store = openStore(${JSON.stringify(folder)});
    const indices = Uint32Array.from({ length: store.count }, (_, index) => (index * 7919) % store.count);
    const source = createBatchSource({ store, indices, labelMap: [0, 1], batchSize: 32 });
    for (let step = 0; step < 300; step++) source.fill(0, step);
    process.stdout.write(JSON.stringify({ before, peak: process.resourceUsage().maxRSS / 1024 }));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module-typescript', '--eval', program]);
  return z.object({ before: z.number(), peak: z.number() }).parse(JSON.parse(stdout));
}

test('20,000 pictures of 224x224 (3 GB) cost no more than a few batches', async () => {
  const { before, peak } = await measure(await hollowStore([224, 224, 3], 20_000));
  expect(peak - before).toBeLessThan(100);
});

test('60,000 pictures of 28x28 cost their bytes and little more', async () => {
  const { before, peak } = await measure(await hollowStore([28, 28, 1], 60_000));
  expect(peak - before).toBeLessThan((60_000 * 784) / mebibyte + 25);
});

test('1,500 pictures of 256x256 (300 MB) are brought to another size once, block by block', async () => {
  const folder = await hollowStore([256, 256, 3], 1500);
  await writeFile(join(folder, 'labels.bin'), new Uint8Array(Uint16Array.from({ length: 1500 }, (_, index) => index % 2).buffer));
  const program = `
    import { deriveStore } from ${data('derive.ts')};
    const before = process.resourceUsage().maxRSS / 1024;
    const input = { size: [24, 24], colorMode: null, resize: 'nearest' };
    const made = await deriveStore({ folder: ${JSON.stringify(folder)}, input, cacheFolder: ${JSON.stringify(join(folder, 'cache'))} });
    process.stdout.write(JSON.stringify({ before, peak: process.resourceUsage().maxRSS / 1024, made }));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module-typescript', '--eval', program]);
  const { before, peak, made } = z.object({ before: z.number(), peak: z.number(), made: z.string() }).parse(JSON.parse(stdout));
  expect(made).toContain('24x24x3-nearest');
  expect(peak - before).toBeLessThan(100);
});
