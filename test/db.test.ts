import Database from 'better-sqlite3';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { datasetManifestSchema } from '../src/shared/contract/dataset.ts';
import { recipeSchema, type DatasetId, type RunId } from '../src/shared/contract/schema.ts';
import { createDatasetStore } from '../src/main/db/datasets.ts';
import { createEpochStore } from '../src/main/db/epochs.ts';
import { createEventStore } from '../src/main/db/events.ts';
import { closeDatabase, migrations, openDatabase, type Migration } from '../src/main/db/open.ts';
import { createRunStore, type NewRun } from '../src/main/db/runs.ts';
import { explainSqliteError } from '../src/main/db/sqliteError.ts';
import { lockWorkspace, placesOf, type WorkspacePlaces } from '../src/main/db/workspace.ts';
import { createEvents } from '../src/main/services/events.ts';
import { makeFolder, resourcesFolder } from './lab.ts';

function newPlaces(): WorkspacePlaces {
  const lock = lockWorkspace(makeFolder());
  if (lock === undefined) throw new Error('A new folder has no owner.');
  onTestFinished(() => lock.release());
  return lock.places;
}

function open(places: WorkspacePlaces, steps?: readonly Migration[]): Database.Database {
  const database = openDatabase(places, steps);
  onTestFinished(() => void database.close());
  return database;
}

const failsWith = (code: string): unknown => expect.objectContaining({ code });
const later: Migration = { version: 30, name: 'note', migrate: (database) => database.exec('ALTER TABLE runs ADD COLUMN note TEXT') };

const recipe = recipeSchema.parse(JSON.parse(readFileSync(join(resourcesFolder, 'recipes/fashion-transfer-5to9.json'), 'utf8')));
const newRun = (number: number, changed: Partial<NewRun> = {}): NewRun => ({
  runId: `run-${String(number).padStart(5, '0')}` as RunId,
  name: `Run ${number}`,
  recipe,
  seed: number,
  group: null,
  protocol: 'document',
  datasetId: 'fashion-mnist' as DatasetId,
  createdAt: '2026-11-21T00:00:00.000Z',
  ...changed,
});

describe('opening the history', () => {
  test('creates it once, with marker, version and the pragmas that survive a power cut', () => {
    const places = newPlaces();
    const database = open(places);
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(database.pragma('synchronous', { simple: true })).toBe(2);
    expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(database.pragma('trusted_schema', { simple: true })).toBe(0);
    expect(database.pragma('user_version', { simple: true })).toBe(20);
    expect(database.pragma('application_id', { simple: true })).toBe(0x4c616254);
    expect(JSON.parse(readFileSync(places.marker, 'utf8'))).toMatchObject({ application: 'transfer-lab', format: 1 });
    closeDatabase(database);
    expect(open(places).pragma('synchronous', { simple: true })).toBe(2);
  });

  test.each([
    ['missing', (places: WorkspacePlaces) => rmSync(places.database)],
    ['empty', (places: WorkspacePlaces) => truncateSync(places.database)],
    ['noise', (places: WorkspacePlaces) => writeFileSync(places.database, 'noise '.repeat(1000))],
    ['cut off', (places: WorkspacePlaces) => truncateSync(places.database, 5000)],
    [
      'of another program',
      (places: WorkspacePlaces) => {
        rmSync(places.database);
        const other = new Database(places.database);
        other.exec('CREATE TABLE songs (title TEXT)');
        other.close();
      },
    ],
  ])('stops when a known history is %s, and creates nothing', (_name, damage) => {
    const places = newPlaces();
    closeDatabase(openDatabase(places));
    damage(places);
    const before = existsSync(places.database) ? readFileSync(places.database) : null;
    expect(() => open(places)).toThrow(failsWith('workspace_damaged'));
    expect(existsSync(places.database) ? readFileSync(places.database) : null).toEqual(before);
  });

  test('stops when a file of another program lies where a new history would', () => {
    const places = newPlaces();
    const other = new Database(places.database);
    other.exec('CREATE TABLE songs (title TEXT)');
    other.close();
    expect(() => open(places)).toThrow(failsWith('workspace_damaged'));
  });

  test('stops at a marker that is not ours', () => {
    const places = newPlaces();
    writeFileSync(places.marker, '{"application":"other"}');
    expect(() => open(places)).toThrow(failsWith('workspace_damaged'));
  });

  test('refuses a history of a newer version and leaves it as it is', () => {
    const places = newPlaces();
    closeDatabase(openDatabase(places, [...migrations, later]));
    expect(() => open(places)).toThrow(failsWith('workspace_newer'));
    expect(open(places, [...migrations, later]).pragma('user_version', { simple: true })).toBe(30);
  });

  test('finishes a creation that was cut off before the marker', () => {
    const places = newPlaces();
    closeDatabase(openDatabase(places));
    rmSync(places.marker);
    open(places);
    expect(existsSync(places.marker)).toBe(true);
  });
});

