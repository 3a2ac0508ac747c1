/**
 * Decodes a list of picture files with labels: what class folders and CSV manifests have in common.
 *
 * Two passes: the first reads headers and settles size and colours, the second decodes in several lanes but in order. A file that
 * cannot be used is listed with its reason; when too many cannot, the dataset is refused. Which files and labels is the caller's part.
 */
import { createHash } from 'node:crypto';
import { LabError } from '../../shared/contract/errors.ts';
import { decodePicture, LARGEST_FILE_BYTES, readPictureSize } from './images.ts';
import { mapInOrder } from './lanes.ts';
import type { Rejection } from './reader.ts';
import { openRegular } from './sourceFile.ts';
import type { PictureBlock, PictureShape } from './storeWriter.ts';

const LANES = 4;
const LARGEST_REJECTED_SHARE = 0.25;

export interface PictureFile {
  readonly path: string;
  /** Relative to the dataset's root, for people. */
  readonly name: string;
  readonly label: number;
  readonly part: 'train' | 'test';
}

export interface InspectedPictures {
  readonly shape: PictureShape;
  readonly files: readonly PictureFile[];
  readonly rejected: Rejection[];
}

/** Reads all headers; `size` makes square pictures, null demands that all sizes agree. Throws `bad_input` naming `place`. */
export async function inspectPictures(
  files: readonly PictureFile[],
  size: number | null,
  place: string,
  signal?: AbortSignal,
): Promise<InspectedPictures> {
  const rejected: Rejection[] = [];
  const accepted: PictureFile[] = [];
  let first: { file: PictureFile; height: number; width: number } | null = null;
  let isGray = true;
  const inspected = mapInOrder(files, LANES, async (file) => ({ file, size: await attempt(file, readPictureSize, rejected) }));
  for await (const { file, size: found } of inspected) {
    signal?.throwIfAborted();
    if (found === null) continue;
    accepted.push(file);
    isGray &&= found.isGray;
    first ??= { file, height: found.height, width: found.width };
    if (size === null && (first.height !== found.height || first.width !== found.width))
      throw sizesDiffer(place, first, { file, ...found });
  }
  checkRejections(place, rejected, files.length);
  if (first === null) throw noPictures(place, files.length);
  return { shape: [size ?? first.height, size ?? first.width, isGray ? 1 : 3], files: accepted, rejected };
}

/** Decodes the files in their order; files that fail now join `rejected`. `hash` collects the SHA-256 of each used file and its name. */
export async function* decodePictures(
  inspected: InspectedPictures,
  place: string,
  total: number,
  digest: PictureDigest,
): AsyncGenerator<PictureBlock> {
  const decoded = mapInOrder(inspected.files, LANES, async (file) => {
    const pixels = await attempt(file, (bytes) => decodeAndHash(bytes, inspected.shape), inspected.rejected);
    return { file, pixels };
  });
  for await (const { file, pixels } of decoded) {
    if (pixels === null) {
      checkRejections(place, inspected.rejected, total);
      continue;
    }
    digest.add(file.name, pixels.sha256);
    yield { part: file.part, labels: [file.label], pixels: pixels.pixels };
  }
}

/** SHA-256 over one line "<sha256 of the file>  <name>" per used picture, in store order: what `sha256sum` prints. */
export class PictureDigest {
  readonly #hash = createHash('sha256');

  add(name: string, sha256: string): void {
    this.#hash.update(`${sha256}  ${name}\n`);
  }

  finish(): string {
    return this.#hash.copy().digest('hex');
  }
}

async function decodeAndHash(bytes: Buffer, shape: PictureShape): Promise<{ pixels: Uint8Array; sha256: string }> {
  return { pixels: await decodePicture(bytes, shape), sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function attempt<Result>(file: PictureFile, use: (bytes: Buffer) => Promise<Result>, rejected: Rejection[]): Promise<Result | null> {
  try {
    return await use(await readPictureFile(file.path));
  } catch (error) {
    if (!(error instanceof LabError) || error.code !== 'bad_input') throw error;
    const reason = `${error.message} Expected ${error.expected ?? 'a picture'}; received ${error.received ?? 'something else'}.`;
    rejected.push({ file: file.name, reason });
    return null;
  }
}

/** Throws `bad_input` for anything but a regular file of a size that pictures have. */
export async function readPictureFile(path: string): Promise<Buffer> {
  const handle = await openRegular(path);
  try {
    const { size } = await handle.stat();
    if (size > LARGEST_FILE_BYTES) {
      throw new LabError('bad_input', 'It is too large for a picture file.', {
        expected: `at most ${LARGEST_FILE_BYTES} bytes`,
        received: `${size} bytes`,
        help: 'Make the picture smaller.',
      });
    }
    const bytes = await handle.readFile();
    if (bytes.length === size) return bytes;
    throw new LabError('bad_input', 'It changed while it was read.', {
      expected: `${size} bytes`,
      received: `${bytes.length} bytes`,
      help: 'Import it again when nothing writes to it.',
    });
  } finally {
    await handle.close();
  }
}

function checkRejections(place: string, rejected: readonly Rejection[], total: number): void {
  if (rejected.length <= Math.max(1, total * LARGEST_REJECTED_SHARE)) return;
  const shown = rejected.slice(0, 3).map(({ file, reason }) => `${file}: ${reason}`);
  throw new LabError('bad_input', `${place} has too many files that cannot be used: ${shown.join(' ')}`, {
    expected: `at most ${LARGEST_REJECTED_SHARE * 100} % of ${total} files`,
    received: `${rejected.length} files`,
    help: 'Check that this is the right folder, and remove or convert these files.',
  });
}

function noPictures(place: string, total: number): LabError {
  return new LabError('bad_input', `${place} holds no usable picture.`, {
    expected: 'PNG, JPEG, WebP, GIF or BMP files',
    received: `${total} other files`,
    help: 'Give a folder with one sub-folder of pictures per class.',
  });
}

interface SizedFile {
  readonly file: PictureFile;
  readonly height: number;
  readonly width: number;
}

function sizesDiffer(place: string, first: SizedFile, other: SizedFile): LabError {
  return new LabError('bad_input', `${place} has pictures of different sizes.`, {
    expected: `${first.height}x${first.width} as in ${first.file.name}`,
    received: `${other.height}x${other.width} in ${other.file.name}`,
    help: 'Import with a size, for example 224 (--size 224 on the command line): all pictures are then resized to it.',
  });
}
