import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as rest } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { LabEvent } from '../src/shared/contract/events.ts';
import type { RunId } from '../src/shared/contract/schema.ts';
import type { Client } from '../src/shared/rpcClient.ts';
import { sampleResources, type ResourceSample } from '../src/main/services/resources.ts';
import { eventsUntil, openLab, script, transferRecipe } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

const create = async (client: Client, content: object, seeds: number[]): Promise<{ runIds: RunId[]; since: number }> => {
  const { runs, since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script(content)], seeds });
  return { runIds: runs.map((run) => run.runId), since };
};

describe('the queue', () => {
  test('trains in the order it was put into', async () => {
    const { client } = await openLab();
    const busy = await create(client, { stepMs: 40 }, [1]);
    const { runIds, since } = await create(client, {}, [2, 3, 4]);
    const [first, second, third] = runIds;
    if (first === undefined || second === undefined || third === undefined) throw new Error('There are no runs.');
    await expect(client.call('runs.reorder', { run: third, before: first })).resolves.toEqual({ queued: [third, first, second] });
    await expect(client.call('runs.reorder', { run: third, before: null })).resolves.toEqual({ queued: [first, second, third] });
    await expect(client.call('runs.reorder', { run: first, before: first })).resolves.toEqual({ queued: [first, second, third] });
    await expect(client.call('runs.reorder', { run: first, before: null })).resolves.toEqual({ queued: [second, third, first] });
    expect((await client.call('core.status', {})).queued).toEqual([second, third, first]);
    const [running = ''] = busy.runIds;
    for (const request of [
      { run: running, before: null },
      { run: second, before: running },
    ]) {
      await expect(client.call('runs.reorder', request)).rejects.toMatchObject({ code: 'conflict', expected: 'two runs that are queued' });
    }
    await client.call('runs.stop', { run: running });
    const seen = await eventsUntil(client, since, (event) => event.type === 'run.finished' && event.runId === first);
    const of = <Type extends LabEvent['type']>(type: Type) =>
      seen.filter((event) => event.type === type) as Extract<LabEvent, { type: Type }>[];
    expect(of('run.started').map((event) => event.runId)).toEqual([second, third, first]);
    expect(of('queue.changed').map((event) => event.queued)).toEqual([
      [third, first, second],
      [first, second, third],
      [first, second, third],
      [second, third, first],
    ]);
  });
});

// Only Linux tells what a process uses.
describe.runIf(process.platform === 'linux')('what the trainer uses', () => {
  test('is shown while it trains and while it is paused, and not afterwards', async () => {
    const { client } = await openLab();
    const { runIds, since } = await create(client, { stepMs: 100 }, [1]);
    const [runId = ''] = runIds;
    const isSample = (event: LabEvent): boolean => event.type === 'run.resources';
    const sample = (await eventsUntil(client, since, isSample)).at(-1);
    expect(sample).toMatchObject({ type: 'run.resources', runId });
    if (sample?.type !== 'run.resources') throw new Error('There is no sample.');
    expect(sample.processor).toBeGreaterThanOrEqual(0);
    expect(sample.processor).toBeLessThanOrEqual(1);
    expect(sample.residentBytes).toBeGreaterThan(10 * 2 ** 20);
    expect(sample.availableBytes).toBeGreaterThan(2 ** 20);
    await client.call('runs.pause', { run: runId });
    await eventsUntil(client, sample.seq, isSample);
    await client.call('runs.stop', { run: runId });
    const later = client.events(sample.seq, AbortSignal.timeout(1500))[Symbol.asyncIterator]();
    const seen: LabEvent[] = [];
    await expect(
      (async () => {
        for (let next = await later.next(); next.done !== true; next = await later.next()) seen.push(next.value);
        throw new Error('The stream ended.');
      })(),
    ).rejects.toThrow();
    expect(seen.filter(isSample)).toEqual([]);
  });

  test('is the share of all cores since the sample before', async () => {
    const samples: ResourceSample[] = [];
    const stop = sampleResources(process.pid, (sample) => samples.push(sample));
    await rest(200);
    // Busy half of the second between the first two looks.
    const until = performance.now() + 500;
    const before = process.cpuUsage();
    while (performance.now() < until) JSON.stringify(samples);
    const { user, system } = process.cpuUsage(before);
    await vi.waitFor(() => expect(samples.length).toBeGreaterThan(0), 5000);
    stop();
    const [first] = samples;
    const least = (user + system) / 1e6 / 2 / availableParallelism();
    expect(first?.processor).toBeGreaterThan(least * 0.8);
    const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
    expect(first?.residentBytes).toBeGreaterThan(resident / 2);
    const count = samples.length;
    await rest(1200);
    expect(samples).toHaveLength(count);
  });

  test('ends by itself with a process that is gone', async () => {
    const samples: ResourceSample[] = [];
    sampleResources(2 ** 22 + 1, (sample) => samples.push(sample));
    await rest(50);
    expect(samples).toEqual([]);
  });
});
