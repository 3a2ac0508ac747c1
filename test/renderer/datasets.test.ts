// The datasets of a page: what there is, which picture stands where, and imports from files that a page sends. The real importer and
// viewer read small IDX files; the pretended importer is used where an import has to last.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { useDatasetsStore } from '../../src/renderer/stores/datasets.ts';
import { useFilesStore } from '../../src/renderer/stores/files.ts';
import { useImportsStore, type ImportChoice } from '../../src/renderer/stores/imports.ts';
import { countPictures, usePicturesStore } from '../../src/renderer/stores/pictures.ts';
import { sendFiles, type PutFile, type SentFile } from '../../src/renderer/stores/uploads.ts';
import { fromWire, LabError, wireErrorSchema } from '../../src/shared/contract/errors.ts';
import { valuesAt } from '../../src/shared/domain/pixels.ts';
import type { PictureSplit } from '../../src/shared/domain/pictures.ts';
import { idxLabels, idxPictures, patternedPixels } from '../dataFiles.ts';
import { fakePrograms, makeFolder, openLab, script, transferRecipe, type Lab } from '../lab.ts';
import { openPage } from './page.ts';

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 20_000 };
const realImporter = { programs: { ...fakePrograms, importer: join(import.meta.dirname, '../../src/main/importer.ts') } };

const side = 4;
const trainLabels = Array.from({ length: 2600 }, (_, index) => (index * index + (index >> 3)) % 5);
const testLabels = Array.from({ length: 300 }, (_, index) => (index * 3 + (index >> 4)) % 5);
const labels = [...trainLabels, ...testLabels];

function idxFiles(): SentFile[] {
  const pair = (name: string, own: readonly number[], seed: number): SentFile[] => {
    const pixels = patternedPixels(own.length * side * side, seed);
    const pictures = idxPictures({ count: own.length, height: side, width: side, pixels });
    return [
      { path: `digits/${name}-images-idx3-ubyte`, file: new Blob([new Uint8Array(pictures)]) },
      { path: `digits/${name}-labels-idx1-ubyte`, file: new Blob([new Uint8Array(idxLabels(own))]) },
    ];
  };
  return [...pair('train', trainLabels, 1), ...pair('t10k', testLabels, 2)];
}

/** What the page does over HTTP, straight to the core. */
function putInto({ core }: Lab): PutFile {
  return async (path, file, signal, onBytes) => {
    signal.throwIfAborted();
    const answer = await core.assets.respond({ method: 'PUT', path, body: file.stream() }, signal);
    onBytes(file.size);
    if (answer.status === 204) return;
    const { error } = JSON.parse(new TextDecoder().decode(answer.body as Uint8Array)) as { error: unknown };
    throw fromWire(wireErrorSchema.parse(error));
  };
}

const upload = (files: readonly SentFile[], name: string): ImportChoice => ({
  name,
  size: null,
  kind: null,
  source: { from: 'upload', files },
});
const small = (path: string): SentFile => ({ path, file: new Blob(['picture']) });
const kept = ({ folder }: Lab): string[] => {
  const uploads = join(folder, 'cache', 'uploads');
  return existsSync(uploads) ? readdirSync(uploads) : [];
};

describe('the list of datasets', () => {
  it('names those that come with the lab, follows imports and removals, and forgets what was removed', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useDatasetsStore);
    await vi.waitFor(() => expect(store.datasets?.map(({ id }) => id)).toEqual(['fashion-mnist', 'mnist-10k']), patience);
    await lab.client.call('datasets.import', { paths: ['/pictures'], name: 'cats' });
    await vi.waitFor(() => expect(store.find('cats')).toBeDefined(), patience);
    expect(['cats', 'mnist-10k'].map(store.isBundled)).toEqual([false, true]);
    expect((await store.open('cats')).perClass).toHaveLength(2);
    await store.remove('cats');
    expect(store.find('cats')).toBeUndefined();
    expect(store.details.size).toBe(0);
  });

  it('counts the runs that use a dataset, wherever they are kept', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useDatasetsStore);
    expect(await store.countUse('fashion-mnist')).toEqual({ active: 0, archived: 0, trashed: 0, names: [] });
    const settings = [script({ steps: 1 })];
    const { runs } = await lab.client.call('runs.create', { recipe: transferRecipe, settings, name: 'First' });
    expect(await store.countUse('fashion-mnist')).toEqual({ active: 1, archived: 0, trashed: 0, names: ['First'] });
    expect((await store.countUse('mnist-10k')).active).toBe(0);
    await lab.client.call('runs.stop', { run: runs[0]?.runId ?? '' });
  });
});

