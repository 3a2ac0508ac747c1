/**
 * The dataset store as its readers see it: dataset.json, images.bin (packed uint8 [height, width, channels], training pictures
 * first, then test pictures) and labels.bin (little-endian uint16, same order).
 *
 * Owns opening, the size check and positional reads. Small stores are read once and held; larger ones are read picture by
 * picture, so memory never grows with the dataset. Writing is storeWriter.ts; splits and batches are elsewhere.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DatasetManifest, datasetManifestSchema } from '../../shared/contract/dataset.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { fingerprintOf } from './fingerprint.ts';

export const manifestFile = 'dataset.json';
export const imagesFile = 'images.bin';
export const labelsFile = 'labels.bin';

/** Stores up to this size are held in memory by one read. */
const HELD_BYTES = 256 * 2 ** 20;
/** Neighbouring pictures are read together up to this many bytes. */
const RANGE_BYTES = 4 * 2 ** 20;

export interface DatasetStore {
  readonly folder: string;
  readonly manifest: DatasetManifest;
  readonly count: number;
  readonly pictureBytes: number;
  /** Labels of all pictures in store order; the array belongs to the caller. */
  readLabels(): Uint16Array;
  /** Copies the pictures at `indices` one after another into `target`, starting at byte `offset`. */
  readPictures(indices: ArrayLike<number>, target: Uint8Array, offset?: number): void;
  close(): void;
}

export interface OpenOptions {
  /** Largest images.bin that is held in memory; tests lower it. */
  readonly heldBytes?: number;
}

/** Opens a store and checks its sizes against the manifest; throws `dataset_missing` or `dataset_changed`. */
export function openStore(folder: string, options: OpenOptions = {}): DatasetStore {
  const manifest = readManifest(folder);
  const [height, width, channels] = manifest.shape;
  const pictureBytes = height * width * channels;
  const count = manifest.trainCount + manifest.testCount;
  checkSize(folder, imagesFile, count * pictureBytes);
  checkSize(folder, labelsFile, count * 2);
  const descriptor = openSync(join(folder, imagesFile), 'r');
  const isHeld = count * pictureBytes <= (options.heldBytes ?? HELD_BYTES);
  const held = isHeld ? readHeld(descriptor, count * pictureBytes) : null;
  if (isHeld) closeSync(descriptor);
  let isOpen = !isHeld;
  return {
    folder,
    manifest,
    count,
    pictureBytes,
    readLabels: () => readLabels(folder, count),
    readPictures(indices, target, offset = 0) {
      if (held === null) readRanges(descriptor, { indices, target, offset, pictureBytes, count });
      else copyPictures(held, { indices, target, offset, pictureBytes, count });
    },
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}

/** Reads and validates dataset.json alone; throws `dataset_missing` when there is none, `dataset_changed` when it is damaged. */
export function readManifest(folder: string): DatasetManifest {
  const file = join(folder, manifestFile);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LabError('dataset_missing', `The dataset folder ${folder} has no readable ${manifestFile}.`, {
      expected: file,
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Import the dataset again.',
      cause,
    });
  }
  const parsed = datasetManifestSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new LabError('dataset_changed', `The dataset description ${file} is damaged.`, {
      expected: 'a complete manifest of version 1',
      received: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
      help: 'Remove the dataset and import it again.',
    });
  }
  return parsed.data;
}

/** Reads every byte of the store again and answers its fingerprint, for comparison with the manifest's. */
export function computeFingerprint(store: DatasetStore): string {
  const pictures = createHash('sha256');
  const perRange = Math.max(1, Math.floor(RANGE_BYTES / store.pictureBytes));
  const window = new Uint8Array(perRange * store.pictureBytes);
  for (let first = 0; first < store.count; first += perRange) {
    const indices = Uint32Array.from({ length: Math.min(perRange, store.count - first) }, (_, index) => first + index);
    store.readPictures(indices, window);
    pictures.update(window.subarray(0, indices.length * store.pictureBytes));
  }
  const labels = createHash('sha256').update(readFileSync(join(store.folder, labelsFile)));
  return fingerprintOf(store.manifest, pictures.digest('hex'), labels.digest('hex'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 80);
  }
}

function checkSize(folder: string, name: string, expected: number): void {
  const file = join(folder, name);
  const received = statSync(file, { throwIfNoEntry: false })?.size;
  if (received === expected) return;
  throw new LabError('dataset_changed', `The dataset file ${file} does not have the size its manifest says.`, {
    expected: `${expected} bytes`,
    received: received === undefined ? 'no file' : `${received} bytes`,
    help: 'The file is truncated or was changed: remove the dataset and import it again.',
  });
}

function readHeld(descriptor: number, bytes: number): Uint8Array {
  const held = new Uint8Array(bytes);
  readFully(descriptor, held, 0, bytes, 0);
  return held;
}

function readLabels(folder: string, count: number): Uint16Array {
  const bytes = readFileSync(join(folder, labelsFile));
  const labels = new Uint16Array(count);
  for (let index = 0; index < count; index++) labels[index] = bytes.readUInt16LE(index * 2);
  return labels;
}

interface PictureRead {
  readonly indices: ArrayLike<number>;
  readonly target: Uint8Array;
  readonly offset: number;
  readonly pictureBytes: number;
  readonly count: number;
}

function copyPictures(held: Uint8Array, { indices, target, offset, pictureBytes, count }: PictureRead): void {
  for (let position = 0; position < indices.length; position++) {
    const index = pictureAt(indices, position, count);
    target.set(held.subarray(index * pictureBytes, (index + 1) * pictureBytes), offset + position * pictureBytes);
  }
}

function readRanges(descriptor: number, { indices, target, offset, pictureBytes, count }: PictureRead): void {
  const longest = Math.max(1, Math.floor(RANGE_BYTES / pictureBytes));
  let position = 0;
  while (position < indices.length) {
    const first = pictureAt(indices, position, count);
    let length = 1;
    while (length < longest && position + length < indices.length && indices[position + length] === first + length) length++;
    pictureAt(indices, position + length - 1, count);
    readFully(descriptor, target, offset + position * pictureBytes, length * pictureBytes, first * pictureBytes);
    position += length;
  }
}

function pictureAt(indices: ArrayLike<number>, position: number, count: number): number {
  const index = indices[position];
  if (index !== undefined && index >= 0 && index < count) return index;
  throw new LabError('internal', `Picture ${String(index)} was asked of a dataset store.`, {
    expected: `0 to ${count - 1}`,
    received: String(index),
  });
}

function readFully(descriptor: number, target: Uint8Array, offset: number, bytes: number, position: number): void {
  let done = 0;
  while (done < bytes) {
    // One read call moves at most 2 GiB.
    const received = readSync(descriptor, target, offset + done, Math.min(bytes - done, 2 ** 30), position + done);
    if (received === 0) {
      throw new LabError('dataset_changed', 'A dataset file became shorter while it was read.', {
        expected: `${position + bytes} bytes`,
        received: `${fstatSync(descriptor).size} bytes`,
        help: 'Remove the dataset and import it again.',
      });
    }
    done += received;
  }
}
