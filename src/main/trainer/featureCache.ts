// The folder of features that runs share, as a trainer sees it. An entry appears whole or not at all: it is made beside the others and
// renamed. A file in it says who reads it; whoever needs room removes the entries that were used longest ago and that nobody reads. An
// entry that vanishes all the same is no harm: an open file outlives its name, and what is not open yet is computed.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import {
  featureKeyPattern,
  featureManifestFile,
  featureManifestSchema,
  featureRowsFile,
  nameUse,
  readUser,
  type FeatureManifest,
} from '../../shared/contract/featureCache.ts';
import { openFeatureFile, type FeatureTable } from '../data/features.ts';
import { flushFolder, renameFlushed, replaceFile, writeFlushed } from './files.ts';

/** What the disk must keep free for everything else. */
export const reservedBytes = 10 ** 9;
const largestFolderBytes = 20 * 10 ** 9;
/** Of the disk, when that is less. */
const largestShare = 0.2;

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface FeatureRequest {
  readonly key: string;
  readonly shape: readonly number[];
  readonly labels: Int32Array;
  readonly heldBytes: number;
  readonly breathe: () => Promise<void>;
}

export interface CachedFeatures {
  /** close() gives the entry free again. */
  readonly table: FeatureTable;
  readonly manifest: FeatureManifest;
}

export type FeatureOrigin = Omit<FeatureManifest, 'version' | 'createdAt' | 'lastUsedAt' | 'bytes' | 'sha256'>;

export interface FeatureCache {
  /** Null when there is no such entry; a damaged one is removed. */
  open(request: FeatureRequest): Promise<CachedFeatures | null>;
  /** Adds an entry whose rows `write` puts into the file it is given; one that another process made meanwhile is as good. */
  add(key: string, origin: FeatureOrigin, write: (file: string) => Promise<{ bytes: number; sha256: string }>): Promise<void>;
  /** Removes what was used longest ago until so many bytes more fit; false when they never will. */
  makeRoom(bytes: number): boolean;
}

export interface FeatureCacheOptions {
  /** Absolute; made when it is missing. */
  readonly folder: string;
  /** Tests replace it. */
  readonly measureDisk?: (folder: string) => DiskSpace;
}

/** Clears away what dead processes left half made. */
export function openFeatureCache({ folder, measureDisk = measureFileSystem }: FeatureCacheOptions): FeatureCache {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.') && !isBeingMade(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
  return {
    open: (request) => openEntry(folder, request),
    add: (key, origin, write) => addEntry(folder, key, origin, write),
    makeRoom: (bytes) => makeRoom(folder, bytes, measureDisk),
  };
}

export function measureFileSystem(folder: string): DiskSpace {
  const { bsize, blocks, bavail } = statfsSync(folder);
  return { freeBytes: bsize * bavail, totalBytes: bsize * blocks };
}

async function openEntry(folder: string, { key, ...request }: FeatureRequest): Promise<CachedFeatures | null> {
  const entry = join(folder, key);
  const use = join(entry, nameUse(process.pid, makeToken()));
  try {
    // Written first: from here on nobody removes the entry to make room.
    writeFileSync(use, '');
    const manifest = readManifest(entry);
    if (String(manifest.shape) !== String(request.shape)) throw new LabError('disk_error', `The features in ${entry} have another shape.`);
    const table = await openFeatureFile({ ...request, file: join(entry, featureRowsFile), sha256: manifest.sha256 });
    touch(entry, manifest);
    const close = (): void => {
      table.close();
      rmSync(use, { force: true });
    };
    return { manifest, table: { ...table, close } };
  } catch (error) {
    rmSync(use, { force: true });
    if (isDamage(error)) removeEntry(folder, key);
    else if (!isGone(error)) throw error;
    return null;
  }
}

/** Throws ENOENT when there is none and `disk_error` when it is damaged. */
function readManifest(entry: string): FeatureManifest {
  const text = readFileSync(join(entry, featureManifestFile), 'utf8');
  try {
    return featureManifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new LabError('disk_error', `The description of the features in ${entry} is damaged.`, { cause });
  }
}

function touch(entry: string, manifest: FeatureManifest): void {
  const used = { ...manifest, lastUsedAt: new Date().toISOString() };
  replaceFile(join(entry, featureManifestFile), [new TextEncoder().encode(JSON.stringify(used))]);
}

async function addEntry(folder: string, key: string, origin: FeatureOrigin, write: Parameters<FeatureCache['add']>[2]): Promise<void> {
  const making = join(folder, `.making-${process.pid}-${makeToken()}`);
  mkdirSync(making);
  try {
    const written = await write(join(making, featureRowsFile));
    const createdAt = new Date().toISOString();
    const manifest: FeatureManifest = { version: 1, createdAt, lastUsedAt: createdAt, ...origin, ...written };
    writeFlushed(join(making, featureManifestFile), [new TextEncoder().encode(JSON.stringify(manifest))]);
    flushFolder(making);
    try {
      renameFlushed(making, join(folder, key));
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function makeRoom(folder: string, bytes: number, measureDisk: (folder: string) => DiskSpace): boolean {
  const entries = listEntries(folder);
  const { freeBytes, totalBytes } = measureDisk(folder);
  const limit = Math.min(largestFolderBytes, totalBytes * largestShare);
  let held = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  let free = freeBytes;
  const fits = (): boolean => held + bytes <= limit && free >= bytes + reservedBytes;
  const removable = entries.filter((entry) => !entry.isUsed).sort((a, b) => a.lastUsedAt.localeCompare(b.lastUsedAt));
  const possible = removable.reduce((sum, entry) => sum + entry.bytes, 0);
  // Nothing is given up for features that do not fit even then.
  if (held - possible + bytes > limit || free + possible < bytes + reservedBytes) return false;
  for (const entry of removable) {
    if (fits()) break;
    removeEntry(folder, entry.key);
    held -= entry.bytes;
    free += entry.bytes;
  }
  return fits();
}

interface Entry {
  readonly key: string;
  readonly bytes: number;
  readonly lastUsedAt: string;
  readonly isUsed: boolean;
}

function listEntries(folder: string): Entry[] {
  return readdirSync(folder)
    .filter((name) => featureKeyPattern.test(name))
    .flatMap((key) => {
      const entry = join(folder, key);
      try {
        const { bytes, lastUsedAt } = readManifest(entry);
        return [{ key, bytes, lastUsedAt, isUsed: readdirSync(entry).some(isUse) }];
      } catch (error) {
        if (isDamage(error)) removeEntry(folder, key);
        else if (!isGone(error)) throw error;
        return [];
      }
    });
}

/** Gone under its name at once; its files are removed afterwards. */
function removeEntry(folder: string, key: string): void {
  const leaving = join(folder, `.leaving-${makeToken()}`);
  try {
    renameSync(join(folder, key), leaving);
  } catch (error) {
    // On Windows an open file keeps its folder where it is.
    if (isGone(error) || isTaken(error)) return;
    throw error;
  }
  rmSync(leaving, { recursive: true, force: true });
}

function isUse(name: string): boolean {
  const pid = readUser(name);
  return pid !== null && isAlive(pid);
}

const isBeingMade = isUse;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function makeToken(): string {
  return randomBytes(4).toString('hex');
}

function isDamage(error: unknown): boolean {
  return error instanceof LabError && error.code === 'disk_error';
}

function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function isTaken(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST', 'EPERM', 'EBUSY', 'EACCES'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