describe('the pictures of a dataset', () => {
  it('stand where a list of their labels, filtered by hand, has them', async () => {
    const lab = await openLab(makeFolder(), realImporter);
    const page = openPage(() => lab.core);
    const pictures = page.use(usePicturesStore);
    const imported = await page.use(useImportsStore).start(upload(idxFiles(), 'Digits'), putInto(lab));
    const dataset = await page.use(useDatasetsStore).open(imported?.id ?? '');
    const filters = fc.record({
      split: fc.constantFrom<PictureSplit>('all', 'train', 'test'),
      classes: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { minLength: 1 })),
    });
    const wanted = fc.integer({ min: 0, max: labels.length - 1 });
    await fc.assert(
      fc.asyncProperty(filters, wanted, fc.nat(5000), async (filter, index, place) => {
        const expected = [...labels.keys()].filter((at) => {
          const isInSplit = filter.split === 'all' || filter.split === (at < trainLabels.length ? 'train' : 'test');
          return isInSplit && (filter.classes === null || filter.classes.includes(labels[at] ?? -1));
        });
        pictures.show(dataset, filter);
        expect(pictures.total).toBe(expected.length);
        expect(countPictures(dataset, filter)).toBe(expected.length);
        const next = expected.findIndex((at) => at >= index);
        expect(await pictures.positionOf(index)).toBe(next < 0 ? expected.length - 1 : next);
        const position = place % expected.length;
        await pictures.need(position, position);
        expect(pictures.indexAt(position)).toBe(expected[position]);
        expect(pictures.pictureAt(position)).toEqual({ index: expected[position], label: labels[expected[position] ?? -1] });
        expect(pictures.indexAt(expected.length)).toBeUndefined();
      }),
      { numRuns: 40 },
    );
    const opened = await pictures.open(dataset, 2601);
    expect(opened).toMatchObject({ index: 2601, split: 'test', label: testLabels[1], shape: [side, side, 1] });
    const pixels = patternedPixels(testLabels.length * side * side, 2);
    expect(opened.pixels && valuesAt(opened.pixels, 2, 3)).toEqual([pixels[side * side + 2 * side + 3]]);
    expect(await pictures.open(dataset, 2601)).toBe(opened);
    await expect(pictures.open(dataset, labels.length)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('an import from files of the page', () => {
  it('brings the dataset, says how far it is, and keeps no upload', async () => {
    const lab = await openLab();
    const imports = openPage(() => lab.core).use(useImportsStore);
    const stages: string[] = [];
    const put: PutFile = (path, file, signal, onBytes) => {
      stages.push(`${imports.stage?.stage ?? ''} ${imports.stage?.total ?? 0}`);
      return putInto(lab)(path, file, signal, onBytes);
    };
    const answer = await imports.start(upload([small('partly/a.png'), small('partly/b.png')], 'Partly'), put);
    expect(stages).toEqual(['sending 2', 'sending 2']);
    expect(answer).toMatchObject({ id: 'partly', rejected: [{ file: 'a.txt' }] });
    expect(imports.outcome?.id).toBe('partly');
    expect(imports.stage).toBeNull();
    expect(kept(lab)).toEqual([]);
    imports.dismiss();
    expect(imports.outcome).toBeNull();
  });

  it('tells what went wrong, keeps the choice for another try, and no upload', async () => {
    const lab = await openLab();
    const imports = openPage(() => lab.core).use(useImportsStore);
    const choice = upload([small('bad/a.png'), small('bad/b.png')], 'Bad');
    expect(await imports.start(choice, putInto(lab))).toBeUndefined();
    expect(imports.failure).toMatchObject({ choice, error: { code: 'bad_input', expected: 'IDX' } });
    expect(kept(lab)).toEqual([]);
  });

  it('shows the pictures that were read, and leaves nothing when it is cancelled', async () => {
    const lab = await openLab();
    const imports = openPage(() => lab.core).use(useImportsStore);
    const working = imports.start(upload([small('slow/a.png'), small('slow/b.png')], 'Slow'), putInto(lab));
    await vi.waitFor(() => expect(imports.stage).toMatchObject({ stage: 'reading', done: 1, total: 100 }), patience);
    await expect(imports.start(upload([small('a.png')], 'Other'))).rejects.toMatchObject({ code: 'conflict' });
    imports.cancel();
    expect(await working).toBeUndefined();
    expect(imports.failure).toBeNull();
    expect(imports.stage).toBeNull();
    await vi.waitFor(() => expect(kept(lab)).toEqual([]), patience);
    await vi.waitFor(() => expect(readdirSync(join(lab.folder, 'datasets'))).toEqual([]), patience);
  });

  it('is discarded when a file cannot be sent, and stops sending the others', async () => {
    const lab = await openLab();
    const { connection } = openPage(() => lab.core);
    const files = Array.from({ length: 40 }, (_, index) => small(`cats/${index}.png`));
    let sent = 0;
    const put: PutFile = (path, ...others) => {
      sent += 1;
      if (path.endsWith('/5')) return Promise.reject(new LabError('connection_lost', 'A file could not be sent.'));
      return putInto(lab)(path, ...others);
    };
    const control = new AbortController();
    const work = sendFiles(connection, files, { signal: control.signal, onProgress: () => undefined, put });
    await expect(work).rejects.toMatchObject({ code: 'connection_lost' });
    await vi.waitFor(() => expect(kept(lab)).toEqual([]), patience);
    expect(sent).toBeLessThan(files.length);
  });

  it('counts files and bytes up to all of them', async () => {
    const lab = await openLab();
    const { connection } = openPage(() => lab.core);
    const files = Array.from({ length: 9 }, (_, index) => ({ path: `cats/${index}.png`, file: new Blob(['x'.repeat(index + 1)]) }));
    const seen: { files: number; bytes: number }[] = [];
    const onProgress = (progress: { files: number; bytes: number }): void => void seen.push(progress);
    const { token } = await sendFiles(connection, files, { signal: new AbortController().signal, onProgress, put: putInto(lab) });
    expect(token).not.toBe('');
    expect(seen.at(-1)).toEqual({ files: 9, bytes: 45 });
    expect(seen.map(({ bytes }) => bytes)).toEqual(seen.map(({ bytes }) => bytes).sort((a, b) => a - b));
  });
});

describe('the folders of the machine', () => {
  it('are shown from the places down, and only the newest answer counts', async () => {
    const place = makeFolder();
    const lab = await openLab(makeFolder(), { host: { browsableFolders: [place] } });
    await lab.client.call('core.host', {});
    const files = openPage(() => lab.core).use(useFilesStore);
    await files.showPlaces();
    expect(files.entries.map(({ kind }) => kind)).toEqual(['folder']);
    expect(files.trail).toEqual([]);
    const opening = files.openFolder(files.entries[0]?.token ?? '');
    const back = files.showPlaces();
    await Promise.all([opening, back]);
    expect(files.trail).toEqual([]);
    await files.openFolder(files.entries[0]?.token ?? '');
    expect(files.trail).toHaveLength(1);
    await files.openFolder('a-token-of-nothing');
    expect(files.error).toMatchObject({ code: 'not_found' });
    await expect(files.choose('dataset')).rejects.toMatchObject({ code: 'unsupported' });
  });
});
