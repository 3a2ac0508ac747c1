import type { Database } from 'better-sqlite3';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { recipeSchema, type DatasetId, type RunId } from '../src/shared/contract/schema.ts';
import { createEpochStore } from '../src/main/db/epochs.ts';
import { closeDatabase, migrations, openDatabase } from '../src/main/db/open.ts';
import { createPhaseStore } from '../src/main/db/phases.ts';
import { createRunStore } from '../src/main/db/runs.ts';
import { createRunTable } from '../src/main/db/runTable.ts';
import { flattenRecipe } from '../src/main/db/recipeValues.ts';
import { lockWorkspace, type WorkspacePlaces } from '../src/main/db/workspace.ts';
import { makeFolder, resourcesFolder } from './lab.ts';

const recipe = recipeSchema.parse(JSON.parse(readFileSync(join(resourcesFolder, 'recipes/fashion-transfer-5to9.json'), 'utf8')));
const moment = '2026-11-21T00:00:00.000Z';

function newPlaces(): WorkspacePlaces {
  const lock = lockWorkspace(makeFolder());
  if (lock === undefined) throw new Error('A new folder has no owner.');
  onTestFinished(() => lock.release());
  return lock.places;
}

function open(places: WorkspacePlaces): Database {
  const database = openDatabase(places);
  onTestFinished(() => void database.close());
  return database;
}

/** A history as version 10 wrote it: one run with two finished phases, one whose recipe is not readable. */
function writeOldHistory(places: WorkspacePlaces): void {
  const old = openDatabase(places, migrations.slice(0, 1));
  const run = old.prepare(
    `INSERT INTO runs (run_id, name, recipe_id, recipe, seed, protocol, dataset_id, state, created_at)
     VALUES (?, ?, 'fashion-transfer-5to9', ?, 1, 'document', 'fashion-mnist', 'finished', '${moment}')`,
  );
  run.run('old-1', 'First', JSON.stringify(recipe));
  run.run('old-2', 'Second', 'torn');
  const phase = old.prepare(
    `INSERT INTO phases (run_id, position, name, planned_epochs, total, trainable, non_trainable, epochs, seconds_per_epoch, test_loss,
     test_accuracy) VALUES ('old-1', ?, 'p', 2, 600165, ?, 0, 2, ?, ?, ?)`,
  );
  phase.run(0, 600_165, 1.5, 0.3, 0.9);
  phase.run(1, 590_597, 0.5, null, null);
  const epoch = old.prepare(`INSERT INTO epochs VALUES ('old-1', ?, ?, 1, 0.5, 0.5, 0.4, ?, 0.001)`);
  for (const [position, number, accuracy] of [
    [0, 1, 0.99],
    [0, 2, 0.98],
    [1, 1, 0.7],
    [1, 2, 0.6],
  ]) {
    epoch.run(position, number, accuracy);
  }
  closeDatabase(old);
}

test('a history of version 10 gets its figures, recipes and settings', () => {
  const places = newPlaces();
  writeOldHistory(places);
  const database = open(places);
  expect(database.pragma('user_version', { simple: true })).toBe(20);
  expect(database.pragma('quick_check', { simple: true })).toBe('ok');
  expect(database.pragma('foreign_key_check')).toEqual([]);
  const runs = createRunStore(database);
  expect(runs.find('old-1')).toMatchObject({
    archivedAt: null,
    tags: [],
    notes: '',
    testAccuracy: 0.9,
    testLoss: 0.3,
    bestValidationAccuracy: 0.7,
  });
  expect(database.prepare("SELECT epochs, total, trainable, seconds_per_epoch AS speed FROM runs WHERE run_id = 'old-1'").get()).toEqual({
    epochs: 4,
    total: 600_165,
    trainable: 590_597,
    speed: 0.5,
  });
  expect(runs.readRecipe('old-1')).toEqual(recipe);
  const table = createRunTable(database);
  expect(table.readValues(['phases[1].batchSize'], ['old-1', 'old-2'])).toEqual(
    new Map([['old-1', new Map([['phases[1].batchSize', recipe.phases[1]?.batchSize]])]]),
  );
  expect(runs.find('old-2')?.name).toBe('Second');
});

