import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { LabEvent } from '../src/shared/contract/events.ts';
import type { Client } from '../src/shared/rpcClient.ts';
import { trainingEnvironment } from '../src/main/services/settings.ts';
import { eventsUntil, makeFolder, openLab, script, transferRecipe } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

const file = (folder: string): string => join(folder, 'settings.json');
const isLogged = (event: LabEvent): boolean => event.type === 'run.logged' && event.text.includes('granted');

/** What the pretended trainer says it was given. */
async function grantedTo(client: Client): Promise<unknown> {
  const { since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({})] });
  const last = (await eventsUntil(client, since, isLogged)).at(-1);
  return last?.type === 'run.logged' ? JSON.parse(/granted (.*)$/.exec(last.text)?.[1] ?? 'null') : null;
}

describe('settings', () => {
  test('are nothing special before somebody changes them, and kept afterwards', async () => {
    const folder = makeFolder();
    const lab = await openLab(folder);
    await expect(lab.client.call('settings.show', {})).resolves.toEqual({ threads: null, featureCacheBytes: null });
    await expect(lab.client.call('settings.update', { threads: null })).resolves.toEqual({ threads: null, featureCacheBytes: null });
    expect(existsSync(file(folder))).toBe(false);
    await expect(lab.client.call('settings.update', { threads: 3 })).resolves.toEqual({ threads: 3, featureCacheBytes: null });
    await expect(lab.client.call('settings.update', { featureCacheBytes: 2 ** 21 })).resolves.toEqual({
      threads: 3,
      featureCacheBytes: 2 ** 21,
    });
    await lab.client.call('settings.update', { threads: 3 });
    await lab.client.call('settings.update', { threads: 1 });
    const seen = await eventsUntil(lab.client, 0, (event) => event.seq === 3);
    expect(seen.map((event) => event.type)).toEqual(['settings.changed', 'settings.changed', 'settings.changed']);
    await lab.close();
    const again = await openLab(folder);
    await expect(again.client.call('settings.show', {})).resolves.toEqual({ threads: 1, featureCacheBytes: 2 ** 21 });
    expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  test.each([{ threads: 0 }, { threads: 1.5 }, { featureCacheBytes: 1000 }, { colour: 'red' }])('refuse %j', async (change) => {
    const { client, folder } = await openLab();
    await expect(client.call('settings.update', change)).rejects.toMatchObject({ code: 'bad_input' });
    expect(existsSync(file(folder))).toBe(false);
  });

  test.each([
    '',
    '{"threads":',
    '{"threads":1}',
    '{"threads":1,"featureCacheBytes":null,"x":1}',
    '{"threads":"1","featureCacheBytes":null}',
  ])('are not overwritten when their file holds %j', async (content) => {
    const folder = makeFolder();
    const { client } = await openLab(folder);
    writeFileSync(file(folder), content);
    const damaged = { code: 'workspace_damaged', help: expect.stringContaining('delete it') as string };
    await expect(client.call('settings.show', {})).rejects.toMatchObject(damaged);
    await expect(client.call('settings.update', { threads: 2 })).rejects.toMatchObject(damaged);
    expect(readFileSync(file(folder), 'utf8')).toBe(content);
  });

  test('reach the trainer of runs that start afterwards', async () => {
    const { client } = await openLab();
    expect(await grantedTo(client)).toMatchObject({ threads: [null, null] });
    await client.call('settings.update', { threads: 2, featureCacheBytes: 3 * 2 ** 20 });
    expect(await grantedTo(client)).toEqual({ threads: ['2', '2'], featureCacheBytes: 3 * 2 ** 20 });
  });

  test('that are damaged cost no run, and the run says so', async () => {
    const { client, folder } = await openLab();
    writeFileSync(file(folder), 'torn');
    const { since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({})] });
    const seen = await eventsUntil(client, since, (event) => event.type === 'run.finished');
    expect(seen).toContainEqual(
      expect.objectContaining({ type: 'run.logged', level: 'warning', text: expect.stringContaining(file(folder)) as string }),
    );
  });

  test('limit the library with both of its variables, or with none', () => {
    expect(trainingEnvironment({ threads: null })).toEqual({});
    expect(trainingEnvironment({ threads: 4 })).toEqual({ TF_NUM_INTRAOP_THREADS: '4', TF_NUM_INTEROP_THREADS: '4' });
  });
});
