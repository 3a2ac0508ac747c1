// The workspace folder: its places, its marker and its one owner. The owner is whoever holds an exclusive SQLite lock on workspace.lock,
// which the system frees when the process dies, so there are no stale locks. The marker says that a history once existed: with it, a
// missing history is an error and never created anew.
import Database from 'better-sqlite3';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { LabError } from '../../shared/contract/errors.ts';
import { explainSqliteError } from './sqliteError.ts';

export interface WorkspacePlaces {
  readonly folder: string;
  readonly marker: string;
  readonly lock: string;
  readonly owner: string;
  readonly database: string;
  readonly datasets: string;
  /** Imported weights, one folder each. */
  readonly weights: string;
  /** Features of frozen layers that runs share; may be emptied at any time. */
  readonly features: string;
  readonly runs: string;
  readonly cache: string;
  readonly backups: string;
  readonly reports: string;
  readonly settings: string;
}

export interface WorkspaceLock {
  readonly places: WorkspacePlaces;
  release(): void;
}

const markerSchema = z.object({ application: z.literal('transfer-lab'), format: z.literal(1) });

export function placesOf(folder: string): WorkspacePlaces {
  return {
    folder,
    marker: join(folder, 'workspace.json'),
    lock: join(folder, 'workspace.lock'),
    owner: join(folder, 'owner.json'),
    database: join(folder, 'lab.sqlite'),
    datasets: join(folder, 'datasets'),
    weights: join(folder, 'weights'),
    features: join(folder, 'features'),
    runs: join(folder, 'runs'),
    cache: join(folder, 'cache'),
    backups: join(folder, 'backups'),
    reports: join(folder, 'reports'),
    settings: join(folder, 'settings.json'),
  };
}

/** Becomes the owner of the workspace, creating the folder at first use; undefined when another process owns it. */
export function lockWorkspace(folder: string): WorkspaceLock | undefined {
  const places = placesOf(folder);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseForeignFolder(places);
    const lock = holdLock(places.lock);
    if (lock === undefined) return undefined;
    const { datasets, weights, features, runs, cache, backups, reports } = places;
    for (const place of [datasets, weights, features, runs, cache, backups, reports]) mkdirSync(place, { recursive: true });
    return { places, release: () => lock.close() };
  } catch (error) {
    throw explainSqliteError(error, folder);
  }
}

/** True when the workspace once had a history; a marker of something else is an error. */
export function hasMarker(places: WorkspacePlaces): boolean {
  if (!existsSync(places.marker)) return false;
  try {
    markerSchema.parse(JSON.parse(readFileSync(places.marker, 'utf8')));
    return true;
  } catch (cause) {
    throw new LabError('workspace_damaged', `The file ${places.marker} is not the marker of a workspace.`, {
      expected: '{"application":"transfer-lab","format":1}',
      help: 'Restore this file, or choose another folder with --workspace.',
      cause,
    });
  }
}

export function writeMarker(places: WorkspacePlaces): void {
  writeAtomically(places.marker, `${JSON.stringify({ application: 'transfer-lab', format: 1, createdAt: new Date().toISOString() })}\n`);
}

/** After a power cut the file holds either its old or its new content. */
export function writeAtomically(path: string, text: string, mode = 0o644): void {
  const temporary = `${path}.tmp-${process.pid}`;
  writeFileSync(temporary, text, { mode, flush: true });
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Makes renames in the folder durable; Windows has no such call and does without. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function holdLock(path: string): Database.Database | undefined {
  const lock = new Database(path, { timeout: 0 });
  try {
    lock.pragma('journal_mode = DELETE');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') return undefined;
    throw error;
  }
}

function refuseForeignFolder(places: WorkspacePlaces): void {
  if (existsSync(places.marker) || existsSync(places.lock)) return;
  const [stranger] = readdirSync(places.folder);
  if (stranger === undefined) return;
  throw new LabError('bad_usage', `The folder ${places.folder} holds other files and is not a workspace.`, {
    expected: 'a workspace, an empty folder or a new one',
    received: `a folder with ${stranger}`,
    help: 'Choose another folder with --workspace or the variable LAB_WORKSPACE.',
  });
}
