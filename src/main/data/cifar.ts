/**
 * Reader for CIFAR-10 in its two published forms: pickled batches of Python and binary records of 3073 bytes, as .tar.gz (read in
 * memory, never unpacked to disk) or as a folder. Owns the expected list of batches, their sizes, labels and the planar to packed
 * conversion. Pictures are 32x32 in colour.
 */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import { readCifarArchive, readCifarFile } from './cifarFiles.ts';
import { readPickle } from './pickle.ts';
import { describeValue, NumpyArray, PickleDict, type PickleValue, textOf } from './pickleValues.ts';
import { checkClassNames, type DatasetSource } from './reader.ts';
import type { PictureBlock, SourceFile } from './storeWriter.ts';

const SIDE = 32;
const PLANE = SIDE * SIDE;
const PICTURE = PLANE * 3;
const RECORD = PICTURE + 1;
const TRAIN_BATCHES = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5'];
const BATCHES = [...TRAIN_BATCHES, 'test_batch'];
const NAMES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const META = 'batches.meta';
/** MD5 of the two archives as published at https://www.cs.toronto.edu/~kriz/cifar.html. */
const OFFICIAL = new Map([
  ['c58f30108f718f92721af3b95e74349a', 'the official Python archive'],
  ['c32a1d4ab5d03f1284b67883e8d87530', 'the official binary archive'],
]);

