import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { fillHistory } from '../bench/historyFixture.ts';
import { measureFolder } from '../src/main/services/diskUse.ts';
import { nameUse, type FeatureManifest } from '../src/shared/contract/featureCache.ts';
import { eventsUntil, makeFolder, openLab, script, transferRecipe, type Lab } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Forty drawn runs with a file of 1000 bytes each. */
async function openFilled(): Promise<Lab & { readonly trashed: readonly string[] }> {
  const folder = makeFolder();
  fillHistory(folder, { runs: 40, epochsPerRun: 4 });
  const lab = await openLab(folder);
  const views = await Promise.all(
    (['active', 'archived', 'trash'] as const).map(async (view) => (await lab.client.call('runs.query', { view, limit: 200 })).rows),
  );
  for (const { runId } of views.flat()) {
    mkdirSync(join(folder, 'runs', runId, 'phases'), { recursive: true });
    writeFileSync(join(folder, 'runs', runId, 'phases', 'weights'), Buffer.alloc(1000));
  }
  return { ...lab, trashed: (views[2] ?? []).map((row) => row.runId) };
}

describe('the size of a workspace', () => {
  test('is told per place, with counts and free space', async () => {
    const { client, folder, trashed } = await openFilled();
    writeFileSync(join(folder, 'reports', 'one.pdf'), Buffer.alloc(123));
    writeFileSync(join(folder, 'cache', 'left'), Buffer.alloc(77));
    writeFileSync(join(folder, 'features', 'some'), Buffer.alloc(55));
    const answer = await client.call('workspace.show', {});
    const archived = (await client.call('runs.query', { view: 'archived' })).total;
    expect(trashed.length).toBeGreaterThan(0);
    expect(answer).toMatchObject({
      folder,
      bytes: { datasets: 0, runs: (40 - trashed.length) * 1000, trash: trashed.length * 1000, caches: 77, features: 55, reports: 123 },
      runs: { active: 40 - trashed.length - archived, archived, trashed: trashed.length },
    });
    expect(answer.bytes.history).toBeGreaterThan(4096);
    expect(answer.freeBytes).toBeGreaterThan(0);
  });

  test('counts files once, follows no links and ends when it is cancelled', async () => {
    const folder = makeFolder();
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'a', 'b', 'file'), Buffer.alloc(10));
    writeFileSync(join(folder, 'file'), Buffer.alloc(5));
    symlinkSync(folder, join(folder, 'a', 'loop'));
    await expect(measureFolder(folder)).resolves.toBe(15);
    await expect(measureFolder(join(folder, 'nowhere'))).resolves.toBe(0);
    await expect(measureFolder(folder, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('emptying the trash', () => {
  test('deletes trashed runs for good, with their files, and says which', async () => {
    const { client, folder, trashed } = await openFilled();
    await client.call('workspace.show', {});
    mkdirSync(join(folder, 'runs', 'left-by-a-crash'));
    writeFileSync(join(folder, 'runs', 'left-by-a-crash', 'file'), Buffer.alloc(7));
    const before = (await client.call('runs.query', { limit: 200 })).rows;
    await expect(client.call('workspace.clean', { what: 'trash' })).resolves.toEqual({
      removed: trashed.length,
      freedBytes: trashed.length * 1000 + 7,
    });
    expect((await client.call('runs.query', { view: 'trash' })).total).toBe(0);
    expect((await client.call('runs.query', { limit: 200 })).rows).toEqual(before);
    await expect(client.call('runs.show', { run: trashed[0] ?? '' })).rejects.toMatchObject({ code: 'not_found' });
    expect(readdirSync(join(folder, 'runs'))).toHaveLength(40 - trashed.length);
    const seen = await eventsUntil(client, 0, (event) => event.type === 'runs.purged');
    expect(seen.at(-1)).toMatchObject({ type: 'runs.purged', runs: trashed.toReversed() });
    expect((await client.call('workspace.show', {})).bytes.trash).toBe(0);
    await expect(client.call('workspace.clean', { what: 'trash' })).resolves.toEqual({ removed: 0, freedBytes: 0 });
  });

  test('leaves what was restored, and the events of what is gone', async () => {
    const { client } = await openLab();
    const { runs, since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({})], seeds: [1, 2] });
    const [first, second] = runs.map((run) => run.runId);
    if (first === undefined || second === undefined) throw new Error('There are no runs.');
    await eventsUntil(client, since, (event) => event.type === 'run.finished' && event.runId === second);
    await client.call('runs.delete', { runs: [first, second] });
    await client.call('runs.restore', { runs: [second] });
    await client.call('workspace.clean', { what: 'trash' });
    const seen = await eventsUntil(client, 0, (event) => event.type === 'runs.purged');
    expect(seen[0]).toMatchObject({ type: 'run.created', runId: first });
    expect(seen.at(-1)).toMatchObject({ runs: [first] });
    expect((await client.call('runs.list', {})).runs.map((run) => run.runId)).toEqual([second]);
  });
});

describe('emptying the caches', () => {
  test('leaves what a training or a measurement uses', async () => {
    const { client, folder } = await openLab();
    const { runs, since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({ stepMs: 30 })] });
    await eventsUntil(client, since, (event) => event.type === 'run.epochFinished');
    const runId = runs[0]?.runId ?? '';
    const place = (name: string): string => join(folder, 'cache', name);
    writeFileSync(join(place(runId), 'features'), Buffer.alloc(10));
    for (const name of ['251121-abcde', 'calibration-1', 'uploads']) {
      mkdirSync(place(name), { recursive: true });
      writeFileSync(join(place(name), 'file'), Buffer.alloc(100));
    }
    await expect(client.call('workspace.clean', { what: 'caches' })).resolves.toEqual({ removed: 1, freedBytes: 100 });
    expect(readdirSync(join(folder, 'cache')).toSorted()).toEqual([runId, 'calibration-1', 'uploads'].toSorted());
    await client.call('runs.stop', { run: runId });
    expect(existsSync(place(runId))).toBe(false);
  });

  test('discards an upload only when nobody has asked about it for a minute', async () => {
    const { client, folder } = await openLab();
    const { uploadId } = await client.call('uploads.open', { fileCount: 1, totalBytes: 10 });
    await expect(client.call('workspace.clean', { what: 'caches' })).resolves.toMatchObject({ removed: 0 });
    expect(readdirSync(join(folder, 'cache', 'uploads'))).toEqual([uploadId]);
    const began = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => began + 61_000);
    await expect(client.call('workspace.clean', { what: 'caches' })).resolves.toMatchObject({ removed: 1 });
    clock.mockRestore();
    expect(readdirSync(join(folder, 'cache', 'uploads'))).toEqual([]);
  });
});

