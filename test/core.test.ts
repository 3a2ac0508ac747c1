import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { CallInput } from '../src/shared/contract/api.ts';
import { isVolatile, type LabEvent } from '../src/shared/contract/events.ts';
import type { RunId } from '../src/shared/contract/schema.ts';
import type { Client } from '../src/shared/rpcClient.ts';
import { eventsUntil, makeFolder, openLab, script, transferRecipe, type Lab } from './lab.ts';

// Processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

type Request = Partial<CallInput<'runs.create'>>;

async function start(client: Client, content: object = {}, request: Request = {}): Promise<{ runId: RunId; since: number }> {
  const created = await client.call('runs.create', { recipe: transferRecipe, settings: [script(content)], ...request });
  const runId = created.runs[0]?.runId;
  if (runId === undefined) throw new Error('There is no run.');
  return { runId, since: created.since };
}

const ends = ['run.finished', 'run.failed', 'run.interrupted', 'run.stopped'];
const untilEnd = (client: Client, since: number, runId: RunId): Promise<LabEvent[]> =>
  eventsUntil(client, since, (event) => ends.includes(event.type) && 'runId' in event && event.runId === runId);
const untilEpoch = (client: Client, since: number, phase: number, epoch: number): Promise<LabEvent[]> =>
  eventsUntil(client, since, (event) => event.type === 'run.epochFinished' && event.phase === phase && event.epoch === epoch);
const weightsOf = ({ folder }: Lab, runId: RunId): string => readFileSync(join(folder, 'runs', runId, 'phase-1.weights'), 'utf8');

/** What the fake trainer's weights are when every epoch was trained once, in order. */
const undisturbedWeights = [0, 1].flatMap((phase) => [1, 2, 3, 4, 5].map((epoch) => `${phase}/${epoch}`)).join('\n');

async function resumeToEnd(client: Client, runId: RunId): Promise<LabEvent[]> {
  const resumed = await client.call('runs.resume', { run: runId });
  return untilEnd(client, resumed.since, runId);
}

