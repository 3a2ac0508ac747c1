/**
 * One import from paths to a finished store: finds the kind, opens the reader, resizes if asked to, writes the store.
 * Owns the rule that a failure leaves nothing in the target folder. Called by the importer child and by tests.
 */
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { ImportCommand } from '../../shared/contract/worker.ts';
import { type BundledDataset, findBundled, readBundledList, writeBundled } from './bundled.ts';
import { readCifar } from './cifar.ts';
import { readCsvManifest } from './csvManifest.ts';
import { type DatasetKind, detectKind, findCsv, listIdxFiles } from './detect.ts';
import { readFolders } from './folders.ts';
import { pairIdxFiles, readIdx } from './idx.ts';
import type { DatasetSource, Rejection } from './reader.ts';
import { createResampler } from './resample.ts';
import { type PictureBlock, type PictureShape, writeStore } from './storeWriter.ts';

export interface ImportOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ImportResult {
  readonly manifest: DatasetManifest;
  readonly rejected: readonly Rejection[];
}

/** Fills the target folder, which must be missing or empty, with a store; on any failure it is gone again. */
export async function importDataset(command: Omit<ImportCommand, 'type'>, options: ImportOptions = {}): Promise<ImportResult> {
  return intoEmptyFolder(command.targetFolder, async () => {
    // A link that the user names is followed; links found inside are judged by the readers.
    const paths = await Promise.all(command.paths.map((path) => realpath(path).catch(() => path)));
    const bundled = paths.length === 1 && paths[0] !== undefined ? await findBundled(paths[0]) : undefined;
    if (bundled !== undefined && paths[0] !== undefined && command.name === null && command.size === null) {
      return { manifest: await writeWhole(bundled, join(paths[0], '..'), command.targetFolder, options), rejected: [] };
    }
    const kind = command.kind ?? (await detectKind(paths));
    const source = resized(await openSource(kind, paths, command.size, bundled, options.signal), command.size);
    const name = command.name ?? nameOf(paths);
    const draft = { ...source, id: idOf(name), name };
    options.onProgress?.(0, source.total);
    const manifest = await writeStore(command.targetFolder, draft, source.blocks(), progressOptions(source.total, options));
    return { manifest, rejected: source.rejected() };
  });
}

/** Fills the target folder with the store of a dataset that comes with the program; `resourcesFolder` holds datasets/bundled.json. */
export async function importBundled(
  id: string,
  resourcesFolder: string,
  targetFolder: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const folder = join(resourcesFolder, 'datasets');
  return intoEmptyFolder(targetFolder, async () => {
    const dataset = (await readBundledList(folder)).find((entry) => entry.id === id);
    if (dataset === undefined) {
      throw new LabError('not_found', `There is no bundled dataset ${JSON.stringify(id)}.`, {
        expected: `an id listed in ${join(folder, 'bundled.json')}`,
        received: id,
        help: 'Import the dataset from its files.',
      });
    }
    return { manifest: await writeWhole(dataset, folder, targetFolder, options), rejected: [] };
  });
}

/** The id a name becomes: lower-case letters, digits and dashes; "dataset" when nothing of it is left. */
export function idOf(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  return plain.replace(/^-+/, '').slice(0, 64).replace(/-+$/, '') || 'dataset';
}

async function intoEmptyFolder<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  const present = await readdir(folder).catch(() => []);
  if (present.length > 0) {
    throw new LabError('conflict', `The folder ${folder} is not empty.`, {
      expected: 'a missing or empty folder',
      received: `${present.length} entries`,
      help: 'Import into a new folder.',
    });
  }
  try {
    await mkdir(folder, { recursive: true });
    return await work();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function writeWhole(dataset: BundledDataset, folder: string, target: string, options: ImportOptions): Promise<DatasetManifest> {
  return writeBundled(dataset, folder, target, progressOptions(dataset.trainCount + dataset.testCount, options));
}

function progressOptions(
  total: number,
  { signal, onProgress }: ImportOptions,
): { signal?: AbortSignal; onProgress: (done: number) => void } {
  return { ...(signal === undefined ? {} : { signal }), onProgress: (done) => onProgress?.(done, total) };
}

async function openSource(
  kind: DatasetKind,
  paths: readonly string[],
  size: number | null,
  bundled: BundledDataset | undefined,
  signal: AbortSignal | undefined,
): Promise<DatasetSource> {
  const options = { size, ...(signal === undefined ? {} : { signal }) };
  if (kind === 'idx') {
    const files = await idxFiles(paths);
    return readIdx(await pairIdxFiles(files), bundled ?? {});
  }
  const [path, ...others] = paths;
  if (path === undefined || others.length > 0) {
    throw new LabError('bad_input', `A dataset of the kind ${kind} has one path.`, {
      expected: kind === 'csv' ? 'one CSV file' : 'one folder or archive',
      received: `${paths.length} paths: ${paths.join(', ')}`,
      help: 'Import them one after another.',
    });
  }
  if (kind === 'cifar') return readCifar(path);
  return kind === 'csv' ? readCsvManifest(await findCsv(path), options) : readFolders(path, options);
}

async function idxFiles(paths: readonly string[]): Promise<string[]> {
  const [path, ...others] = paths;
  if (path === undefined || others.length > 0 || !(await stat(path)).isDirectory()) return [...paths];
  const files = await listIdxFiles(path);
  if (files.length > 0) return files;
  throw new LabError('bad_input', `${path} holds no IDX files.`, {
    expected: 'files like train-images-idx3-ubyte.gz',
    received: 'none with idx or ubyte in its name',
    help: 'Give the files themselves.',
  });
}

function resized(source: DatasetSource, size: number | null): DatasetSource {
  if (size === null || (source.shape[0] === size && source.shape[1] === size)) return source;
  const shape: PictureShape = [size, size, source.shape[2]];
  return { ...source, shape, blocks: () => resizeBlocks(source, shape) };
}

async function* resizeBlocks(source: DatasetSource, shape: PictureShape): AsyncGenerator<PictureBlock> {
  const resample = createResampler(source.shape, shape, 'bilinear');
  const [from, to] = [source.shape, shape].map(([height, width, channels]) => height * width * channels);
  if (from === undefined || to === undefined) return;
  for await (const block of source.blocks()) {
    const pixels = new Uint8Array(block.labels.length * to);
    for (let row = 0; row < block.labels.length; row++) pixels.set(resample(block.pixels.subarray(row * from, (row + 1) * from)), row * to);
    yield { ...block, pixels };
  }
}

function nameOf(paths: readonly string[]): string {
  const name = basename(paths[0] ?? '').replace(/(\.(tar|gz|tgz|csv|bin))+$/i, '');
  return name === '' ? 'dataset' : name;
}
