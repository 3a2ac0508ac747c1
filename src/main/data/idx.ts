/**
 * Reader for IDX (the format of MNIST): big-endian magic 2051 for pictures [count, height, width], 2049 for labels [count], plain or
 * gzip. Owns pairing of files, header arithmetic before any allocation, and label range. Pictures have one channel.
 */
import { basename } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { DatasetSource } from './reader.ts';
import { type ByteStream, openBytes } from './sourceFile.ts';
import type { PictureBlock, SourceFile } from './storeWriter.ts';

const PICTURES_MAGIC = 2051;
const LABELS_MAGIC = 2049;
const LARGEST_COUNT = 20_000_000;
const LARGEST_SIDE = 4096;
const LARGEST_BYTES = 2 ** 36;
/** Real picture files reach about 4:1; small test files may be constant. */
const LARGEST_GZIP_RATIO = 200;
const RATIO_EXEMPT_BYTES = 2 ** 20;
const BLOCK_BYTES = 2 ** 20;

export interface IdxPair {
  readonly part: 'train' | 'test';
  readonly pictures: string;
  readonly labels: string;
}

export interface IdxOptions {
  /** Known class names; without them the labels must be 0 to n - 1 without a gap and name themselves. */
  readonly classes?: readonly string[];
  readonly origin?: string;
  readonly licence?: string | null;
}

