/**
 * Writes a dataset store from blocks of decoded pictures, in one pass and with memory for one block.
 *
 * Owns order (train before test), counts, label range, the empty-class and one-class rules, fingerprint and durability. A write
 * that fails removes what it wrote. It does not decode and does not choose the folder: the caller renames a finished folder.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import { type DatasetId, datasetIdSchema } from '../../shared/contract/schema.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import { imagesFile, labelsFile, manifestFile } from './store.ts';

/** Decoded pictures of one part; `pixels` holds labels.length pictures packed as in the store and may be reused after the write. */
export interface PictureBlock {
  readonly part: 'train' | 'test';
  readonly labels: ArrayLike<number>;
  readonly pixels: Uint8Array;
}

export type PictureShape = readonly [number, number, 1 | 3];

export interface SourceFile {
  readonly file: string;
  readonly sha256: string;
}

export interface ManifestDraft {
  readonly id: string;
  readonly name: string;
  readonly kind: DatasetManifest['kind'];
  readonly classes: readonly string[];
  readonly shape: PictureShape;
  readonly origin: string;
  readonly licence: string | null;
  /** Asked after the last block, when every source has been read. */
  readonly sources: () => readonly SourceFile[];
}

export interface WriteOptions {
  readonly signal?: AbortSignal;
  /** Called after each block with the number of pictures written so far. */
  readonly onProgress?: (done: number) => void;
}

type Blocks = AsyncIterable<PictureBlock> | Iterable<PictureBlock>;

/** Fills `folder` (created when missing) with a complete, synced store and answers its manifest; on failure the three files are gone. */
export async function writeStore(
  folder: string,
  draft: ManifestDraft,
  blocks: Blocks,
  options: WriteOptions = {},
): Promise<DatasetManifest> {
  await mkdir(folder, { recursive: true });
  const id = checkId(draft.id);
  try {
    const images = await open(join(folder, imagesFile), 'w');
    let tally: Tally;
    try {
      tally = await writeBlocks(images, draft, blocks, options);
      await images.sync();
    } finally {
      await images.close();
    }
    checkClasses(draft, tally);
    const manifest = await writeLabelsAndManifest(folder, { ...draft, id }, tally);
    await syncFolder(folder);
    return manifest;
  } catch (error) {
    for (const name of [imagesFile, labelsFile, manifestFile]) await rm(join(folder, name), { force: true });
    throw asDiskError(error, folder);
  }
}

interface Tally {
  readonly counts: [number, number][];
  readonly labels: Buffer[];
  readonly pictures: Hash;
  trainCount: number;
  testCount: number;
}

async function writeBlocks(images: FileHandle, draft: ManifestDraft, blocks: Blocks, options: WriteOptions): Promise<Tally> {
  const tally: Tally = {
    counts: draft.classes.map(() => [0, 0]),
    labels: [],
    pictures: createHash('sha256'),
    trainCount: 0,
    testCount: 0,
  };
  for await (const block of blocks) {
    options.signal?.throwIfAborted();
    tallyBlock(tally, draft, block);
    tally.pictures.update(block.pixels);
    await writeFully(images, block.pixels);
    options.onProgress?.(tally.trainCount + tally.testCount);
  }
  options.signal?.throwIfAborted();
  return tally;
}

function tallyBlock(tally: Tally, draft: ManifestDraft, block: PictureBlock): void {
  const pictureBytes = draft.shape[0] * draft.shape[1] * draft.shape[2];
  if (block.pixels.length !== block.labels.length * pictureBytes) {
    throw new LabError('internal', `A reader gave ${block.labels.length} labels with ${block.pixels.length} bytes of pictures.`);
  }
  if (block.part === 'train' && tally.testCount > 0) throw new LabError('internal', 'A reader gave training pictures after test pictures.');
  const bytes = Buffer.alloc(block.labels.length * 2);
  for (let index = 0; index < block.labels.length; index++) {
    const label = block.labels[index] ?? -1;
    const count = tally.counts[label];
    if (count === undefined) throw new LabError('internal', `A reader gave label ${label} for ${draft.classes.length} classes.`);
    count[block.part === 'train' ? 0 : 1]++;
    bytes.writeUInt16LE(label, index * 2);
  }
  tally.labels.push(bytes);
  if (block.part === 'train') tally.trainCount += block.labels.length;
  else tally.testCount += block.labels.length;
}

function checkClasses(draft: ManifestDraft, tally: Tally): void {
  const total = tally.trainCount + tally.testCount;
  const empty = draft.classes.filter((_, index) => tally.counts[index]?.[0] === 0);
  if (total > 0 && draft.classes.length >= 2 && empty.length === 0) return;
  const filled = draft.classes.filter((name) => !empty.includes(name));
  const message =
    total === 0
      ? `${draft.origin} holds no usable picture.`
      : filled.length < 2
        ? `${draft.origin} holds training pictures of one class only.`
        : `${draft.origin} has classes without training pictures.`;
  throw new LabError('bad_input', message, {
    expected: 'at least two classes, each with at least one training picture',
    received:
      total === 0
        ? 'no picture'
        : filled.length < 2
          ? `only ${quote(filled)}`
          : `no training picture of ${quote(empty.slice(0, 10))} among ${total} pictures`,
    help: 'Add pictures for the missing classes or remove their names, then import again.',
  });
}

function quote(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(', ');
}

async function writeLabelsAndManifest(folder: string, draft: ManifestDraft & { id: DatasetId }, tally: Tally): Promise<DatasetManifest> {
  const labels = Buffer.concat(tally.labels);
  const { trainCount, testCount } = tally;
  const parts = { shape: draft.shape, classes: draft.classes, trainCount, testCount };
  const labelsSha256 = createHash('sha256').update(labels).digest('hex');
  const [height, width, channels] = draft.shape;
  const manifest: DatasetManifest = {
    version: 1,
    id: draft.id,
    name: draft.name,
    kind: draft.kind,
    classes: [...draft.classes],
    trainCount,
    testCount,
    classCounts: tally.counts,
    shape: [height, width, channels],
    fingerprint: fingerprintOf(parts, tally.pictures.digest('hex'), labelsSha256),
    origin: draft.origin,
    sources: draft.sources().map((source) => ({ ...source })),
    licence: draft.licence,
    bytes: labels.length + (trainCount + testCount) * height * width * channels,
    createdAt: new Date().toISOString(),
  };
  await writeSynced(join(folder, labelsFile), labels);
  // Written last: a folder without it is not a dataset.
  await writeSynced(join(folder, manifestFile), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  return manifest;
}

function checkId(id: string): DatasetId {
  const parsed = datasetIdSchema.safeParse(id);
  if (parsed.success) return parsed.data;
  throw new LabError('bad_input', `${JSON.stringify(id)} cannot be the id of a dataset.`, {
    expected: 'lower-case letters, digits and "-", at most 64',
    received: id,
    help: 'Choose another name.',
  });
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  try {
    await writeFully(file, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; there the rename by the core is the commit point.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function asDiskError(error: unknown, folder: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LabError('disk_full', `The disk became full while ${folder} was written.`, {
      expected: 'room for the packed pictures',
      received: 'no space left',
      help: 'Free space or choose a workspace on another disk, then import again.',
      cause: error,
    });
  }
  return error;
}
