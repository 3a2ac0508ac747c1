/**
 * Fills a new workspace with a history of the size that product.md section 7 names: runs of several recipes with drawn settings, tags, notes,
 * ends and curves, written through the lab's own stores. The same seed gives the same history.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { recipeSchema, type DatasetId, type Recipe, type RunId } from '../src/shared/contract/schema.ts';
import { createStream, type RandomStream } from '../src/shared/domain/rng.ts';
import { createEpochStore, type EpochStore } from '../src/main/db/epochs.ts';
import { closeDatabase, openDatabase } from '../src/main/db/open.ts';
import { createPhaseStore, type PhaseStore } from '../src/main/db/phases.ts';
import { createRunStore, type RunStore } from '../src/main/db/runs.ts';
import { lockWorkspace } from '../src/main/db/workspace.ts';

export interface HistorySize {
  readonly runs: number;
  /** Of each run, over its two phases. */
  readonly epochsPerRun: number;
}

/** 10,000 runs and 10,000,000 rows of epochs, each of six metric points. */
export const fullSize: HistorySize = { runs: 10_000, epochsPerRun: 1000 };

interface Stores {
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly epochs: EpochStore;
  /** Gives a run the curves of another one, bent a little: 10,000,000 rows are written ten times as fast as one by one. */
  readonly copyCurves: (source: RunId, target: RunId, bend: number) => void;
}

const recipesFolder = join(import.meta.dirname, '..', 'resources', 'recipes');
const batchRuns = 20;
const drawnCurves = 100;
const firstMoment = Date.UTC(2026, 0, 1);
const tagNames = ['baseline', 'augmented', 'frozen', 'student', 'Übung 3', 'keep', 'report', 'wide', 'narrow', 'wrong'];

/** The folder must be empty or new; nobody else may own it meanwhile. */
export function fillHistory(folder: string, size: HistorySize, seed = 1): void {
  const lock = lockWorkspace(folder);
  if (lock === undefined) throw new Error('The workspace has another owner.');
  try {
    const database = openDatabase(lock.places);
    // Nothing is lost when a machine dies while it draws a fixture.
    database.pragma('synchronous = OFF');
    const stores = openStores(database);
    const recipes = ['fashion-transfer-5to9', 'fashion-test-7', 'mnist-test-4', 'cifar-cnn'].map(readRecipe);
    for (let first = 0; first < size.runs; first += batchRuns) {
      database.transaction(() => {
        for (let number = first; number < Math.min(first + batchRuns, size.runs); number += 1) {
          const recipe = recipes[number % recipes.length];
          if (recipe !== undefined) writeRun(stores, recipe, number, size.epochsPerRun, createStream(seed, 'history', number));
        }
      })();
    }
    closeDatabase(database);
  } finally {
    lock.release();
  }
}

function openStores(database: Database): Stores {
  const copy = database.prepare<[string, number, number, number, number, number, string]>(
    `INSERT INTO epochs SELECT ?, phase, epoch, seconds * ?, train_loss * ?, train_accuracy * ?, validation_loss * ?,
     validation_accuracy * ?, learning_rate FROM epochs WHERE run_id = ?`,
  );
  return {
    runs: createRunStore(database),
    phases: createPhaseStore(database),
    epochs: createEpochStore(database),
    copyCurves: (source, target, bend) => void copy.run(target, bend, 2 - bend, bend, 2 - bend, bend, source),
  };
}

function readRecipe(id: string): Recipe {
  return recipeSchema.parse(JSON.parse(readFileSync(join(recipesFolder, `${id}.json`), 'utf8')));
}