describe('a run', () => {
  test('is created, trained and remembered', async () => {
    const { client } = await openLab();
    const { runId, since } = await start(client);
    const seen = await untilEnd(client, since, runId);
    const durable = seen.filter((event) => event.type.startsWith('run.') && !isVolatile(event));
    const types = durable.map((event) => event.type);
    expect(types.slice(0, 5)).toEqual(['run.created', 'run.started', 'run.prepared', 'run.logged', 'run.phaseStarted']);
    expect(types.filter((type) => type === 'run.epochFinished')).toHaveLength(10);
    const run = await client.call('runs.show', { run: 'last' });
    expect(run).toMatchObject({
      runId,
      state: 'finished',
      recipeId: 'fashion-transfer-5to9',
      dataset: { id: 'fashion-mnist', isPresent: true },
      versions: { tensorflow: '2.21.0', node: process.versions.node },
      device: 'CPU',
      error: null,
    });
    expect(
      run.phases.map(({ total, trainable, epochs, secondsPerEpoch, test }) => ({ total, trainable, epochs, secondsPerEpoch, test })),
    ).toEqual([
      { total: 600_165, trainable: 600_165, epochs: 5, secondsPerEpoch: 0.02, test: { loss: 0.25, accuracy: 0.901 } },
      { total: 600_165, trainable: 590_597, epochs: 5, secondsPerEpoch: 0.02, test: { loss: 0.25, accuracy: 0.901 } },
    ]);
    expect(run.splits).toHaveLength(2);
    expect(run.seconds).toBeGreaterThan(0);
  });

  test('is told the same from the history as it was live', async () => {
    const { client } = await openLab();
    const { runId, since } = await start(client);
    const live = (await untilEnd(client, since, runId)).filter((event) => !isVolatile(event));
    const replayed = await untilEnd(client, 0, runId);
    expect(replayed).toEqual(live);
    expect(replayed.map((event) => event.seq)).toEqual(replayed.map((_, index) => index + 1));
    const middle = replayed[7]?.seq ?? 0;
    expect(await untilEnd(client, middle, runId)).toEqual(replayed.slice(8));
  });

  test('shows progress at most ten times a second', async () => {
    const { client } = await openLab();
    const { runId, since } = await start(client, { stepMs: 20, progressPerStep: 20 });
    const seen = await untilEnd(client, since, runId);
    const times = seen.flatMap((event) => (event.type === 'run.progress' ? [Date.parse(event.at)] : []));
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
    expect(times.length).toBeGreaterThan(2);
    expect(times.length).toBeLessThanOrEqual(seconds * 10 + 2);
  });

  test('is refused before it begins when its recipe cannot work', async () => {
    const { client } = await openLab();
    const refused = (request: CallInput<'runs.create'>): Promise<unknown> => client.call('runs.create', request);
    const template = (id: string) => ({ from: 'template', id }) as const;
    await expect(refused({ recipe: template('mnist-test-3') })).rejects.toMatchObject({ code: 'bad_recipe' });
    await expect(refused({ recipe: template('mnist-tset-1') })).rejects.toMatchObject({
      code: 'not_found',
      expected: 'for example mnist-test-1, mnist-test-2, mnist-test-3',
    });
    await expect(refused({ recipe: template('cifar-cnn') })).rejects.toMatchObject({ code: 'dataset_missing' });
    await expect(refused({ recipe: transferRecipe, datasetId: 'nothing' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(refused({ recipe: transferRecipe, seeds: [1, 1] })).rejects.toMatchObject({ code: 'bad_usage' });
    await expect(refused({ recipe: transferRecipe, settings: [{ path: 'phases.0.epoch', json: '1' }] })).rejects.toMatchObject({
      code: 'bad_usage',
    });
    await expect(refused({ recipe: transferRecipe, settings: [{ path: 'phases.0.epochs', json: '0' }] })).rejects.toMatchObject({
      code: 'bad_recipe',
    });
    await expect(refused({ recipe: { from: 'content', content: { version: 1, colour: 'red' } } })).rejects.toMatchObject({
      code: 'bad_recipe',
    });
    expect((await client.call('runs.list', {})).runs).toEqual([]);
  });
});

describe('several runs', () => {
  test('train one after another in the order asked for', async () => {
    const { client } = await openLab();
    const { group, runs, since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({})], seeds: [3, 1, 2] });
    const last = runs[2]?.runId ?? ('' as RunId);
    const seen = await untilEnd(client, since, last);
    const order = seen.flatMap((event) =>
      event.type === 'run.started' || event.type === 'run.finished' ? [`${event.type} ${event.runId}`] : [],
    );
    expect(order).toEqual(runs.flatMap(({ runId }) => [`run.started ${runId}`, `run.finished ${runId}`]));
    expect(runs.map((run) => [run.seed, run.group])).toEqual([3, 1, 2].map((seed) => [seed, group]));
    const { runs: listed } = await client.call('runs.list', { limit: 2 });
    expect(listed.map((run) => run.seed)).toEqual([2, 1]);
    const { runs: rest } = await client.call('runs.list', { after: listed[1]?.runId ?? null });
    expect(rest.map((run) => run.seed)).toEqual([3]);
  });

  test('one that waits can be stopped and resumed', async () => {
    const { client } = await openLab();
    const first = await start(client, { stepMs: 30 });
    const second = await start(client);
    await expect(client.call('runs.pause', { run: second.runId })).rejects.toMatchObject({ code: 'conflict' });
    await expect(client.call('runs.stop', { run: second.runId })).resolves.toEqual({ runId: second.runId, state: 'stopped' });
    await expect(client.call('runs.stop', { run: first.runId })).resolves.toEqual({ runId: first.runId, state: 'stopped' });
    const seen = await resumeToEnd(client, second.runId);
    expect(seen.at(-1)).toMatchObject({ type: 'run.finished' });
  });
});

describe('a run that is disturbed', () => {
  test('pauses, continues and ends as if nothing had been', async () => {
    const lab = await openLab();
    const { client } = lab;
    const { runId, since } = await start(client, { stepMs: 5 });
    await untilEpoch(client, since, 0, 2);
    await expect(client.call('runs.pause', { run: runId })).resolves.toEqual({ runId, state: 'paused' });
    await expect(client.call('runs.pause', { run: runId })).resolves.toEqual({ runId, state: 'paused' });
    const { seconds } = await client.call('runs.show', { run: runId });
    await new Promise((resolve) => setTimeout(resolve, 400));
    const seen = await resumeToEnd(client, runId);
    expect(seen.map((event) => event.type)).toContain('run.continued');
    expect((await client.call('runs.show', { run: runId })).seconds).toBeLessThan(seconds + 0.4);
    expect(weightsOf(lab, runId)).toBe(undisturbedWeights);
  });

  test('stops, resumes and has the weights of an undisturbed one', async () => {
    const lab = await openLab();
    const { client } = lab;
    const { runId, since } = await start(client, { stepMs: 5 });
    await untilEpoch(client, since, 1, 2);
    await expect(client.call('runs.stop', { run: runId })).resolves.toEqual({ runId, state: 'stopped' });
    await expect(client.call('runs.pause', { run: runId })).rejects.toMatchObject({ code: 'conflict' });
    const seen = await resumeToEnd(client, runId);
    expect(seen.at(-1)?.type).toBe('run.finished');
    expect(weightsOf(lab, runId)).toBe(undisturbedWeights);
    const all = await untilEnd(client, since, runId);
    const epochs = (await client.call('runs.epochs', { run: runId })).epochs.map(({ phase, epoch }) => `${phase} ${epoch}`);
    expect(epochs).toEqual(['full', 'tuned'].flatMap((phase) => [1, 2, 3, 4, 5].map((epoch) => `${phase} ${epoch}`)));
    expect(all.at(-1)?.type).toBe('run.stopped');
    expect(seen.filter((event) => event.type === 'run.epochFinished' && event.epoch <= 2)).toEqual([]);
  });

  test.each([
    ['kill', 'trainer_died', 'killed from outside'],
    ['crash', 'trainer_died', 'exit code 3'],
    ['diskFull', 'disk_full', 'The disk is full.'],
  ])('is interrupted by %s and can be resumed', async (then, code, message) => {
    const lab = await openLab();
    const { client } = lab;
    const { runId, since } = await start(client, { at: { phase: 1, epoch: 3 }, then });
    const seen = await untilEnd(client, since, runId);
    expect(seen.at(-1)).toMatchObject({ type: 'run.interrupted', error: { code } });
    const run = await client.call('runs.show', { run: runId });
    expect(run).toMatchObject({ state: 'interrupted', error: { code } });
    expect(run.error?.message).toContain(message);
    if (then === 'crash') expect(run.error?.received).toContain('Something broke in the native library.');
    const resumed = await resumeToEnd(client, runId);
    expect(resumed.at(-1)?.type).toBe('run.finished');
    expect(await client.call('runs.show', { run: runId })).toMatchObject({ state: 'finished', error: null });
    expect(weightsOf(lab, runId)).toBe(undisturbedWeights);
  });

  test.each([
    ['failed', 'training_diverged'],
    ['garbage', 'internal'],
    ['skipEpoch', 'conflict'],
    ['leaveQuietly', 'internal'],
  ])('fails with %s', async (then, code) => {
    const { client } = await openLab();
    const { runId, since } = await start(client, { at: { phase: 0, epoch: 2 }, then });
    expect((await untilEnd(client, since, runId)).at(-1)).toMatchObject({ type: 'run.failed', error: { code } });
    await expect(client.call('runs.resume', { run: runId })).rejects.toMatchObject({ code: 'conflict' });
  });

  test('is ended by force when it does not answer to stop', async () => {
    const { client } = await openLab(makeFolder(), { ladder: { messageMs: 200, terminateMs: 100 } });
    const { runId, since } = await start(client, { at: { phase: 0, epoch: 2 }, then: 'hang' });
    await untilEpoch(client, since, 0, 1);
    // It hangs a few milliseconds after this epoch.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await expect(client.call('runs.stop', { run: runId })).resolves.toEqual({ runId, state: 'interrupted' });
    expect((await resumeToEnd(client, runId)).at(-1)?.type).toBe('run.finished');
  });

  test('is interrupted when the program ends at once, and so are those that wait', async () => {
    const lab = await openLab();
    const first = await start(lab.client, { stepMs: 30 });
    await start(lab.client);
    await untilEpoch(lab.client, first.since, 0, 1);
    lab.core.abandon();
    expect((await lab.client.call('runs.list', {})).runs.map((run) => run.state)).toEqual(['interrupted', 'interrupted']);
    await lab.close();
    const again = await openLab(lab.folder);
    expect((await resumeToEnd(again.client, first.runId)).at(-1)?.type).toBe('run.finished');
  });

  test('is stopped with its work saved when the lab is closed', async () => {
    const lab = await openLab();
    const { runId, since } = await start(lab.client, { stepMs: 10 });
    await untilEpoch(lab.client, since, 0, 2);
    await lab.close();
    const again = await openLab(lab.folder);
    const run = await again.client.call('runs.show', { run: runId });
    expect(run.state).toBe('stopped');
    expect(run.phases[0]?.epochs).toBeGreaterThanOrEqual(2);
    expect(readdirSync(join(lab.folder, 'cache'))).toEqual([]);
  });
});

describe('the trash', () => {
  test('hides a run until it is restored', async () => {
    const { client } = await openLab();
    const { runId, since } = await start(client, { stepMs: 20 });
    await expect(client.call('runs.delete', { runs: [runId] })).rejects.toMatchObject({ code: 'conflict' });
    await client.call('runs.stop', { run: runId });
    await expect(client.call('runs.delete', { runs: [runId] })).resolves.toEqual({ deleted: [runId] });
    expect((await client.call('runs.list', {})).runs).toEqual([]);
    await expect(client.call('runs.resume', { run: runId })).rejects.toMatchObject({ code: 'conflict' });
    await expect(client.call('runs.show', { run: 'last' })).rejects.toMatchObject({ code: 'not_found' });
    expect((await client.call('runs.show', { run: runId.slice(0, -1) })).trashedAt).not.toBeNull();
    await expect(client.call('runs.restore', { runs: [runId] })).resolves.toEqual({ restored: [runId] });
    await expect(client.call('runs.restore', { runs: [runId] })).rejects.toMatchObject({ code: 'conflict' });
    expect((await client.call('runs.list', { state: 'stopped' })).runs.map((run) => run.runId)).toEqual([runId]);
    expect(since).toBe(0);
  });
});