describe('migrating', () => {
  test('keeps the data and a verified backup of the version before', () => {
    const places = newPlaces();
    const old = openDatabase(places);
    createRunStore(old).insert(newRun(1));
    closeDatabase(old);
    expect(readdirSync(places.backups)).toEqual([]);
    const migrated = open(places, [...migrations, later]);
    expect(migrated.prepare('SELECT run_id, note FROM runs').all()).toEqual([{ run_id: 'run-00001', note: null }]);
    const [backup = ''] = readdirSync(places.backups);
    const kept = new Database(join(places.backups, backup), { readonly: true });
    expect(kept.pragma('user_version', { simple: true })).toBe(20);
    expect(kept.pragma('quick_check', { simple: true })).toBe('ok');
    expect(kept.prepare('SELECT count(*) FROM runs').pluck().get()).toBe(1);
    kept.close();
  });

  test('takes back a migration that fails half-way', () => {
    const places = newPlaces();
    const old = openDatabase(places);
    createRunStore(old).insert(newRun(1));
    closeDatabase(old);
    const broken: Migration = {
      version: 30,
      name: 'broken',
      migrate: (database) => {
        database.exec('ALTER TABLE runs ADD COLUMN note TEXT; DELETE FROM runs;');
        throw new Error('the power went');
      },
    };
    expect(() => open(places, [...migrations, broken])).toThrow('the power went');
    const again = open(places);
    expect(again.pragma('user_version', { simple: true })).toBe(20);
    expect(createRunStore(again).find('run-00001')?.name).toBe('Run 1');
  });

  test('survives being killed in the middle of a migration', () => {
    const places = newPlaces();
    const old = openDatabase(places);
    createRunStore(old).insert(newRun(1));
    closeDatabase(old);
    const program = `
      import { openDatabase, migrations } from ${JSON.stringify(join(import.meta.dirname, '../src/main/db/open.ts'))};
      import { placesOf } from ${JSON.stringify(join(import.meta.dirname, '../src/main/db/workspace.ts'))};
      const step = { version: 30, name: 'killed', migrate: (database) => {
        database.exec('DELETE FROM runs; ALTER TABLE runs ADD COLUMN note TEXT');
        process.kill(process.pid, 'SIGKILL');
        while (true);
      } };
      openDatabase(placesOf(${JSON.stringify(places.folder)}), [...migrations, step]);`;
    expect(() => execFileSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' })).toThrow('SIGKILL');
    const again = open(places);
    expect(again.pragma('quick_check', { simple: true })).toBe('ok');
    expect(createRunStore(again).find('run-00001')?.name).toBe('Run 1');
  });
});

describe('owning a workspace', () => {
  test('is for one at a time, and free again after release', () => {
    const folder = makeFolder();
    const first = lockWorkspace(folder);
    expect(first).toBeDefined();
    expect(lockWorkspace(folder)).toBeUndefined();
    first?.release();
    const next = lockWorkspace(folder);
    expect(next).toBeDefined();
    next?.release();
  });

  test('is for one process at a time, and free when that one is killed', async () => {
    const folder = makeFolder();
    const program = `
      import { lockWorkspace } from ${JSON.stringify(join(import.meta.dirname, '../src/main/db/workspace.ts'))};
      globalThis.lock = lockWorkspace(${JSON.stringify(folder)});
      process.stdout.write('locked');
      setInterval(() => undefined, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => other.stdout.once('data', resolve));
    expect(lockWorkspace(folder)).toBeUndefined();
    const gone = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await gone;
    const lock = lockWorkspace(folder);
    expect(lock).toBeDefined();
    lock?.release();
  });

  test('is refused in a folder with other files', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'thesis.tex'), '');
    expect(() => lockWorkspace(folder)).toThrow(failsWith('bad_usage'));
    expect(readdirSync(folder)).toEqual(['thesis.tex']);
  });

  test('is refused where a file stands', () => {
    const file = join(makeFolder(), 'file');
    writeFileSync(file, '');
    expect(() => lockWorkspace(file)).toThrow(failsWith('disk_error'));
  });

  test('takes over a copy of a workspace', () => {
    const places = newPlaces();
    closeDatabase(openDatabase(places));
    const copy = placesOf(makeFolder());
    mkdirSync(copy.backups);
    for (const name of ['lab.sqlite', 'workspace.json']) copyFileSync(join(places.folder, name), join(copy.folder, name));
    const lock = lockWorkspace(copy.folder);
    open(copy);
    lock?.release();
  });
});

describe('what is stored', () => {
  test('comes back as it was', () => {
    const database = open(newPlaces());
    const runs = createRunStore(database);
    runs.insert(newRun(1, { group: 'g-1' }));
    runs.update('run-00001', {
      state: 'running',
      trainer: { pid: 7, started: 'boot/1' },
      error: { code: 'internal', message: 'x' },
      versions: { app: '1', node: '2', tensorflow: '3', sqlite: '4' },
      endedAt: null,
    });
    expect(runs.find('run-00001')).toMatchObject({
      group: 'g-1',
      state: 'running',
      trainer: { pid: 7, started: 'boot/1' },
      error: { code: 'internal', message: 'x' },
      versions: { app: '1', node: '2', tensorflow: '3', sqlite: '4' },
    });
    expect(runs.readRecipe('run-00001')).toEqual(recipe);
    const epochs = createEpochStore(database);
    const epoch = { phase: 0, epoch: 1, seconds: 1.5, train: { loss: 0.1, accuracy: 1 / 3 }, validation: null, learningRate: 1e-3 };
    epochs.put('run-00001', epoch);
    epochs.put('run-00001', { ...epoch, seconds: 2 });
    expect(epochs.list('run-00001', 0, 10)).toEqual([{ ...epoch, seconds: 2 }]);
    const manifest = datasetManifestSchema.parse({
      version: 1,
      id: 'mine',
      name: 'Mine',
      kind: 'folders',
      classes: ['a', 'b'],
      trainCount: 2,
      testCount: 0,
      classCounts: [
        [1, 0],
        [1, 0],
      ],
      shape: [8, 8, 3],
      fingerprint: 'f'.repeat(64),
      origin: 'here',
      sources: [],
      licence: null,
      bytes: 10,
      createdAt: '2026-11-21T00:00:00.000Z',
    });
    const datasets = createDatasetStore(database);
    datasets.put(manifest);
    expect(datasets.find('mine')).toEqual(manifest);
    expect(datasets.findByFingerprint('f'.repeat(64))?.id).toBe('mine');
    datasets.remove('mine');
    expect(datasets.list()).toEqual([]);
  });

  test('one unreadable recipe hides only itself', () => {
    const database = open(newPlaces());
    const runs = createRunStore(database);
    runs.insert(newRun(1));
    runs.insert(newRun(2));
    database.prepare("UPDATE run_recipes SET recipe = '{}' WHERE run_number = 1").run();
    expect(() => runs.readRecipe('run-00001')).toThrow(failsWith('workspace_damaged'));
    expect(runs.list({ state: null, recipeId: null, limit: 10, after: null })).toHaveLength(2);
    expect(runs.readRecipe('run-00002').id).toBe(recipe.id);
  });

  test('events keep their order and never reuse a number', () => {
    const database = open(newPlaces());
    const events = createEventStore(database);
    const event = { type: 'run.queued', at: '2026-11-21T00:00:00.000Z', runId: 'run-00001', body: {} };
    expect([events.append(event), events.append(event)]).toEqual([1, 2]);
    database.prepare('DELETE FROM events WHERE seq = 2').run();
    expect(events.append(event)).toBe(3);
    expect(events.read(0, 10)).toEqual([
      { type: 'run.queued', at: event.at, runId: 'run-00001', seq: 1 },
      { type: 'run.queued', at: event.at, runId: 'run-00001', seq: 3 },
    ]);
  });

  test('an event and what it says are committed together or not at all', () => {
    const database = open(newPlaces());
    const runs = createRunStore(database);
    const events = createEvents({ database, events: createEventStore(database), runs });
    const { runId } = newRun(1);
    const seen: string[] = [];
    events.subscribe((event) => seen.push(event.type));
    events.commitRun({ type: 'run.created', runId, recipeId: 'r', name: 'n', seed: 1, group: null }, () => runs.insert(newRun(1)));
    const broken = (): void => {
      runs.update(runId, { attempts: 5 });
      throw new Error('the power went');
    };
    expect(() => events.commitRun({ type: 'run.started', runId, attempt: 1 }, broken)).toThrow('the power went');
    expect(() => events.commitRun({ type: 'run.continued', runId })).toThrow(failsWith('conflict'));
    expect(runs.find(runId)).toMatchObject({ state: 'queued', attempts: 0 });
    expect(events.read(0, 10).map((event) => event.type)).toEqual(['run.created']);
    expect(seen).toEqual(['run.created']);
  });
});

test.each([
  ['SQLITE_FULL', 'disk_full'],
  ['ENOSPC', 'disk_full'],
  ['SQLITE_IOERR_WRITE', 'disk_error'],
  ['SQLITE_READONLY', 'disk_error'],
  ['SQLITE_CORRUPT', 'workspace_damaged'],
  ['SQLITE_BUSY', 'workspace_busy'],
])('the failure %s is called %s', (code, expected) => {
  expect(explainSqliteError(Object.assign(new Error('no'), { code }), 'lab.sqlite').code).toBe(expected);
});
