// All SQL of the runs; epochs and log lines are in epochs.ts, phases in phases.ts.
import type { Database } from 'better-sqlite3';
import type { Machine, RunStateName } from '../../shared/contract/answers.ts';
import type { WireError } from '../../shared/contract/errors.ts';
import type { Versions } from '../../shared/contract/events.ts';
import { recipeSchema, type DatasetId, type Recipe, type RunId } from '../../shared/contract/schema.ts';
import { validate } from '../../shared/contract/validation.ts';
import { createRecipeValues } from './recipeValues.ts';

export interface NewRun {
  readonly runId: RunId;
  readonly name: string;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly group: string | null;
  readonly protocol: 'document' | 'sound';
  readonly datasetId: DatasetId;
  readonly createdAt: string;
}

/** A run without its recipe, which is long. */
export interface StoredRun extends Omit<NewRun, 'recipe'> {
  readonly recipeId: string;
  readonly state: RunStateName;
  readonly currentPhase: number | null;
  readonly currentEpoch: number;
  readonly finishedPhases: number;
  readonly attempts: number;
  readonly datasetFingerprint: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly trashedAt: string | null;
  readonly seconds: number;
  readonly error: WireError | null;
  readonly versions: Versions | null;
  readonly machine: Machine | null;
  readonly device: string | null;
  readonly build: 'cpu' | 'gpu' | null;
  readonly trainer: { readonly pid: number; readonly started: string } | null;
  readonly archivedAt: string | null;
  readonly tags: readonly string[];
  readonly notes: string;
  /** Of the last phase that has them (db/runFigures.ts). */
  readonly testAccuracy: number | null;
  readonly testLoss: number | null;
  readonly bestValidationAccuracy: number | null;
}

/** Columns that change while a run lives; fields left out keep their value. */
export interface RunChange {
  readonly state?: RunStateName;
  readonly currentPhase?: number | null;
  readonly currentEpoch?: number;
  readonly finishedPhases?: number;
  readonly attempts?: number;
  readonly datasetFingerprint?: string;
  readonly startedAt?: string;
  readonly endedAt?: string | null;
  readonly trashedAt?: string | null;
  readonly seconds?: number;
  readonly error?: WireError | null;
  readonly versions?: Versions;
  readonly machine?: Machine;
  readonly device?: string;
  readonly build?: 'cpu' | 'gpu';
  readonly trainer?: { readonly pid: number; readonly started: string } | null;
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly notes?: string;
  readonly archivedAt?: string | null;
}

export interface RunFilter {
  readonly state: RunStateName | null;
  readonly recipeId: string | null;
  readonly limit: number;
  readonly after: string | null;
}

export interface RunStore {
  insert(run: NewRun): void;
  find(runId: string): StoredRun | undefined;
  /** Throws when the stored recipe is not readable; other runs are not affected. */
  readRecipe(runId: string): Recipe;
  update(runId: string, change: RunChange): void;
  /** Newest first, with the archive and without the trash. */
  list(filter: RunFilter): StoredRun[];
  /** Ids that begin with the text, newest first; `last` is not known here. */
  findByBeginning(text: string, limit: number): RunId[];
  findNewest(): RunId | undefined;
  listActive(): StoredRun[];
  listByDataset(datasetId: string): RunId[];
  /** In the order of the ids; those that do not exist are left out. */
  findMany(runIds: readonly string[]): StoredRun[];
  listTrashed(): { readonly runId: RunId; readonly epochs: number }[];
  /** Deletes the run with its phases, epochs and log for good; what happened to it stays in the event stream. */
  remove(runId: string): void;
}

type RunRow = Readonly<Record<string, string | number | null>>;

const columns = `run_id, name, recipe_id, seed, group_id, protocol, dataset_id, dataset_fingerprint, state, current_phase, current_epoch,
  finished_phases, attempts, created_at, started_at, ended_at, trashed_at, seconds, error, versions, machine, device, build, trainer_pid,
  trainer_started, archived_at, tags, notes, test_accuracy, test_loss, best_validation_accuracy`;