test('the figures of a run follow its epochs and phases', () => {
  const database = open(newPlaces());
  const [runs, phases, epochs] = [createRunStore(database), createPhaseStore(database), createEpochStore(database)];
  const runId = 'run-1' as RunId;
  const dataset = 'fashion-mnist' as DatasetId;
  runs.insert({ runId, name: 'n', recipe, seed: 1, group: null, protocol: 'document', datasetId: dataset, createdAt: moment });
  const figures = (): unknown =>
    database.prepare('SELECT epochs, total, trainable, seconds_per_epoch, test_accuracy, best_validation_accuracy FROM runs').raw().get();
  expect(figures()).toEqual([0, 0, 0, null, null, null]);
  const planned = { name: 'p', plannedEpochs: 2, total: 10, trainable: 10, nonTrainable: 0 };
  phases.plan(runId, [planned, { ...planned, trainable: 4 }]);
  expect(figures()).toEqual([0, 10, 4, null, null, null]);
  const epoch = { phase: 0, epoch: 1, seconds: 2, train: { loss: 1, accuracy: 0.5 }, validation: null, learningRate: 1 };
  epochs.put(runId, epoch);
  phases.setTimes(runId, 0, { epochs: 1, seconds: 2, secondsPerEpoch: 2 });
  expect(figures()).toEqual([1, 10, 4, 2, null, null]);
  epochs.put(runId, { ...epoch, validation: { loss: 1, accuracy: 0.8 } });
  phases.setTimes(runId, 0, { epochs: 1, seconds: 2, secondsPerEpoch: 2 });
  expect(figures()).toEqual([1, 10, 4, 2, null, 0.8]);
  // Trained again after a resume, the epoch turned out worse.
  epochs.put(runId, { ...epoch, validation: { loss: 1, accuracy: 0.6 } });
  const report = { epochs: 1, seconds: 2, secondsPerEpoch: 3, stoppedBy: 'epochs', best: { epoch: 1, rule: 'last' } } as const;
  const files = { weights: { file: 'w', sha256: 's' }, predictions: null, confusion: null };
  phases.finish(runId, { ...report, ...files, type: 'phaseFinished', phase: 0, test: { loss: 0.1, accuracy: 0.7 } });
  expect(figures()).toEqual([1, 10, 4, 3, 0.7, 0.6]);
  phases.finish(runId, { ...report, ...files, type: 'phaseFinished', phase: 1, test: null });
  expect(figures()).toEqual([2, 10, 4, 3, 0.7, 0.6]);
  runs.remove(runId);
  for (const name of ['runs', 'phases', 'epochs', 'run_recipes', 'recipe_values']) {
    expect(database.prepare(`SELECT count(*) FROM ${name}`).pluck().get(), name).toBe(0);
  }
});

test('a recipe is flattened to its short values', () => {
  const values = flattenRecipe({
    title: 'T',
    description: 'long',
    phases: [{ batchSize: 32, augmentation: null, nesterov: false, kernel: [3, 3] }],
    network: { layers: Array.from({ length: 500 }, () => ({ units: 1 })) },
    splits: { indices: Array.from({ length: 17 }, (_, index) => index) },
    seed: 7,
  });
  expect(values.slice(0, 6)).toEqual([
    ['title', 'T'],
    ['phases[0].batchSize', 32],
    ['phases[0].nesterov', false],
    ['phases[0].kernel[0]', 3],
    ['phases[0].kernel[1]', 3],
    ['seed', 7],
  ]);
  expect(values).toHaveLength(400);
  expect(values[6]).toEqual(['network.layers[0].units', 1]);
});
