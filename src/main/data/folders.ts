/**
 * Reader for class folders: one folder per class, directly in the root or inside train/ and test/ (and validation/, whose pictures
 * become the last training pictures). Classes are in alphabetical order as in Keras. Links are never followed out of the root.
 */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import { decodePictures, inspectPictures, PictureDigest, type PictureFile } from './pictureFiles.ts';
import { checkClassNames, type DatasetSource, type Rejection } from './reader.ts';

const PART_NAMES = { train: /^train(ing)?$/i, validation: /^val(id|idation)?$/i, test: /^test(ing)?$/i } as const;
const LARGEST_FILE_COUNT = 2_000_000;
/** What desktops leave in folders. */
const IGNORED = /^(\..*|thumbs\.db|desktop\.ini|__MACOSX)$/i;

export interface FoldersOptions {
  /** Side length of the stored pictures; null demands equal sizes. */
  readonly size: number | null;
  readonly signal?: AbortSignal;
}

interface FoundFiles {
  readonly root: string;
  readonly files: PictureFile[];
  readonly rejected: Rejection[];
}

/** Lists the folders and reads all picture headers; throws `bad_input` for what no list of pictures can be made of. */
export async function readFolders(path: string, { size, signal }: FoldersOptions): Promise<DatasetSource> {
  const root = await realpath(path);
  const parts = await findParts(root);
  const classes = await findClasses(parts.map((part) => part.folder));
  const found: FoundFiles = { root, files: [], rejected: [] };
  for (const part of parts) {
    for (const [label, name] of classes.entries())
      await listClass(join(part.folder, name), label, part.name === 'test' ? 'test' : 'train', found);
  }
  const inspected = await inspectPictures(found.files, size, root, signal);
  inspected.rejected.push(...found.rejected);
  const digest = new PictureDigest();
  const held = parts.find((part) => part.name === 'validation');
  const heldCount = held === undefined ? 0 : inspected.files.filter((file) => file.path.startsWith(held.folder + sep)).length;
  return {
    kind: 'folders',
    classes,
    shape: inspected.shape,
    origin: `Class folders ${basename(root)}${heldCount === 0 ? '' : ` (the last ${heldCount} training pictures are those of ${basename(held?.folder ?? '')})`}`,
    licence: null,
    total: inspected.files.length,
    blocks: () => decodePictures(inspected, root, found.files.length, digest),
    sources: () => [{ file: basename(root), sha256: digest.finish() }],
    rejected: () => inspected.rejected,
  };
}

interface Part {
  readonly name: keyof typeof PART_NAMES;
  readonly folder: string;
}

async function findParts(root: string): Promise<Part[]> {
  const names = (await listFolder(root)).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const parts: Part[] = [];
  for (const name of ['train', 'validation', 'test'] as const) {
    const matches = names.filter((folder) => PART_NAMES[name].test(folder));
    for (const match of matches) parts.push({ name, folder: join(root, match) });
    if (matches.length > 1) throw partError(root, matches.join(' and '));
  }
  if (!parts.some((part) => part.name === 'train')) return [{ name: 'train', folder: root }];
  const strangers = names.filter((name) => !IGNORED.test(name) && !parts.some((part) => basename(part.folder) === name));
  if (strangers.length > 0) throw partError(root, `also ${strangers.slice(0, 5).join(', ')}`);
  return parts;
}

function partError(root: string, received: string): LabError {
  return new LabError('bad_input', `The folders in ${root} are ambiguous.`, {
    expected: 'train, validation and test (each at most once) and nothing beside them, or one folder per class',
    received,
    help: 'Move the other folders away or give the folder that holds the classes.',
  });
}

async function findClasses(folders: readonly string[]): Promise<string[]> {
  const classes = new Set<string>();
  for (const folder of folders) {
    for (const entry of await listFolder(folder)) {
      if (entry.isSymbolicLink()) await checkLink(join(folder, entry.name), folder);
      if (entry.isDirectory() && !IGNORED.test(entry.name)) classes.add(entry.name);
    }
    checkClassNames([...classes], folder);
  }
  // By code points, so that the order does not depend on the machine's language.
  const names = [...classes].sort((a, b) => (a < b ? -1 : 1));
  if (names.length < 2) {
    throw new LabError('bad_input', `${folders.join(' and ')} do not hold class folders.`, {
      expected: 'at least two folders, one per class',
      received: names.length === 0 ? 'no folder' : `only ${JSON.stringify(names[0])}`,
      help: 'Give a folder with one sub-folder of pictures per class.',
    });
  }
  return names;
}

async function listClass(folder: string, label: number, part: PictureFile['part'], found: FoundFiles): Promise<void> {
  const entries = await listFolder(folder).catch((error: unknown) => {
    if (error instanceof LabError && error.received === 'ENOENT') return [];
    throw error;
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (IGNORED.test(entry.name)) continue;
    const path = join(folder, entry.name);
    const name = relative(found.root, path).split(sep).join('/');
    if (entry.isDirectory()) {
      found.rejected.push({ file: name, reason: 'It is a folder inside a class folder. Expected picture files; received a folder.' });
    } else if (entry.isSymbolicLink()) {
      const target = await checkLink(path, found.root);
      if (target === null)
        found.rejected.push({
          file: name,
          reason: 'It is a link. Expected a file inside the dataset; received a link out of it or to nothing.',
        });
      else found.files.push({ path: target, name, label, part });
    } else found.files.push({ path, name, label, part });
    if (found.files.length > LARGEST_FILE_COUNT) throw tooMany(found.root);
  }
}

/** The file a link leads to when that lies inside `root`, null when it does not; throws for loops and links to folders. */
async function checkLink(path: string, root: string): Promise<string | null> {
  let target: string;
  try {
    target = await realpath(path);
    if (!(await stat(target)).isDirectory()) return target.startsWith(root + sep) ? target : null;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code === 'ENOENT') return null;
    throw linkError(path, code === 'ELOOP' ? 'a link that leads to itself' : String(code), cause);
  }
  throw linkError(path, `a link to the folder ${target}`);
}

function linkError(path: string, received: string, cause?: unknown): LabError {
  return new LabError('bad_input', `${path} is a symbolic link that is not followed.`, {
    expected: 'folders and files without links to folders or loops',
    received,
    help: 'Remove the link or put the files themselves there.',
    cause,
  });
}

async function listFolder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw new LabError('bad_input', `The folder ${folder} cannot be read.`, {
      expected: 'a readable folder',
      received: cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause),
      help: 'Check the path and its permissions.',
      cause,
    });
  }
}

function tooMany(root: string): LabError {
  return new LabError('bad_input', `${root} holds too many files.`, {
    expected: `at most ${LARGEST_FILE_COUNT} files`,
    received: 'more',
    help: 'Import a part of it.',
  });
}