export function createRunStore(database: Database): RunStore {
  const insert = database.prepare(
    `INSERT INTO runs (run_id, name, recipe_id, seed, group_id, protocol, dataset_id, state, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?)`,
  );
  const find = database.prepare<[string], RunRow>(`SELECT ${columns} FROM runs WHERE run_id = ?`);
  const insertRecipe = database.prepare('INSERT INTO run_recipes VALUES (?, ?)');
  const recipe = database
    .prepare<[string], string>('SELECT recipe FROM runs JOIN run_recipes ON run_number = number WHERE run_id = ?')
    .pluck();
  const recipeValues = createRecipeValues(database);
  const beginning = database
    .prepare<[string, number], RunId>('SELECT run_id FROM runs WHERE instr(run_id, ?) = 1 ORDER BY number DESC LIMIT ?')
    .pluck();
  const newest = database.prepare<[], RunId>('SELECT run_id FROM runs WHERE trashed_at IS NULL ORDER BY number DESC LIMIT 1').pluck();
  const active = database.prepare<[], RunRow>(`SELECT ${columns} FROM runs WHERE state IN ('queued', 'running', 'paused') ORDER BY number`);
  const byDataset = database.prepare<[string], RunId>('SELECT run_id FROM runs WHERE dataset_id = ? ORDER BY number LIMIT 1000').pluck();
  const many = database.prepare<[string], RunRow>(`SELECT ${columns} FROM runs WHERE run_id IN (SELECT value FROM json_each(?))`);
  const trashed = database.prepare<[], { runId: RunId; epochs: number }>(
    'SELECT run_id AS runId, epochs FROM runs WHERE trashed_at IS NOT NULL ORDER BY number',
  );
  const numberOf = database.prepare<[string], number>('SELECT number FROM runs WHERE run_id = ?').pluck();
  const remove = database.prepare('DELETE FROM runs WHERE run_id = ?');
  return {
    insert: (run) => {
      const { runId, name, seed, group, protocol, datasetId, createdAt } = run;
      const { lastInsertRowid } = insert.run(runId, name, run.recipe.id, seed, group, protocol, datasetId, createdAt);
      insertRecipe.run(lastInsertRowid, JSON.stringify(run.recipe));
      recipeValues.put(Number(lastInsertRowid), run.recipe);
    },
    find: (runId) => {
      const row = find.get(runId);
      return row === undefined ? undefined : toRun(row);
    },
    readRecipe: (runId) => {
      const text = recipe.get(runId) ?? 'null';
      return validate(recipeSchema, JSON.parse(text), `The stored recipe of run ${runId}`, { code: 'workspace_damaged' });
    },
    update: (runId, change) => update(database, runId, change),
    list: (filter) => list(database, filter),
    findByBeginning: (text, limit) => beginning.all(text, limit),
    findNewest: () => newest.get(),
    listActive: () => active.all().map(toRun),
    listByDataset: (datasetId) => byDataset.all(datasetId),
    findMany: (runIds) => {
      const found = new Map(many.all(JSON.stringify(runIds)).map((row) => [row['run_id'], toRun(row)]));
      return runIds.flatMap((runId) => found.get(runId) ?? []);
    },
    listTrashed: () => trashed.all(),
    remove: (runId) => {
      recipeValues.remove(numberOf.get(runId) ?? 0);
      remove.run(runId);
    },
  };
}

function update(database: Database, runId: string, change: RunChange): void {
  const { trainer, ...plain } = change;
  const values: Record<string, string | number | null> = {};
  for (const [field, value] of Object.entries(plain)) {
    const column = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    values[column] = typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
  }
  if (trainer !== undefined) {
    values['trainer_pid'] = trainer?.pid ?? null;
    values['trainer_started'] = trainer?.started ?? null;
  }
  const names = Object.keys(values);
  if (names.length === 0) return;
  database
    .prepare(`UPDATE runs SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE run_id = ?`)
    .run(...Object.values(values), runId);
}

function list(database: Database, { state, recipeId, limit, after }: RunFilter): StoredRun[] {
  const conditions = ['trashed_at IS NULL'];
  const values: (string | number)[] = [];
  if (state !== null) {
    conditions.push('state = ?');
    values.push(state);
  }
  if (recipeId !== null) {
    conditions.push('recipe_id = ?');
    values.push(recipeId);
  }
  if (after !== null) {
    conditions.push('number < (SELECT number FROM runs WHERE run_id = ?)');
    values.push(after);
  }
  const sql = `SELECT ${columns} FROM runs WHERE ${conditions.join(' AND ')} ORDER BY number DESC LIMIT ?`;
  return database
    .prepare<(string | number)[], RunRow>(sql)
    .all(...values, limit)
    .map(toRun);
}

function toRun(row: RunRow): StoredRun {
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]));
  const number = (name: string): number => Number(row[name]);
  const figure = (name: string): number | null => (row[name] === null ? null : number(name));
  const json = (name: string): unknown => {
    const value = text(name);
    return value === null ? null : JSON.parse(value);
  };
  const pid = row['trainer_pid'];
  return {
    runId: text('run_id') as RunId,
    name: text('name') ?? '',
    recipeId: text('recipe_id') ?? '',
    seed: number('seed'),
    group: text('group_id'),
    protocol: text('protocol') as StoredRun['protocol'],
    datasetId: text('dataset_id') as DatasetId,
    datasetFingerprint: text('dataset_fingerprint'),
    state: text('state') as RunStateName,
    currentPhase: row['current_phase'] === null ? null : number('current_phase'),
    currentEpoch: number('current_epoch'),
    finishedPhases: number('finished_phases'),
    attempts: number('attempts'),
    createdAt: text('created_at') ?? '',
    startedAt: text('started_at'),
    endedAt: text('ended_at'),
    trashedAt: text('trashed_at'),
    seconds: number('seconds'),
    error: json('error') as WireError | null,
    versions: json('versions') as Versions | null,
    machine: json('machine') as Machine | null,
    device: text('device'),
    build: text('build') as StoredRun['build'],
    trainer: typeof pid === 'number' ? { pid, started: text('trainer_started') ?? '' } : null,
    archivedAt: text('archived_at'),
    tags: json('tags') as string[],
    notes: text('notes') ?? '',
    testAccuracy: figure('test_accuracy'),
    testLoss: figure('test_loss'),
    bestValidationAccuracy: figure('best_validation_accuracy'),
  };
}
