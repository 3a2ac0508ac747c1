// The viewer child as a process, and pictures and uploads through a whole core with the real importer.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { meanUrl, pictureUrl, sheetLayout, sheetUrl, tilePlace } from '../src/shared/domain/pictures.ts';
import { writeStore } from '../src/main/data/storeWriter.ts';
import { createViewerClient, type ViewerClient, type ViewerOptions } from '../src/main/services/viewerClient.ts';
import { patternedPixels } from './dataFiles.ts';
import { fakePrograms, makeFolder, openLab, type Lab } from './lab.ts';

const never = new AbortController().signal;
const program = fakePrograms.viewer;

async function writeDataset(count = 20) {
  const folder = join(makeFolder(), 'store');
  const labels = Array.from({ length: count }, (_, index) => index % 2);
  const pixels = patternedPixels(count * 48);
  const draft = {
    id: 'drawn',
    name: 'Drawn',
    kind: 'idx',
    classes: ['a', 'b'],
    shape: [4, 4, 3],
    origin: 'a test',
    licence: null,
  } as const;
  const { fingerprint } = await writeStore(folder, { ...draft, sources: () => [] }, [{ part: 'train', labels, pixels }]);
  return { folder, fingerprint };
}

function openViewer(changed: Partial<ViewerOptions> = {}): ViewerClient {
  const viewer = createViewerClient({ node: process.execPath, program, ...changed });
  onTestFinished(() => viewer.close());
  return viewer;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function viewers(): number[] {
  return childrenOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('viewer.ts'));
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let waited = 0; !isTrue() && waited < 10_000; waited += 20) await rest(20);
  expect(isTrue()).toBe(true);
}

