import { describe, expect, test } from 'vitest';
import { eventsUntil, openLab, transferRecipe } from './lab.ts';

describe('a run', () => {
  test('is created, trained and remembered', async () => {
    const { client } = await openLab();
    const created = await client.call('runs.create', { recipe: transferRecipe });
    const runId = created.runs[0]?.runId;
    const seen = await eventsUntil(client, created.since, (event) => event.type === 'run.finished');
    const durable = seen.filter((event) => event.type !== 'run.progress').map((event) => event.type);
    expect(durable.slice(0, 5)).toEqual(['run.created', 'run.started', 'run.prepared', 'run.logged', 'run.phaseStarted']);
    const { runs } = await client.call('runs.list', {});
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ runId, state: 'finished', recipeId: 'fashion-transfer-5to9' });
    expect(runs[0]?.phases.map(({ epochs, test }) => ({ epochs, test }))).toEqual([
      { epochs: 5, test: { loss: 0.25, accuracy: 0.901 } },
      { epochs: 5, test: { loss: 0.25, accuracy: 0.901 } },
    ]);
  });
});