interface PicturesHeader {
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

/** Checks headers and reads all labels of the pairs (train first); pictures follow as blocks. Throws `bad_input`. */
export async function readIdx(pairs: readonly IdxPair[], options: IdxOptions = {}): Promise<DatasetSource> {
  const sources: SourceFile[] = [];
  const parts: { pair: IdxPair; header: PicturesHeader; labels: Uint8Array }[] = [];
  for (const pair of pairs) {
    const header = await readPicturesHeader(pair.pictures);
    const labels = await readIdxLabels(pair.labels, sources);
    if (header.count !== labels.length) throw countMismatch(pair, header.count, labels.length);
    parts.push({ pair, header, labels });
  }
  const first = parts[0];
  if (first === undefined) throw new LabError('internal', 'The IDX reader was given no files.');
  for (const part of parts) checkSameSize(first, part);
  const classes = options.classes ?? classesOf(first.labels, first.pair.labels);
  for (const part of parts) checkRange(part.labels, classes.length, part.pair.labels);
  const files = pairs.flatMap((pair) => [basename(pair.pictures), basename(pair.labels)]);
  return {
    kind: 'idx',
    classes,
    shape: [first.header.height, first.header.width, 1],
    origin: options.origin ?? `IDX files ${files.join(', ')}`,
    licence: options.licence ?? null,
    total: parts.reduce((sum, part) => sum + part.labels.length, 0),
    async *blocks() {
      for (const part of parts) yield* readBlocks(part.pair, part.header, part.labels, sources);
    },
    sources: () => sources,
    rejected: () => [],
  };
}

/** Tells pictures from labels by the magic number and train from test by the name; throws `bad_input` when pairs do not come out. */
export async function pairIdxFiles(paths: readonly string[]): Promise<IdxPair[]> {
  const pictures: string[] = [];
  const labels: string[] = [];
  for (const path of paths) {
    const stream = await openBytes(path);
    try {
      const magic = (await stream.read(4, 'its magic number')).readUInt32BE(0);
      if (magic !== PICTURES_MAGIC && magic !== LABELS_MAGIC)
        throw wrongMagic(path, `${PICTURES_MAGIC} (pictures) or ${LABELS_MAGIC} (labels)`, magic);
      (magic === PICTURES_MAGIC ? pictures : labels).push(path);
    } finally {
      await stream.close();
    }
  }
  const [onlyPictures, ...otherPictures] = pictures;
  const [onlyLabels, ...otherLabels] = labels;
  if (onlyPictures !== undefined && onlyLabels !== undefined && otherPictures.length === 0 && otherLabels.length === 0) {
    return [{ part: 'train', pictures: onlyPictures, labels: onlyLabels }];
  }
  const train = pairOf('train', pictures, labels);
  const test = pairOf('test', pictures, labels);
  if (train === null || test === null || pictures.length !== 2 || labels.length !== 2) throw noPairs(paths, pictures.length, labels.length);
  return [train, test];
}

function pairOf(part: IdxPair['part'], pictures: readonly string[], labels: readonly string[]): IdxPair | null {
  const pattern = part === 'train' ? /train/i : /t10k|test/i;
  const ofPart = (path: string): boolean => pattern.test(basename(path));
  const [picturesFile, labelsFile] = [pictures.find(ofPart), labels.find(ofPart)];
  return picturesFile === undefined || labelsFile === undefined ? null : { part, pictures: picturesFile, labels: labelsFile };
}

async function readPicturesHeader(path: string): Promise<PicturesHeader> {
  const stream = await openBytes(path);
  try {
    return await parsePicturesHeader(stream);
  } finally {
    await stream.close();
  }
}

async function parsePicturesHeader(stream: ByteStream): Promise<PicturesHeader> {
  const head = await stream.read(16, 'its header of 16 bytes');
  const magic = head.readUInt32BE(0);
  if (magic !== PICTURES_MAGIC) throw wrongMagic(stream.path, `${PICTURES_MAGIC} (pictures)`, magic);
  const [count, height, width] = [head.readUInt32BE(4), head.readUInt32BE(8), head.readUInt32BE(12)];
  const isSane = count > 0 && height > 0 && width > 0 && count <= LARGEST_COUNT && height <= LARGEST_SIDE && width <= LARGEST_SIDE;
  // Three numbers of 32 bits stay exact below 2^53 only because each was limited first.
  if (!isSane || count * height * width > LARGEST_BYTES) {
    throw new LabError('bad_input', `The header of ${stream.path} asks for an impossible amount of pictures.`, {
      expected: `1 to ${LARGEST_COUNT} pictures with sides of 1 to ${LARGEST_SIDE}, at most ${LARGEST_BYTES} bytes together`,
      received: `${count} pictures of ${height}x${width}`,
      help: 'The file is damaged or is not an IDX file: download or copy it again.',
    });
  }
  checkCompression(stream, 16 + count * height * width);
  return { count, height, width };
}

/** A header that promises more than compression delivers is refused before the pictures are read. */
function checkCompression(stream: ByteStream, contentBytes: number): void {
  const allowed = stream.isGzip ? Math.max(RATIO_EXEMPT_BYTES, stream.sizeBytes * LARGEST_GZIP_RATIO) : stream.sizeBytes;
  if (contentBytes <= allowed) return;
  throw new LabError('bad_input', `${stream.path} cannot hold what its header says.`, {
    expected: `${contentBytes} bytes by its header`,
    received: stream.isGzip
      ? `${stream.sizeBytes} compressed bytes, accepted for at most ${allowed} bytes (${LARGEST_GZIP_RATIO}:1)`
      : `${stream.sizeBytes} bytes`,
    help: 'The file is truncated, damaged or made to fill the disk: download or copy it again.',
  });
}

async function readIdxLabels(path: string, sources: SourceFile[]): Promise<Uint8Array> {
  const stream = await openBytes(path);
  try {
    const head = await stream.read(8, 'its header of 8 bytes');
    const magic = head.readUInt32BE(0);
    if (magic !== LABELS_MAGIC) throw wrongMagic(path, `${LABELS_MAGIC} (labels)`, magic);
    const count = head.readUInt32BE(4);
    if (count === 0 || count > LARGEST_COUNT) {
      throw new LabError('bad_input', `The header of ${path} asks for an impossible amount of labels.`, {
        expected: `1 to ${LARGEST_COUNT} labels`,
        received: String(count),
        help: 'The file is damaged or is not an IDX file: download or copy it again.',
      });
    }
    const labels = await stream.read(count, `its ${count} labels`);
    const sha256 = await stream.finish(8 + count);
    sources.push({ file: basename(path), sha256 });
    return labels;
  } finally {
    await stream.close();
  }
}

async function* readBlocks(pair: IdxPair, header: PicturesHeader, labels: Uint8Array, sources: SourceFile[]): AsyncGenerator<PictureBlock> {
  const pictureBytes = header.height * header.width;
  const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / pictureBytes));
  const stream = await openBytes(pair.pictures);
  try {
    await stream.read(16, 'its header of 16 bytes');
    for (let first = 0; first < header.count; first += perBlock) {
      const blockLabels = labels.subarray(first, first + perBlock);
      const what = `picture ${first} to ${first + blockLabels.length - 1} of ${header.count}`;
      yield { part: pair.part, labels: blockLabels, pixels: await stream.read(blockLabels.length * pictureBytes, what) };
    }
    const sha256 = await stream.finish(16 + header.count * pictureBytes);
    sources.push({ file: basename(pair.pictures), sha256 });
  } finally {
    await stream.close();
  }
}

