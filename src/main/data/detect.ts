// What kind of dataset the given paths are, judged by content; names only break ties.
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { openBytes } from './sourceFile.ts';

export type DatasetKind = DatasetManifest['kind'];

const IDX_NAME = /idx|ubyte/i;
const CSV_NAME = /\.csv$/i;
const CIFAR_NAME = /^(data_batch_\d|test_batch)(\.bin)?$/;
const TAR_MAGIC_OFFSET = 257;

/** Answers the kind, or throws `bad_input` saying what was found. */
export async function detectKind(paths: readonly string[]): Promise<DatasetKind> {
  const kinds = new Set<DatasetKind>();
  for (const path of paths) kinds.add((await isFolder(path)) ? await kindOfFolder(path) : await kindOfFile(path));
  const [kind, ...others] = kinds;
  if (kind !== undefined && others.length === 0 && (paths.length === 1 || kind === 'idx')) return kind;
  throw unknownKind(paths.join(', '), `${paths.length} paths of the kinds ${[...kinds].join(', ')}`);
}

/** IDX files of a folder; of a file that lies there plain and compressed only the plain one. */
export async function listIdxFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile() && IDX_NAME.test(entry.name))
    .map((entry) => entry.name);
  return names
    .filter((name) => !(name.endsWith('.gz') && names.includes(name.slice(0, -3))))
    .sort()
    .map((name) => join(folder, name));
}

/** The CSV manifest itself, or the one that lies in the folder; throws `bad_input` when the folder has none or several. */
export async function findCsv(path: string): Promise<string> {
  if (!(await isFolder(path))) return path;
  const names = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isFile() && CSV_NAME.test(entry.name));
  const [found, ...others] = names;
  if (found !== undefined && others.length === 0) return join(path, found.name);
  throw new LabError('bad_input', `The folder ${path} does not hold one CSV manifest.`, {
    expected: 'one file that ends in .csv, beside or above its pictures',
    received: found === undefined ? 'none' : names.map((entry) => entry.name).join(', '),
    help: 'Leave one CSV file in the folder, or import the file itself.',
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new LabError('bad_input', `${path} cannot be read.`, {
      expected: 'an existing file or folder',
      received: cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause),
      help: 'Check the path and its permissions.',
      cause,
    });
  }
}

async function kindOfFolder(path: string): Promise<DatasetKind> {
  const entries = await readdir(path, { withFileTypes: true });
  if (entries.some((entry) => entry.isFile() && CIFAR_NAME.test(entry.name))) return 'cifar';
  if (entries.some((entry) => entry.isFile() && IDX_NAME.test(entry.name))) return 'idx';
  if (entries.some((entry) => entry.isDirectory())) return 'folders';
  if (entries.filter((entry) => entry.isFile() && CSV_NAME.test(entry.name)).length === 1) return 'csv';
  throw unknownKind(
    path,
    entries.length === 0
      ? 'an empty folder'
      : `a folder with ${entries
          .slice(0, 3)
          .map((entry) => entry.name)
          .join(', ')}`,
  );
}

async function kindOfFile(path: string): Promise<DatasetKind> {
  if (extname(path).toLowerCase() === '.csv') return 'csv';
  const stream = await openBytes(path);
  try {
    const parts: Buffer[] = [];
    for (let bytes = 0; bytes < TAR_MAGIC_OFFSET + 5;) {
      const chunk = await stream.next();
      if (chunk === null) break;
      bytes += chunk.length;
      parts.push(chunk);
    }
    const head = Buffer.concat(parts);
    if (head.length >= 4 && head.readUInt16BE(0) === 0x0000 && head.readUInt8(2) === 0x08) return 'idx';
    if (head.subarray(TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5).toString('latin1') === 'ustar') return 'cifar';
    throw unknownKind(path, head.length === 0 ? 'an empty file' : `a file that begins with ${head.subarray(0, 8).toString('hex')}`);
  } finally {
    await stream.close();
  }
}

function unknownKind(path: string, received: string): LabError {
  return new LabError('bad_input', `${path} is not a dataset of a known kind.`, {
    expected: 'IDX files or their folder, a CIFAR-10 archive or folder, a folder of class folders, or a CSV manifest',
    received,
    help: 'Say the kind with --kind idx, cifar, folders or csv to learn what exactly does not fit.',
  });
}
