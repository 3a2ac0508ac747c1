import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { eventsUntil, makeFolder, openLab, script, transferRecipe, type Lab } from './lab.ts';

// Processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const folders = ({ folder }: Lab): string[] => readdirSync(join(folder, 'datasets')).sort();

async function stopEarly({ client }: Lab, datasetId: string | null = null): Promise<string> {
  const created = await client.call('runs.create', { recipe: transferRecipe, datasetId, settings: [script({ stepMs: 20 })] });
  const runId = created.runs[0]?.runId ?? '';
  await eventsUntil(client, created.since, (event) => event.type === 'run.epochFinished');
  await client.call('runs.stop', { run: runId });
  return runId;
}

describe('bundled datasets', () => {
  test('are listed before they are unpacked, and take no space until then', async () => {
    const lab = await openLab();
    const { datasets } = await lab.client.call('datasets.list', {});
    expect(datasets.map(({ id, trainCount, testCount, shape }) => ({ id, trainCount, testCount, shape }))).toEqual([
      { id: 'fashion-mnist', trainCount: 60_000, testCount: 10_000, shape: [28, 28, 1] },
      { id: 'mnist-10k', trainCount: 10_000, testCount: 0, shape: [28, 28, 1] },
    ]);
    expect(folders(lab)).toEqual([]);
  });

  test('are unpacked once when shown, even when asked for twice at once', async () => {
    const lab = await openLab();
    const show = () => lab.client.call('datasets.show', { datasetId: 'mnist-10k' });
    const [first, second] = await Promise.all([show(), show()]);
    expect(first).toEqual(second);
    expect(first.perClass[0]).toEqual({ name: 'class 0', train: 8, test: 2 });
    expect(folders(lab)).toEqual(['mnist-10k']);
    const { id } = await lab.client.call('datasets.import', { paths: ['/one'], name: 'cats' });
    const seen = await eventsUntil(lab.client, 0, (event) => event.type === 'dataset.imported' && event.datasetId === id);
    expect(seen.map((event) => 'datasetId' in event && event.datasetId)).toEqual(['mnist-10k', 'cats']);
  });

  test('are unpacked again when their folder is gone', async () => {
    const lab = await openLab();
    const runId = await stopEarly(lab);
    rmSync(join(lab.folder, 'datasets', 'fashion-mnist', 'dataset.json'));
    const { since } = await lab.client.call('runs.resume', { run: runId });
    await eventsUntil(lab.client, since, (event) => event.type === 'run.finished');
    expect(folders(lab)).toEqual(['fashion-mnist']);
  });

  test('cannot be removed', async () => {
    const { client } = await openLab();
    await expect(client.call('datasets.remove', { datasetId: 'mnist-10k' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(client.call('datasets.remove', { datasetId: 'mnist' })).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('an import', () => {
  test('appears complete, with what was left out', async () => {
    const lab = await openLab();
    const dataset = await lab.client.call('datasets.import', { paths: ['/pictures/partly'], name: 'Cats' });
    expect(dataset).toMatchObject({ id: 'cats', rejected: [{ file: 'a.txt', reason: 'not a picture' }] });
    expect(folders(lab)).toEqual(['cats']);
    await lab.close();
    const again = await openLab(lab.folder);
    expect((await again.client.call('datasets.list', {})).datasets.map(({ id }) => id)).toEqual(['cats', 'fashion-mnist', 'mnist-10k']);
  });

  test('gets another id for another content of the same name, and none for the same content', async () => {
    const { client, folder } = await openLab();
    const request = (path: string) => client.call('datasets.import', { paths: [path], name: 'cats' });
    expect((await request('/one')).id).toBe('cats');
    expect((await request('/two')).id).toBe('cats-2');
    expect(JSON.parse(readFileSync(join(folder, 'datasets', 'cats-2', 'dataset.json'), 'utf8'))).toMatchObject({ id: 'cats-2' });
    await expect(request('/one')).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('cats') as string });
    expect(readdirSync(join(folder, 'datasets')).sort()).toEqual(['cats', 'cats-2']);
  });

  test.each([
    ['bad input', '/bad', 'bad_input'],
    ['a death of the importer', '/die', 'trainer_died'],
  ])('leaves nothing behind after %s', async (_name, path, code) => {
    const lab = await openLab();
    await expect(lab.client.call('datasets.import', { paths: [path] })).rejects.toMatchObject({ code });
    expect(folders(lab)).toEqual([]);
    expect((await lab.client.call('datasets.list', {})).datasets).toHaveLength(2);
  });

  test('leaves nothing behind when it is cancelled', async () => {
    const lab = await openLab();
    const controller = new AbortController();
    const call = lab.client.call('datasets.import', { paths: ['/slow'] }, { signal: controller.signal });
    await eventsUntil(lab.client, 0, (event) => event.type === 'dataset.progress');
    expect(folders(lab)).toHaveLength(1);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    await lab.close();
    expect(folders(lab)).toEqual([]);
  });

  test('that a dead process left half-done is cleared away at the next start', async () => {
    const folder = makeFolder();
    await (await openLab(folder)).close();
    mkdirSync(join(folder, 'datasets', '.new-1-1'));
    const lab = await openLab(folder);
    expect(folders(lab)).toEqual([]);
  });
});

describe('removing a dataset', () => {
  test('is refused while a run uses it', async () => {
    const lab = await openLab();
    const { client } = lab;
    const datasetId = await importTenClasses(lab);
    const { runs } = await client.call('runs.create', { recipe: transferRecipe, datasetId, settings: [script({ stepMs: 50 })] });
    const runId = runs[0]?.runId ?? '';
    const refused = client.call('datasets.remove', { datasetId });
    await expect(refused).rejects.toMatchObject({ code: 'conflict', message: `The run ${runId} is using the dataset ten.` });
    await client.call('runs.stop', { run: runId });
    await expect(client.call('datasets.remove', { datasetId })).resolves.toEqual({ removed: 'ten', usedBy: [runId] });
    expect(folders(lab)).toEqual([]);
  });
});

describe('the dataset of a run that is resumed', () => {
  test('must be there', async () => {
    const lab = await openLab();
    const runId = await stopEarly(lab, await importTenClasses(lab));
    await expect(lab.client.call('datasets.remove', { datasetId: 'ten' })).resolves.toEqual({ removed: 'ten', usedBy: [runId] });
    await expect(lab.client.call('runs.resume', { run: runId })).rejects.toMatchObject({ code: 'dataset_missing' });
    expect((await lab.client.call('runs.show', { run: runId })).dataset).toMatchObject({ id: 'ten', isPresent: false });
  });

  test('must be the one it began with', async () => {
    const lab = await openLab();
    const runId = await stopEarly(lab, await importTenClasses(lab));
    await lab.client.call('datasets.remove', { datasetId: 'ten' });
    await importTenClasses(lab, 'other');
    await expect(lab.client.call('runs.resume', { run: runId })).rejects.toMatchObject({ code: 'dataset_changed' });
    expect((await lab.client.call('runs.show', { run: runId })).state).toBe('stopped');
  });
});

/** The fake importer makes two classes unless the path asks for ten, which the recipe needs. */
async function importTenClasses(lab: Lab, content = 'ten'): Promise<string> {
  const { id } = await lab.client.call('datasets.import', { paths: [`/classes-10/${content}`], name: 'ten' });
  return id;
}
