// Results of finished phases: what the viewer child makes of stored predictions, through the real core and a trainer that only pretends.
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { PhaseReport } from '../src/shared/contract/worker.ts';
import { rpcLimits } from '../src/shared/rpc.ts';
import type { CallInput } from '../src/shared/contract/api.ts';
import { createPhaseStore } from '../src/main/db/phases.ts';
import { encodeTensors } from '../src/main/engine/safetensors.ts';
import { describePictures, listPictures } from '../src/main/services/triedPictures.ts';
import { createResultShelf } from '../src/main/viewer/results.ts';
import { eventsUntil, makeFolder, openLab, transferRecipe, type Lab } from './lab.ts';

// Processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

interface KeptFile {
  readonly file: string;
  readonly path: string;
  readonly sha256: string;
}

function keep(folder: string, file: string, content: Uint8Array): KeptFile {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return { file, path, sha256: createHash('sha256').update(content).digest('hex') };
}

function keepPredictions(folder: string, labels: readonly number[], rows: readonly (readonly number[])[]): KeptFile {
  const probabilities = Float32Array.from(rows.flat());
  const content = encodeTensors([
    { name: 'probabilities', shape: [labels.length, rows[0]?.length ?? 0], data: probabilities },
    { name: 'labels', shape: [labels.length], data: Int32Array.from(labels) },
  ]);
  return keep(folder, 'phases/1/predictions.safetensors', Buffer.concat(content));
}

const keepSplit = (folder: string, test: readonly number[]): KeptFile =>
  keep(folder, 'splits/phase-1.json', Buffer.from(JSON.stringify({ train: [0], validation: [], test })));

/** Six pictures of five classes: right but for the third, which is certain and wrong, and the fifth, whose true class got 0.25. */
const labels = [0, 1, 2, 3, 4, 4];
const rows = [
  [0.5, 0.125, 0.125, 0.125, 0.125],
  [0.25, 0.75, 0, 0, 0],
  [0, 0.0625, 0, 0.9375, 0],
  [0, 0, 0, 1, 0],
  [0.25, 0.25, 0, 0.25, 0.25],
  [0.0625, 0, 0, 0.0625, 0.875],
];
const testSet = [70, 71, 75, 76, 78, 79];

/** A finished run whose first phase has these predictions. */
async function finishedRun(folder: string, datasetId: string | null = null): Promise<{ lab: Lab; runId: string; runFolder: string }> {
  const first = await openLab(folder);
  const created = await first.client.call('runs.create', { recipe: transferRecipe, datasetId });
  const runId = created.runs[0]?.runId ?? '';
  await eventsUntil(first.client, created.since, (event) => event.type === 'run.finished');
  await first.close();
  const runFolder = join(folder, 'runs', runId);
  const { file, sha256 } = keepPredictions(runFolder, labels, rows);
  const split = keepSplit(runFolder, testSet);
  const report: PhaseReport = {
    type: 'phaseFinished',
    phase: 0,
    epochs: 5,
    seconds: 1,
    secondsPerEpoch: 0.2,
    stoppedBy: 'epochs',
    best: { epoch: 4, rule: 'bestValLoss' },
    test: { loss: 0.75, accuracy: 4 / 6 },
    weights: { file: 'weights', sha256 },
    predictions: { file, sha256 },
    confusion: null,
  };
  const database = new Database(join(folder, 'lab.sqlite'));
  const phases = createPhaseStore(database);
  phases.finish(runId, report);
  phases.setSplit(runId, { phase: 0, train: 80, validation: 6, test: 6, file: split.file, sha256: split.sha256 });
  database.close();
  return { lab: await openLab(folder), runId, runFolder };
}

