// What a folder holds, for people: folders first, then files, by name with numbers in their order. Hidden entries, things that are
// neither file nor folder, and links that lead outside the places are left out. Large folders are read and sorted in slices, so that the
// core stays responsive.
import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { LabError } from '../../shared/contract/errors.ts';
import type { Places } from './places.ts';

const mostEntries = 200_000;
const slice = 2000;

export interface ListedEntry {
  readonly name: string;
  readonly kind: 'folder' | 'file';
}

interface SortedEntry extends ListedEntry {
  readonly key: string;
}

/** Throws `limit_exceeded` for a folder of more than 200,000 entries and `bad_input` for one that cannot be read. */
export async function listFolder(folder: string, places: Places): Promise<readonly ListedEntry[]> {
  const sorted: SortedEntry[][] = [];
  let entries: SortedEntry[] = [];
  let count = 0;
  const directory = await opendir(folder, { bufferSize: 512 }).catch((cause: unknown) => {
    throw new LabError('bad_input', 'This folder cannot be read.', {
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Choose another folder, or change its rights.',
    });
  });
  for await (const found of directory) {
    const kind = await kindOf(folder, found, places);
    if (kind === undefined) continue;
    entries.push({ name: found.name, kind, key: sortKey(found.name, kind) });
    count += 1;
    if (count > mostEntries) throw tooMany();
    if (entries.length < slice) continue;
    sorted.push(entries.sort(compare));
    entries = [];
    await breathe();
  }
  return mergeAll([...sorted, entries.sort(compare)]);
}

/** Kind and size of a real path; undefined when it is neither a file nor a folder. */
export async function describeFile(path: string): Promise<{ kind: 'folder' | 'file'; bytes: number | null } | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return { kind: 'folder', bytes: null };
  return found?.isFile() === true ? { kind: 'file', bytes: found.size } : undefined;
}

async function kindOf(folder: string, entry: Dirent, places: Places): Promise<'folder' | 'file' | undefined> {
  if (entry.name.startsWith('.')) return undefined;
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  const isOther = entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice();
  const target = isOther ? undefined : await places.follow(join(folder, entry.name));
  return target === undefined ? undefined : (await describeFile(target))?.kind;
}

/** Numbers are compared by how many digits they have and then by their digits. */
function sortKey(name: string, kind: 'folder' | 'file'): string {
  const natural = name.toLowerCase().replaceAll(/\d+/g, (digits) => {
    const trimmed = digits.replace(/^0+(?=\d)/, '');
    return `${String.fromCharCode(0x30 + Math.min(trimmed.length, 200))}${trimmed}`;
  });
  return `${kind === 'folder' ? 0 : 1}${natural}\0${name}`;
}

function compare(a: SortedEntry, b: SortedEntry): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

async function mergeAll(lists: readonly (readonly SortedEntry[])[]): Promise<readonly SortedEntry[]> {
  let left = [...lists];
  while (left.length > 1) {
    const next: (readonly SortedEntry[])[] = [];
    for (let index = 0; index < left.length; index += 2) next.push(await merge(left[index] ?? [], left[index + 1] ?? []));
    left = next;
  }
  return left[0] ?? [];
}

async function merge(first: readonly SortedEntry[], second: readonly SortedEntry[]): Promise<SortedEntry[]> {
  const merged: SortedEntry[] = [];
  let a = 0;
  let b = 0;
  for (;;) {
    const left = first[a];
    const right = second[b];
    const next = right === undefined || (left !== undefined && compare(left, right) <= 0) ? left : right;
    if (next === undefined) return merged;
    if (next === left) a += 1;
    else b += 1;
    merged.push(next);
    if (merged.length % (10 * slice) === 0) await breathe();
  }
}

function tooMany(): LabError {
  return new LabError('limit_exceeded', 'This folder has too many entries to be listed.', {
    expected: `at most ${mostEntries}`,
    help: 'Choose the folder itself, or import it with `lab datasets import`.',
  });
}