interface Batch {
  readonly file: string;
  readonly labels: Uint8Array;
  /** Planar [n, 3, 32, 32] behind `stride` bytes per picture, beginning at `offset`. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly stride: number;
}

export interface CifarFiles {
  /** What lies in the archive or folder, by the names batches have there. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly place: string;
  readonly origin: string;
  readonly sources: readonly SourceFile[];
}

/** Reads an archive or folder completely; throws `bad_input` when batches are missing, damaged or not of CIFAR-10. */
export async function readCifar(path: string): Promise<DatasetSource> {
  const { files, place, origin, sources } = await collectFiles(path);
  const isBinary = files.has('data_batch_1.bin') || files.has('test_batch.bin');
  const suffix = isBinary ? '.bin' : '';
  const missing = BATCHES.filter((name) => !files.has(name + suffix));
  if (missing.length > 0) {
    const wanted = BATCHES.map((name) => name + suffix).join(', ');
    throw cifarError(place, 'does not hold all batches of CIFAR-10', wanted, `no ${missing.map((name) => name + suffix).join(', ')}`);
  }
  const classes = isBinary ? binaryNames(files.get(`${META}.txt`)) : pickledNames(files.get(META), `${place}: ${META}`);
  checkClassNames(classes, `${place}: ${META}`);
  const batches = BATCHES.map((name) => {
    const bytes = files.get(name + suffix) ?? Buffer.alloc(0);
    const file = `${place}: ${name}${suffix}`;
    return isBinary ? binaryBatch(bytes, file) : pickledBatch(bytes, file);
  });
  checkBatches(batches, classes.length);
  return {
    kind: 'cifar',
    classes,
    shape: [SIDE, SIDE, 3],
    origin,
    licence: null,
    total: batches.reduce((sum, batch) => sum + batch.labels.length, 0),
    blocks: () => packBatches(batches),
    sources: () => sources,
    rejected: () => [],
  };
}

async function collectFiles(path: string): Promise<CifarFiles> {
  const expected = new Set([...BATCHES, ...BATCHES.map((name) => `${name}.bin`), META, `${META}.txt`]);
  if (!(await stat(path)).isDirectory()) {
    const { files, sha256, md5 } = await readCifarArchive(path, expected);
    const official = OFFICIAL.get(md5);
    const origin = `CIFAR-10 archive ${basename(path)}${official === undefined ? '' : ` (${official}, MD5 ${md5})`}`;
    return { files, place: path, origin, sources: [{ file: basename(path), sha256 }] };
  }
  const files = new Map<string, Buffer>();
  const sources: SourceFile[] = [];
  for (const name of (await readdir(path)).filter((entry) => expected.has(entry)).sort()) {
    const bytes = await readCifarFile(join(path, name));
    files.set(name, bytes);
    sources.push({ file: name, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  return { files, place: path, origin: `CIFAR-10 folder ${basename(path)}`, sources };
}

function binaryNames(bytes: Buffer | undefined): string[] {
  const names = bytes
    ?.toString('utf8')
    .split('\n')
    .map((line) => line.trim());
  const filled = names?.filter((name) => name !== '') ?? [];
  return filled.length === 0 ? NAMES : filled;
}

function pickledNames(bytes: Buffer | undefined, place: string): string[] {
  if (bytes === undefined) return NAMES;
  const names = entryOf(readPickle(bytes, place), 'label_names', place);
  if (!Array.isArray(names)) throw cifarError(place, 'has no list of class names', 'a list "label_names"', 'something else');
  return names.map((name) => textOf(name, place));
}

function binaryBatch(bytes: Buffer, file: string): Batch {
  const count = bytes.length / RECORD;
  if (count === 0 || !Number.isInteger(count)) {
    throw cifarError(file, 'does not consist of whole records', `a multiple of ${RECORD} bytes`, `${bytes.length} bytes`);
  }
  const labels = Uint8Array.from({ length: count }, (_, index) => bytes.readUInt8(index * RECORD));
  return { file, labels, bytes, offset: 1, stride: RECORD };
}

function pickledBatch(bytes: Buffer, file: string): Batch {
  const batch = readPickle(bytes, file);
  const data = entryOf(batch, 'data', file);
  const list = entryOf(batch, 'labels', file);
  if (!(data instanceof NumpyArray) || data.data === null || data.shape.length !== 2 || data.shape[1] !== PICTURE || data.shape[0] === 0) {
    const received = data instanceof NumpyArray ? `[${data.shape.join(', ')}]` : 'no array';
    throw cifarError(file, 'has no array of pictures', `unsigned bytes [n, ${PICTURE}]`, received);
  }
  if (!Array.isArray(list) || list.length !== data.shape[0]) {
    throw cifarError(
      file,
      'has another number of labels than of pictures',
      `${String(data.shape[0])} labels`,
      Array.isArray(list) ? `${list.length} labels` : 'no list',
    );
  }
  const wrong = list.findIndex((label) => typeof label !== 'number' || !Number.isInteger(label) || label < 0 || label > 255);
  if (wrong >= 0)
    throw cifarError(
      file,
      'has a label out of range',
      'whole numbers from 0',
      `${describeValue(list[wrong] ?? null)} at position ${wrong}`,
    );
  return { file, labels: Uint8Array.from(list, Number), bytes: data.data, offset: 0, stride: PICTURE };
}

function entryOf(value: PickleValue, key: string, place: string): PickleValue {
  const entry = value instanceof PickleDict ? value.entries.get(key) : undefined;
  if (entry !== undefined) return entry;
  const keys = value instanceof PickleDict ? [...value.entries.keys()].join(', ') : 'no dictionary';
  throw cifarError(place, 'is not a batch of CIFAR-10', `a dictionary with "${key}"`, keys);
}

function checkBatches(batches: readonly Batch[], classCount: number): void {
  const first = batches[0];
  for (const batch of batches) {
    const wrong = batch.labels.findIndex((label) => label >= classCount);
    if (wrong >= 0) {
      throw cifarError(
        batch.file,
        'has a label out of range',
        `labels from 0 to ${classCount - 1}`,
        `label ${String(batch.labels[wrong])} at position ${wrong}`,
      );
    }
    if (first !== undefined && batch.labels.length !== first.labels.length) {
      throw cifarError(
        batch.file,
        `has another number of pictures than ${basename(first.file)}`,
        `${first.labels.length} pictures`,
        `${batch.labels.length} pictures`,
      );
    }
  }
}

function* packBatches(batches: readonly Batch[]): Generator<PictureBlock> {
  for (const [index, batch] of batches.entries()) {
    const pixels = new Uint8Array(batch.labels.length * PICTURE);
    for (let picture = 0; picture < batch.labels.length; picture++) {
      const source = batch.offset + picture * batch.stride;
      for (let place = 0; place < PLANE; place++) {
        for (let channel = 0; channel < 3; channel++) {
          pixels[picture * PICTURE + place * 3 + channel] = batch.bytes[source + channel * PLANE + place] ?? 0;
        }
      }
    }
    yield { part: index < TRAIN_BATCHES.length ? 'train' : 'test', labels: batch.labels, pixels };
  }
}

function cifarError(file: string, what: string, expected: string, received: string): LabError {
  return new LabError('bad_input', `${file} ${what}.`, {
    expected,
    received,
    help: 'Download cifar-10-python.tar.gz or cifar-10-binary.tar.gz again from https://www.cs.toronto.edu/~kriz/cifar.html.',
  });
}