function classesOf(labels: Uint8Array, path: string): string[] {
  const present = new Set(labels);
  const missing = Array.from({ length: present.size }, (_, label) => label).find((label) => !present.has(label));
  if (missing !== undefined) {
    const index = labels.findIndex((label) => label > missing);
    throw new LabError('bad_input', `${path} has a label out of range, or a class without pictures.`, {
      expected: `labels from 0 to ${present.size - 1}, as ${present.size} different labels occur`,
      received: `label ${String(labels[index])} at position ${index} while no picture has label ${missing}`,
      help: 'Check that the labels file belongs to these pictures.',
    });
  }
  return Array.from({ length: present.size }, (_, label) => String(label));
}

function checkRange(labels: Uint8Array, classCount: number, path: string): void {
  const index = labels.findIndex((label) => label >= classCount);
  if (index < 0) return;
  throw new LabError('bad_input', `${path} has a label out of range.`, {
    expected: `labels from 0 to ${classCount - 1}`,
    received: `label ${String(labels[index])} at position ${index}`,
    help: 'Check that the labels file belongs to these pictures.',
  });
}

function checkSameSize(first: { pair: IdxPair; header: PicturesHeader }, other: { pair: IdxPair; header: PicturesHeader }): void {
  if (first.header.height === other.header.height && first.header.width === other.header.width) return;
  throw new LabError('bad_input', `${other.pair.pictures} has pictures of another size than ${first.pair.pictures}.`, {
    expected: `${first.header.height}x${first.header.width}`,
    received: `${other.header.height}x${other.header.width}`,
    help: 'Give the files of one dataset.',
  });
}

function countMismatch(pair: IdxPair, pictures: number, labels: number): LabError {
  return new LabError('bad_input', `${pair.pictures} and ${pair.labels} do not belong together.`, {
    expected: `${pictures} labels, as there are ${pictures} pictures`,
    received: `${labels} labels`,
    help: 'Give the labels file that belongs to these pictures.',
  });
}

function wrongMagic(path: string, expected: string, received: number): LabError {
  return new LabError('bad_input', `${path} is not the IDX file it should be: wrong magic number.`, {
    expected: `magic number ${expected}`,
    received: `${received} (0x${received.toString(16).padStart(8, '0')})`,
    help: 'Give the original files, plain or compressed with gzip.',
  });
}

function noPairs(paths: readonly string[], pictures: number, labels: number): LabError {
  return new LabError('bad_input', `The IDX files ${paths.join(', ')} do not form a dataset.`, {
    expected: 'one file of pictures and one of labels, or two of each with "train" and "t10k" or "test" in their names',
    received: `${pictures} of pictures and ${labels} of labels`,
    help: 'Give the folder with the four files, the four files or two of them.',
  });
}
