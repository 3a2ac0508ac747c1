// Opens the history of a workspace: guards against a lost, foreign or newer file, sets and asserts the pragmas of platform.md 5.2, and
// migrates forward in transactions after a backup. The caller holds the workspace lock (workspace.ts), so nobody else writes.
import Database from 'better-sqlite3';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import { createInitialSchema } from './migrations/0010-initial.ts';
import { addRunTable } from './migrations/0020-run-table.ts';
import { explainSqliteError } from './sqliteError.ts';
import { hasMarker, syncFolder, writeMarker, type WorkspacePlaces } from './workspace.ts';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly migrate: (database: Database.Database) => void;
}

export const migrations: readonly Migration[] = [
  { version: 10, name: 'initial', migrate: createInitialSchema },
  { version: 20, name: 'run table', migrate: addRunTable },
];

/** "LabT" as a 32-bit number, written into every history. */
const applicationId = 0x4c616254;
/** The WAL-reset bug of SQLite 3.7.0 to 3.51.2 corrupts a history (platform.md 5.1). */
const oldestSqlite = [3, 51, 3] as const;

/** Throws `workspace_damaged` rather than create a history where one is missing, and `workspace_newer` for a later schema. */
export function openDatabase(places: WorkspacePlaces, steps: readonly Migration[] = migrations): Database.Database {
  const isKnown = hasMarker(places);
  const size = statSync(places.database, { throwIfNoEntry: false })?.size ?? 0;
  if (isKnown && size === 0) throw missingHistory(places);
  let database: Database.Database | undefined;
  try {
    database = new Database(places.database, { timeout: 5000 });
    requireOwnFile(database, places, isKnown);
    setPragmas(database);
    migrate(database, places, steps);
    if (!isKnown) {
      database.pragma('wal_checkpoint(TRUNCATE)');
      syncFolder(places.folder);
      writeMarker(places);
    }
    return database;
  } catch (error) {
    database?.close();
    throw explainSqliteError(error, places.database);
  }
}

/** The version of SQLite that writes the history. */
export function readSqliteVersion(): string {
  const database = new Database(':memory:');
  try {
    return String(database.prepare('SELECT sqlite_version()').pluck().get());
  } finally {
    database.close();
  }
}

export function closeDatabase(database: Database.Database): void {
  database.pragma('optimize');
  database.close();
}

function setPragmas(database: Database.Database): void {
  const version = String(database.prepare('SELECT sqlite_version()').pluck().get());
  if (!isAtLeast(version, oldestSqlite)) {
    throw new LabError('unsupported', 'This SQLite can corrupt the history.', {
      expected: `SQLite ${oldestSqlite.join('.')} or newer`,
      received: `SQLite ${version}`,
      help: 'Install the pinned packages again with npm run setup.',
    });
  }
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  database.pragma('trusted_schema = OFF');
  database.pragma('cell_size_check = ON');
  database.pragma('wal_autocheckpoint = 1000');
  database.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
  database.pragma('temp_store = MEMORY');
  database.pragma('cache_size = -64000');
  database.pragma('mmap_size = 0');
  const synchronous = database.pragma('synchronous', { simple: true });
  if (synchronous !== 2) {
    throw new LabError('internal', 'The history would not survive a power cut.', {
      expected: 'synchronous = 2',
      received: String(synchronous),
    });
  }
}

function requireOwnFile(database: Database.Database, places: WorkspacePlaces, isKnown: boolean): void {
  const found = Number(database.pragma('application_id', { simple: true }));
  if (found === applicationId) return;
  const tables = Number(database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get());
  if (isKnown || found !== 0 || tables > 0) {
    throw new LabError('workspace_damaged', `The file ${places.database} is not the history of a workspace.`, {
      expected: `application id ${applicationId}`,
      received: `application id ${found} with ${tables} tables`,
      help: `Put the right file in its place, for example the newest of ${places.backups}.`,
    });
  }
}

function migrate(database: Database.Database, places: WorkspacePlaces, steps: readonly Migration[]): void {
  const current = Number(database.pragma('user_version', { simple: true }));
  const latest = steps.at(-1)?.version ?? 0;
  if (current > latest) {
    throw new LabError('workspace_newer', 'The workspace was written by a newer version of the program.', {
      expected: `history version ${latest} or older`,
      received: `history version ${current}`,
      help: 'Update the program, or choose another folder with --workspace.',
    });
  }
  const pending = steps.filter((step) => step.version > current);
  if (current > 0 && pending.length > 0) backUp(database, places, current);
  for (const step of pending) {
    database.transaction(() => {
      step.migrate(database);
      database.pragma(`application_id = ${applicationId}`);
      database.pragma(`user_version = ${step.version}`);
    })();
  }
}

function backUp(database: Database.Database, places: WorkspacePlaces, version: number): void {
  const stamp = new Date()
    .toISOString()
    .replaceAll(/[^0-9]/g, '')
    .slice(0, 14);
  const path = join(places.backups, `version-${version}-${stamp}.sqlite`);
  if (existsSync(path)) return;
  database.prepare('VACUUM INTO ?').run(path);
}

function missingHistory(places: WorkspacePlaces): LabError {
  return new LabError('workspace_damaged', `The workspace ${places.folder} has lost its history.`, {
    expected: places.database,
    received: existsSync(places.database) ? 'an empty file' : 'no such file',
    help: `Restore the file, for example from ${places.backups}; nothing was created or changed.`,
  });
}

function isAtLeast(version: string, oldest: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, wanted] of oldest.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