function writeRun(stores: Stores, base: Recipe, number: number, epochCount: number, stream: RandomStream): void {
  const { runs, phases } = stores;
  const counts = [Math.ceil(epochCount / 2), Math.floor(epochCount / 2)];
  const recipe = varyRecipe(base, counts, stream);
  const createdAt = new Date(firstMoment + number * 2_000_000).toISOString();
  const runId = idOf(number);
  const total = 10_000 + stream.integer(5_000_000);
  runs.insert({
    runId,
    name: `${base.title} ${number}`,
    recipe,
    seed: number % 7,
    group: number % 5 === 0 ? `g-${Math.floor(number / 20)}` : null,
    protocol: base.protocol,
    datasetId: base.dataset.id as DatasetId,
    createdAt,
  });
  const planned = recipe.phases.map(({ name, epochs }) => ({ name, plannedEpochs: epochs, total, trainable: total, nonTrainable: 0 }));
  phases.plan(runId, planned);
  const bend = 0.9 + 0.1 * stream.uniform();
  if (number >= drawnCurves) stores.copyCurves(idOf(number % drawnCurves), runId, bend);
  else counts.forEach((count, phase) => drawCurves(stores.epochs, { runId, phase, count }, stream));
  counts.forEach((count, phase) => finishPhase(phases, { runId, phase, count }, bend));
  const tags = tagNames.filter(() => stream.uniform() < 0.15);
  const notes = number % 3 === 0 ? `Drawn run ${number}: looks ${stream.uniform() < 0.5 ? 'well' : 'odd'} after the second phase.` : '';
  const archivedAt = stream.uniform() < 0.1 ? createdAt : null;
  const trashedAt = stream.uniform() < 0.05 ? createdAt : null;
  const seconds = epochCount * bend;
  runs.update(runId, {
    state: 'finished',
    finishedPhases: 2,
    attempts: 1,
    seconds,
    endedAt: createdAt,
    tags,
    notes,
    archivedAt,
    trashedAt,
  });
}

function varyRecipe(base: Recipe, counts: readonly number[], stream: RandomStream): Recipe {
  const batchSize = 2 ** (4 + stream.integer(5));
  const learningRate = Number((10 ** (-4 + 3 * stream.uniform())).toPrecision(3));
  const [first] = base.phases;
  if (first === undefined) return base;
  const optimizer = { ...first.optimizer, learningRate };
  return { ...base, phases: counts.map((epochs, index) => ({ ...first, name: `phase ${index + 1}`, batchSize, optimizer, epochs })) };
}

interface Curve {
  readonly runId: RunId;
  readonly phase: number;
  readonly count: number;
}

function drawCurves(epochs: EpochStore, { runId, phase, count }: Curve, stream: RandomStream): void {
  const speed = 0.01 + stream.uniform() / count;
  const ceiling = 0.7 + 0.29 * stream.uniform();
  for (let epoch = 1; epoch <= count; epoch += 1) {
    const left = Math.exp(-speed * epoch);
    const noise = 0.02 * (stream.uniform() - 0.5);
    epochs.put(runId, {
      phase,
      epoch,
      seconds: 1 + noise,
      train: { loss: 2.3 * left + 0.05 + noise, accuracy: ceiling * (1 - left) },
      validation: { loss: 2.3 * left + 0.15 - noise, accuracy: Math.max(0, ceiling * (1 - left) - noise) },
      learningRate: 0.001,
    });
  }
}

function finishPhase(phases: PhaseStore, { runId, phase, count }: Curve, bend: number): void {
  phases.finish(runId, {
    type: 'phaseFinished',
    phase,
    epochs: count,
    seconds: count * bend,
    secondsPerEpoch: bend,
    stoppedBy: 'epochs',
    best: { epoch: Math.max(1, count), rule: 'last' },
    test: { loss: 1.2 - bend, accuracy: bend - 0.01 },
    weights: { file: 'weights.safetensors', sha256: 'a'.repeat(64) },
    predictions: null,
    confusion: null,
  });
}

/** Ascending with the number, in the letters and the length of real ids. */
function idOf(number: number): RunId {
  return `260101-${number.toString(36).padStart(5, '0')}` as RunId;
}