describe('results of a phase', () => {
  test('tell everything about its test set', async () => {
    const { lab, runId } = await finishedRun(makeFolder());
    const result = await lab.client.call('results.show', { run: runId, phase: 0 });
    expect(result).toMatchObject({
      runId,
      phase: 0,
      phaseName: 'full',
      // The phase trains the classes 5 to 9 of the dataset.
      classes: ['class 5', 'class 6', 'class 7', 'class 8', 'class 9'],
      isDatasetPresent: true,
      images: 6,
      epoch: 4,
      rule: 'bestValLoss',
      loss: 0.75,
      accuracy: 4 / 6,
      topK: [
        { k: 1, accuracy: 5 / 6 },
        // Two classes are more probable than the third picture's own.
        { k: 3, accuracy: 1 },
      ],
      confusion: [
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 0],
        [1, 0, 0, 0, 1],
      ],
      averages: { micro: { f1: 4 / 6, support: 6 } },
    });
    expect(result.perClass[3]).toEqual({ name: 'class 8', precision: 0.5, recall: 1, f1: 2 / 3, support: 1 });
    expect(result.published).toEqual([expect.objectContaining({ phase: 'full' })]);
    // Of the probabilities of the true classes 1/2, 3/4, 0 (kept a float32 epsilon away), 1, 1/4 and 7/8.
    const expected = -Math.log(0.5 * 0.75 * 2 ** -23 * (1 - 2 ** -23) * 0.25 * 0.875) / 6;
    expect(result.logLoss).toBeCloseTo(expected, 9);
    expect(result.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  test('are still there when the dataset is gone', async () => {
    const folder = makeFolder();
    const importing = await openLab(folder);
    const { id } = await importing.client.call('datasets.import', { paths: ['/classes-10'], name: 'ten' });
    await importing.close();
    const { lab, runId } = await finishedRun(folder, id);
    expect(await lab.client.call('results.show', { run: runId, phase: 0 })).toMatchObject({ isDatasetPresent: true });
    await lab.client.call('datasets.remove', { datasetId: id });
    const result = await lab.client.call('results.show', { run: runId, phase: 0 });
    expect(result).toMatchObject({ isDatasetPresent: false, images: 6, classes: ['class 5', 'class 6', 'class 7', 'class 8', 'class 9'] });
    const { total } = await lab.client.call('results.predictions', { run: runId, phase: 0 });
    expect(total).toBe(6);
    // Another dataset under the same name does not speak for the one that is gone.
    const other = await lab.client.call('datasets.import', { paths: ['/other-classes-10'], name: 'ten' });
    expect(other.id).toBe(id);
    expect(await lab.client.call('results.show', { run: runId, phase: 0 })).toMatchObject({ isDatasetPresent: false });
  });

  test('are refused for phases without any', async () => {
    const { lab, runId } = await finishedRun(makeFolder());
    const show = (phase: number) => lab.client.call('results.show', { run: runId, phase });
    await expect(show(1)).rejects.toMatchObject({ code: 'not_found', message: expect.stringContaining('no test results') as string });
    await expect(show(2)).rejects.toMatchObject({ code: 'not_found', expected: '0 to 1' });
    const queued = await lab.client.call('runs.create', { recipe: transferRecipe });
    const other = queued.runs[0]?.runId ?? '';
    await expect(lab.client.call('results.show', { run: other, phase: 1 })).rejects.toMatchObject({ code: 'conflict' });
    await expect(lab.client.call('results.predictions', { run: other, phase: 1 })).rejects.toMatchObject({ code: 'conflict' });
    await expect(lab.client.call('results.show', { run: 'nothing', phase: 0 })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('are refused when the file is damaged or gone', async () => {
    const damaged = await finishedRun(makeFolder());
    writeFileSync(join(damaged.runFolder, 'phases/1/predictions.safetensors'), 'other');
    const ask = ({ lab, runId }: typeof damaged) => lab.client.call('results.show', { run: runId, phase: 0 });
    await expect(ask(damaged)).rejects.toMatchObject({ code: 'workspace_damaged' });
    rmSync(join(damaged.runFolder, 'phases'), { recursive: true });
    await expect(ask(damaged)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('predictions', () => {
  test('are filtered, ordered and paged', async () => {
    const { lab, runId } = await finishedRun(makeFolder());
    const list = async (wanted: Partial<CallInput<'results.predictions'>>): Promise<number[]> => {
      const { predictions } = await lab.client.call('results.predictions', { run: runId, phase: 0, ...wanted });
      return predictions.map((prediction) => prediction.position);
    };
    expect(await list({})).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await list({ outcome: 'wrong' })).toEqual([2, 4]);
    expect(await list({ outcome: 'right', order: 'confidence' })).toEqual([3, 5, 1, 0]);
    expect(await list({ order: 'surprise' })).toEqual([2, 4, 0, 1, 5, 3]);
    expect(await list({ outcome: 'wrong', order: 'confidence' })).toEqual([2, 4]);
    expect(await list({ label: 4 })).toEqual([4, 5]);
    expect(await list({ predicted: 3 })).toEqual([2, 3]);
    expect(await list({ label: 4, predicted: 0 })).toEqual([4]);
    expect(await list({ offset: 2, limit: 2, order: 'confidence' })).toEqual([5, 1]);
    const page = await lab.client.call('results.predictions', { run: runId, phase: 0, outcome: 'wrong', limit: 1 });
    expect(page).toEqual({
      total: 2,
      predictions: [{ position: 2, index: 75, label: 2, predicted: 3, confidence: 0.9375, probabilities: rows[2] }],
    });
  });

  test('come from memory after the first page', async () => {
    const { lab, runId, runFolder } = await finishedRun(makeFolder());
    await lab.client.call('results.predictions', { run: runId, phase: 0 });
    rmSync(join(runFolder, 'phases'), { recursive: true });
    expect(await lab.client.call('results.predictions', { run: runId, phase: 0 })).toMatchObject({ total: 6 });
  });
});

describe('the shelf of stored predictions', () => {
  const request = { outcome: 'all', label: null, predicted: null, order: 'position', offset: 0, limit: 200 } as const;

  test('agrees with a plain reading of the table, whatever the filter', () => {
    const folder = makeFolder();
    const row = fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 3, maxLength: 3 });
    const entry = fc.record({ label: fc.integer({ min: 0, max: 2 }), row });
    const filter = fc.record({
      outcome: fc.constantFrom('all' as const, 'right' as const, 'wrong' as const),
      label: fc.constantFrom(null, 0, 1, 2),
      predicted: fc.constantFrom(null, 0, 1, 2),
      order: fc.constantFrom('position' as const, 'confidence' as const, 'surprise' as const),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 30 }), filter, (entries, wanted) => {
        const shelf = createResultShelf();
        const predictions = keepPredictions(
          folder,
          entries.map(({ label }) => label),
          entries.map((one) => one.row),
        );
        const split = keepSplit(
          folder,
          entries.map((_, position) => position * 2),
        );
        const { total, predictions: listed } = shelf.list({ ...request, ...wanted, predictions, split });
        const plain = entries
          .map((one, position) => ({ ...one, position, answer: one.row.indexOf(Math.max(...one.row)) }))
          .filter(({ label, answer }) => wanted.outcome === 'all' || (label === answer) === (wanted.outcome === 'right'))
          .filter(({ label }) => wanted.label === null || label === wanted.label)
          .filter(({ answer }) => wanted.predicted === null || answer === wanted.predicted);
        if (wanted.order === 'confidence') plain.sort((a, b) => Math.max(...b.row) - Math.max(...a.row));
        if (wanted.order === 'surprise') plain.sort((a, b) => (a.row[a.label] ?? 0) - (b.row[b.label] ?? 0));
        expect(total).toBe(plain.length);
        expect(listed.map(({ position, index, predicted }) => ({ position, index, predicted }))).toEqual(
          plain.map(({ position, answer }) => ({ position, index: position * 2, predicted: answer })),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('refuses a split that does not belong to the predictions, and a file without them', () => {
    const folder = makeFolder();
    const predictions = keepPredictions(
      folder,
      [0, 1],
      [
        [1, 0],
        [0, 1],
      ],
    );
    const shelf = createResultShelf();
    expect(() => shelf.list({ ...request, predictions, split: keepSplit(folder, [1, 2, 3]) })).toThrow('does not hold the predictions');
    const weights = keep(folder, 'weights', Buffer.concat(encodeTensors([{ name: 'kernel', shape: [1], data: Float32Array.of(1) }])));
    expect(() => shelf.measure({ predictions: weights })).toThrow('does not hold the predictions');
  });

  test('answers a page of ten thousand pictures within milliseconds', () => {
    const folder = makeFolder();
    const many = Array.from({ length: 10_000 }, (_, position) => position % 10);
    const predictions = keepPredictions(
      folder,
      many,
      many.map((label) => Array.from({ length: 10 }, (_, column) => (column === label ? 0.5 : 0.05))),
    );
    const split = keepSplit(
      folder,
      many.map((_, position) => position),
    );
    const shelf = createResultShelf();
    const first = shelf.list({ ...request, order: 'surprise', predictions, split });
    const started = performance.now();
    const second = shelf.list({ ...request, order: 'surprise', outcome: 'right', offset: 9000, predictions, split });
    expect(performance.now() - started).toBeLessThan(50);
    expect([first.total, second.predictions.length]).toEqual([10_000, 200]);
  });
});

describe('own pictures', () => {
  test('are the chosen files, and the files directly in chosen folders', () => {
    const folder = makeFolder();
    for (const name of ['10.png', '9.png', 'inner/deep.png']) keep(folder, name, new Uint8Array(1));
    const single = join(folder, 'inner', 'deep.png');
    expect(listPictures([single, folder])).toEqual([single, join(folder, '9.png'), join(folder, '10.png')]);
    // What is gone is left to whoever reads it, as one of several pictures.
    expect(listPictures([join(folder, 'gone')])).toEqual([join(folder, 'gone')]);
    for (let count = 0; count < 49; count += 1) keep(folder, `more-${count}.png`, new Uint8Array(1));
    expect(() => listPictures([folder])).toThrow(expect.objectContaining({ code: 'limit_exceeded', received: '51' }));
    const empty = join(folder, 'inner', 'empty');
    mkdirSync(empty);
    expect(() => listPictures([empty])).toThrow(expect.objectContaining({ code: 'bad_input' }));
  });

  test('keep all their predictions in one message, and as many inputs as fit', () => {
    const pixels = new Uint8Array(224 * 224 * 3);
    const pictures = [...Array.from({ length: 5 }, () => ({ probabilities: [0.25, 0.75], pixels })), { problem: 'It is damaged.' }];
    const files = pictures.map((_, index) => `/somewhere/${index}.png`);
    const described = describePictures({ type: 'predicted', shape: [224, 224, 3], pictures }, files);
    expect(described.map((picture) => picture.input !== null)).toEqual([true, true, true, false, false, false]);
    expect(described.map((picture) => picture.probabilities)).toEqual([...Array.from({ length: 5 }, () => [0.25, 0.75]), null]);
    expect(described[5]).toEqual({ name: '5.png', probabilities: null, problem: 'It is damaged.', input: null });
    expect(JSON.stringify(described).length).toBeLessThan(rpcLimits.messageBytes);
  });
});
