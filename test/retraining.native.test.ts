// A search for the best epoch and the retraining that follows, on the real library: pictures, epochs, and lives of the trainer.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recipeSchema } from '../src/shared/contract/schema.ts';
import type { Report } from '../src/shared/contract/worker.ts';
import { chooseEpoch } from '../src/shared/domain/policies.ts';
import { withRetraining } from '../src/shared/domain/retraining.ts';
import { openRunData } from '../src/main/trainer/runData.ts';
import { openSmallRun, openTestExecutor, smallRecipe, testCount, trainCount, type SmallRun } from './smallRun.ts';

const executor = openTestExecutor();
// The rate is so high that the best epoch is seldom the last.
const optimizer = { type: 'SGD', learningRate: 0.5, momentum: 0.9 };
const recipe = withRetraining(
  smallRecipe({ phases: [{ name: 'search', optimizer, batchSize: 16, epochs: 6, classWeights: 'balanced' }] }),
  'valLoss',
);

function pick<Type extends Report['type']>(run: SmallRun, type: Type, phase: number) {
  const isWanted = (report: Report): report is Extract<Report, { type: Type }> =>
    report.type === type && 'phase' in report && report.phase === phase;
  return run.reports.filter(isWanted);
}

function outcome(run: SmallRun): unknown {
  const epochs = new Map(pick(run, 'epochFinished', 1).map((epoch) => [epoch.epoch, { ...epoch, seconds: 0 }]));
  return { epochs: [...epochs.values()], test: pick(run, 'phaseFinished', 1)[0]?.test, weights: run.readWeights(1).toString('base64') };
}

async function undisturbed(): Promise<SmallRun> {
  const run = await openSmallRun(executor, recipe);
  expect(await run.train()).toBe('finished');
  return run;
}

describe('retraining', () => {
  it('trains as many epochs as the best of the search, on all pictures, and tests once more', async () => {
    const run = await undisturbed();
    const search = pick(run, 'epochFinished', 0);
    const best = chooseEpoch(search, 'best-val-loss') ?? 0;
    expect(best).toBeLessThan(6);
    const epochs = pick(run, 'epochFinished', 1);
    expect(epochs).toHaveLength(best);
    expect(epochs.every(({ validation }) => validation === null)).toBe(true);
    expect(pick(run, 'phaseStarted', 1)).toEqual([{ type: 'phaseStarted', phase: 1, epochs: best }]);
    const text = `Retraining for ${best} ${best === 1 ? 'epoch' : 'epochs'}, the best epoch of phase search by validation loss.`;
    expect(run.reports).toContainEqual({ type: 'log', level: 'info', text });
    expect(pick(run, 'phaseFinished', 1)[0]).toMatchObject({ epochs: best, stoppedBy: 'epochs', best: { epoch: best, rule: 'last' } });
    const split = JSON.parse(readFileSync(join(run.folder, 'splits/phase-2.json'), 'utf8')) as Record<string, number[]>;
    expect(split['train']).toEqual(Array.from({ length: trainCount }, (_, index) => index));
    expect(split['validation']).toEqual([]);
    expect(split['test']).toHaveLength(testCount);
  });

  it('is the same when it is stopped on the way and goes on', async () => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor, recipe);
    const stopped = await run.train({}, (report) => {
      if (report.type === 'phaseStarted' && report.phase === 1) run.control.receive('stop');
    });
    expect(stopped).toBe('stopped');
    expect(await run.train({ resume: true, finishedPhases: 1 })).toBe('finished');
    expect(outcome(run)).toEqual(outcome(straight));
  });

  it('knows the best epoch of a search that ended in an earlier attempt, before any checkpoint of its own', async () => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor, recipe);
    const vanish = new Error('vanished');
    const killed = run.train({}, (report) => {
      if (report.type === 'phaseStarted' && report.phase === 1) throw vanish;
    });
    await expect(killed).rejects.toBe(vanish);
    expect(await run.train({ resume: true, finishedPhases: 1 })).toBe('finished');
    expect(outcome(run)).toEqual(outcome(straight));
  });

  it('tells its epochs again to a history that missed the end', async () => {
    const more = { ...recipe, phases: [...recipe.phases, { ...smallRecipe().phases[0], name: 'after', startFrom: 'fresh', epochs: 1 }] };
    const run = await openSmallRun(executor, recipeSchema.parse(more));
    await run.train({}, (report) => {
      if (report.type === 'phaseStarted' && report.phase === 2) run.control.receive('stop');
    });
    const [heard] = pick(run, 'phaseStarted', 1);
    run.reports.length = 0;
    expect(await run.train({ resume: true, finishedPhases: 1 })).toBe('finished');
    expect(pick(run, 'phaseStarted', 1)).toEqual([heard]);
  });

  it('weighs classes and orders epochs by the joined pictures', async () => {
    const folder = dirname((await openSmallRun(executor, recipe)).folder);
    const paths = { datasetFolder: join(folder, 'dataset'), cacheFolder: join(folder, 'cache') };
    const data = await openRunData({ recipe, seed: 5, ...paths }, new URL('../src/main/data/augmentWorker.ts', import.meta.url));
    const facts = [0, 1].map((phase) => {
      const opened = data.openPhase(phase);
      const { classCounts, train, validation } = opened;
      const seen = { classCounts, order: opened.order(0).length, pictures: train.sampleCount, validated: validation?.sampleCount ?? 0 };
      opened.close();
      return seen;
    });
    data.close();
    expect(facts).toEqual([
      { classCounts: [40, 40, 40], order: 120, pictures: 120, validated: 30 },
      { classCounts: [50, 50, 50], order: 150, pictures: 150, validated: 0 },
    ]);
  });
});