describe('features of frozen layers', () => {
  /** No process has it: beyond the largest number that Linux gives out. */
  const deadProcess = 2 ** 22 + 1;
  const key = (digit: string): string => digit.repeat(64);

  function addFeatures(folder: string, digit: string, change: Partial<FeatureManifest> = {}, user?: number): void {
    const entry = join(folder, 'features', key(digit));
    mkdirSync(entry, { recursive: true });
    writeFileSync(join(entry, 'features.f32'), Buffer.alloc(1000));
    const manifest: FeatureManifest = {
      version: 1,
      createdAt: '2026-11-21T10:00:00.000Z',
      lastUsedAt: '2026-11-21T10:00:00.000Z',
      madeBy: 'a-run',
      recipe: 'Features',
      base: 'MobileNet, random weights',
      layer: 'conv_pw_13_relu',
      dataset: 'cifar-10',
      part: 'train',
      images: 125,
      shape: [2],
      bytes: 1000,
      sha256: '0'.repeat(64),
      ...change,
    };
    writeFileSync(join(entry, 'manifest.json'), JSON.stringify(manifest));
    if (user !== undefined) writeFileSync(join(entry, nameUse(user, 'aa')), '');
  }

  test('are listed with what they are, last used first', async () => {
    const { client, folder } = await openLab();
    addFeatures(folder, 'a');
    addFeatures(folder, 'b', { lastUsedAt: '2026-11-21T11:00:00.000Z', part: 'test' }, process.pid);
    addFeatures(folder, 'c', {}, deadProcess);
    writeFileSync(join(folder, 'features', key('c'), 'manifest.json'), 'damaged');
    mkdirSync(join(folder, 'features', `.making-${process.pid}-aa`));
    const { entries } = await client.call('features.list', {});
    expect(entries).toMatchObject([
      { id: key('b'), part: 'test', isUsed: true },
      { id: key('a'), recipe: 'Features', layer: 'conv_pw_13_relu', dataset: 'cifar-10', images: 125, bytes: 1000, isUsed: false },
    ]);
  });

  test('are cleared but for those that a training reads or makes', async () => {
    const { client, folder } = await openLab();
    addFeatures(folder, 'a');
    addFeatures(folder, 'b', {}, process.pid);
    addFeatures(folder, 'c', {}, deadProcess);
    const making = (pid: number): string => join(folder, 'features', `.making-${pid}-aa`);
    for (const pid of [process.pid, deadProcess]) mkdirSync(making(pid));
    await expect(client.call('workspace.clean', { what: 'caches' })).resolves.toMatchObject({ removed: 0 });
    const answer = await client.call('workspace.clean', { what: 'features' });
    expect(answer.removed).toBe(2);
    expect(answer.freedBytes).toBeGreaterThan(2000);
    expect(readdirSync(join(folder, 'features')).toSorted()).toEqual([`.making-${process.pid}-aa`, key('b')]);
    await expect(client.call('workspace.clean', { what: 'features' })).resolves.toEqual({ removed: 0, freedBytes: 0 });
  });

  test('outlive a start of the core', async () => {
    const folder = makeFolder();
    const first = await openLab(folder);
    addFeatures(folder, 'a');
    await first.close();
    const { client } = await openLab(folder);
    expect((await client.call('features.list', {})).entries).toHaveLength(1);
  });
});