describe('the viewer child', () => {
  test('is one for many requests, ends after a rest and starts again', async () => {
    const store = await writeDataset();
    const viewer = openViewer({ idleMs: 300 });
    expect(viewers()).toEqual([]);
    const asked = Array.from({ length: 20 }, (_, index) => viewer.ask('pixels', { ...store, index }, never));
    await Promise.all(asked);
    const [first, ...others] = viewers();
    expect(others).toEqual([]);
    await until(() => viewers().length === 0);
    await viewer.ask('pixels', { ...store, index: 0 }, never);
    expect(viewers()).not.toContain(first);
    await viewer.close();
    expect(viewers()).toEqual([]);
    await expect(viewer.ask('pixels', { ...store, index: 0 }, never)).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('that is killed has a successor that answers what was asked', async () => {
    const store = await writeDataset(5000);
    const viewer = openViewer();
    await viewer.ask('pixels', { ...store, index: 0 }, never);
    const [victim = 0] = viewers();
    process.kill(victim, 'SIGSTOP');
    const asked = Array.from({ length: 10 }, (_, index) => viewer.ask('pixels', { ...store, index }, never));
    process.kill(victim, 'SIGKILL');
    const answers = await Promise.all(asked);
    expect(answers.map(({ label }) => label)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    expect(viewers()).toHaveLength(1);
    expect(viewers()).not.toContain(victim);
  });

  test('that cannot live is not started for ever', async () => {
    const folder = makeFolder();
    const broken = join(folder, 'viewer.js');
    writeFileSync(broken, `require('fs').appendFileSync(${JSON.stringify(join(folder, 'starts'))}, 'x'); throw new Error('no luck');`);
    const store = await writeDataset();
    const dead = openViewer({ program: broken }).ask('pixels', { ...store, index: 0 }, never);
    await expect(dead).rejects.toMatchObject({ code: 'internal', received: expect.stringContaining('no luck') as unknown });
    expect(readFileSync(join(folder, 'starts'), 'utf8')).toBe('xx');
    const absent = openViewer({ node: join(folder, 'nothing') }).ask('pixels', { ...store, index: 0 }, never);
    await expect(absent).rejects.toMatchObject({ code: 'internal', message: expect.stringContaining('could not be started') as unknown });
  });

  test('answers the others when some are cancelled, and takes no more than it can hold', async () => {
    const store = await writeDataset();
    const viewer = openViewer();
    const page = new AbortController();
    const asked = Array.from({ length: 2006 }, (_, index) =>
      viewer.ask('pixels', { ...store, index: index % 20 }, index % 2 === 0 ? page.signal : never),
    );
    await expect(viewer.ask('pixels', { ...store, index: 0 }, never)).rejects.toMatchObject({ code: 'limit_exceeded' });
    page.abort(new Error('left'));
    const results = await Promise.allSettled(asked);
    expect(results.map(({ status }) => status)).toEqual(asked.map((_, index) => (index % 2 === 0 ? 'rejected' : 'fulfilled')));
    expect(results[0]).toMatchObject({ reason: { message: 'left' } });
    const late = viewer.ask('pixels', { ...store, index: 0 }, AbortSignal.abort(new Error('late')));
    await expect(late).rejects.toThrow('late');
  });

  test('leaves nobody waiting when the core closes', async () => {
    const store = await writeDataset();
    const viewer = openViewer();
    const asked = Array.from({ length: 50 }, (_, index) => viewer.ask('pixels', { ...store, index: index % 20 }, never));
    const results = Promise.allSettled(asked);
    await viewer.close();
    for (const result of await results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    expect(viewers()).toEqual([]);
  });

  test('passes on what it refuses, and goes on', async () => {
    const store = await writeDataset();
    const viewer = openViewer();
    await expect(viewer.ask('pixels', { ...store, index: 20 }, never)).rejects.toMatchObject({ code: 'not_found', expected: '0 to 19' });
    await expect(viewer.ask('pixels', { ...store, index: -1 }, never)).rejects.toMatchObject({ code: 'internal' });
    expect(await viewer.ask('pixels', { ...store, index: 19 }, never)).toMatchObject({ label: 1 });
    expect(viewers()).toHaveLength(1);
  });

  test('ends when its parent is killed', async () => {
    const store = await writeDataset();
    const source = `
      import { createViewerClient } from ${JSON.stringify(join(import.meta.dirname, '../src/main/services/viewerClient.ts'))};
      const viewer = createViewerClient({ node: process.execPath, program: ${JSON.stringify(program)} });
      await viewer.ask('pixels', { ...${JSON.stringify(store)}, index: 0 }, new AbortController().signal);
      process.stdout.write('warm');
    `;
    const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    const [child = 0] = childrenOf(parent.pid ?? 0);
    expect(existsSync(`/proc/${child}`)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !existsSync(`/proc/${child}`) || readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z '));
  });
});

const realPrograms = { ...fakePrograms, importer: join(import.meta.dirname, '../src/main/importer.ts') };

function openRealLab(): Promise<Lab> {
  return openLab(makeFolder(), { programs: realPrograms });
}

async function get({ core }: Lab, path: string): Promise<Uint8Array> {
  const { status, headers, body } = await core.assets.respond({ method: 'GET', path, body: null }, never);
  expect(status).toBe(200);
  expect(headers).toEqual({
    'Content-Type': 'image/png',
    'Cache-Control': 'public, max-age=31536000, immutable',
    'X-Content-Type-Options': 'nosniff',
  });
  if (!(body instanceof Uint8Array)) throw new Error('The answer holds no bytes.');
  return body;
}

describe('pictures through the core', () => {
  test('of a bundled dataset, unpacked when first asked for, whoever leaves meanwhile', async () => {
    const lab = await openRealLab();
    const { datasets } = await lab.client.call('datasets.list', {});
    const dataset = datasets.find(({ id }) => id === 'mnist-10k');
    const fingerprint = dataset?.fingerprint ?? '';
    const page = new AbortController();
    const left = lab.core.assets.respond({ method: 'GET', path: pictureUrl(fingerprint, 0), body: null }, page.signal);
    const address = { fingerprint, split: 'train' as const, classes: [7], page: 1 };
    const staying = get(lab, sheetUrl(address));
    await rest(20);
    page.abort(new Error('left'));
    expect((await left).status).toBe(500);
    const sheet = await sharp(await staying)
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });

    const layout = sheetLayout(dataset?.shape ?? []);
    const request = { datasetId: 'mnist-10k', split: 'train' as const, classes: [7], offset: layout.perSheet + 41, limit: 1 };
    const [seven] = (await lab.client.call('datasets.browse', request)).pictures;
    const { pixels, ...picture } = await lab.client.call('datasets.picture', { datasetId: 'mnist-10k', index: seven?.index ?? -1 });
    expect(picture).toEqual({ index: seven?.index, split: 'train', label: 7, shape: [28, 28, 1] });
    const { x, y } = tilePlace(layout, 41);
    const rows = Array.from({ length: 28 }, (_, row) => sheet.data.subarray((y + row) * sheet.info.width + x).subarray(0, 28));
    expect(Buffer.concat(rows).toString('base64')).toBe(pixels);
    expect((await sharp(await get(lab, meanUrl(fingerprint, 'all', 7))).metadata()).width).toBe(28);
    const beyond = await lab.core.assets.respond({ method: 'GET', path: sheetUrl({ ...address, page: 9 }), body: null }, never);
    expect(beyond.status).toBe(404);
  });

  test('of class folders that a page uploads', async () => {
    const lab = await openRealLab();
    const colours = { red: [200, 10, 20], blue: [10, 20, 200] };
    const files = Object.entries(colours).flatMap(([name, [r = 0, g = 0, b = 0]]) =>
      [0, 1, 2].map((index) => ({ name: `my set/${name}/${index}.png`, background: { r: r + index, g, b } })),
    );
    const bytes = await Promise.all(
      files.map(({ background }) =>
        sharp({ create: { width: 12, height: 10, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const contents = bytes.map((content, index) => ({ name: files[index]?.name ?? '', content }));
    const { uploadId, token } = await upload(lab, contents);
    const dataset = await lab.client.call('datasets.importFiles', { tokens: [token] });
    expect(dataset).toMatchObject({ name: 'my set', classes: ['blue', 'red'], trainCount: 6, shape: [10, 12, 3], rejected: [] });
    expect(existsSync(join(lab.folder, 'cache', 'uploads', uploadId))).toBe(false);

    const { pictures } = await lab.client.call('datasets.browse', { datasetId: dataset.id, classes: [1] });
    expect(pictures).toHaveLength(3);
    const drawn = await sharp(await get(lab, pictureUrl(dataset.fingerprint, pictures[2]?.index ?? 0)))
      .raw()
      .toBuffer();
    expect([...drawn.subarray(0, 3)]).toEqual([202, 10, 20]);
    await lab.client.call('datasets.remove', { datasetId: dataset.id });
    const gone = await lab.core.assets.respond({ method: 'GET', path: pictureUrl(dataset.fingerprint, 0), body: null }, never);
    expect(gone.status).toBe(404);
  });

  test('as an augmentation changes them, on a sheet with an address of its own, and their statistics', async () => {
    const lab = await openRealLab();
    const shown = await lab.client.call('recipes.show', { id: 'mnist-test-1' });
    const augmentation = augmentationSchema.parse({ rotationRange: 20, mixup: {} });
    const content = { ...shown, phases: shown.phases.map((one) => ({ ...one, augmentation })) };
    const recipe = { from: 'content', content } as const;
    const request = { recipe, pictures: { kind: 'batch', epoch: 1, step: 2, limit: 10 } } as const;
    const preview = await lab.client.call('recipes.previewAugmentation', request);
    expect(preview).toMatchObject({ columns: 4, tileSize: [28, 28], trainImages: 8500, stepsPerEpoch: 133, batchImages: 64 });
    expect(preview.tiles[3]).toMatchObject({ variant: 1, parameters: [{ name: 'rotationRange' }], mix: { kind: 'mixup' } });
    const { width, height } = await sharp(await get(lab, preview.sheetUrl)).metadata();
    expect([width, height]).toEqual([4 * 28, 3 * 28]);
    expect(await lab.client.call('recipes.previewAugmentation', request)).toMatchObject({ sheetUrl: preview.sheetUrl });
    const other = await lab.client.call('recipes.previewAugmentation', { ...request, seed: 99 });
    expect(other.sheetUrl).not.toBe(preview.sheetUrl);
    const missing = preview.sheetUrl.replace(/[0-9a-f]{8}/, '00000000');
    expect((await lab.core.assets.respond({ method: 'GET', path: missing, body: null }, never)).status).toBe(404);
    const absent = lab.client.call('recipes.previewAugmentation', { ...request, phase: 7 });
    await expect(absent).rejects.toMatchObject({ code: 'not_found', expected: '0 to 0' });
    expect(await lab.client.call('recipes.fit', { recipe })).toMatchObject({ images: 8500, mean: [expect.closeTo(0.131, 2)] });
  });

  test('that cannot be imported are refused without saying where the lab keeps them', async () => {
    const lab = await openRealLab();
    const { token } = await upload(lab, [{ name: 'notes/readme.txt', content: Buffer.from('no pictures') }]);
    const refused = lab.client.call('datasets.importFiles', { tokens: [token] });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'bad_input', message: expect.stringContaining('readme.txt') as string });
    expect(JSON.stringify(error)).not.toContain(lab.folder);
  });

  test('too large for a message are shown, but not listed pixel by pixel', async () => {
    const lab = await openRealLab();
    const set = join(makeFolder(), 'set');
    for (const name of ['a', 'b']) {
      mkdirSync(join(set, name), { recursive: true });
      const background = { r: name.length, g: 2, b: 3 };
      await sharp({ create: { width: 8, height: 8, channels: 3, background } }).toFile(join(set, name, '1.png'));
    }
    const { id, fingerprint } = await lab.client.call('datasets.import', { paths: [set], size: 512 });
    const listed = lab.client.call('datasets.picture', { datasetId: id, index: 0 });
    await expect(listed).rejects.toMatchObject({ code: 'unsupported', received: '786432 bytes' });
    expect((await sharp(await get(lab, pictureUrl(fingerprint, 0))).metadata()).width).toBe(512);
  });
});

async function upload(lab: Lab, files: readonly { readonly name: string; readonly content: Buffer }[]) {
  const totalBytes = files.reduce((sum, { content }) => sum + content.length, 0);
  const { uploadId, token } = await lab.client.call('uploads.open', { fileCount: files.length, totalBytes });
  await lab.client.call('uploads.name', { uploadId, from: 0, names: files.map(({ name }) => name) });
  for (const [position, { content }] of files.entries()) {
    const body = (async function* () {
      yield await Promise.resolve(content);
    })();
    const answer = await lab.core.assets.respond({ method: 'PUT', path: `/upload/${uploadId}/${position}`, body }, never);
    expect(answer.status).toBe(204);
  }
  return { uploadId, token };
}
