/**
 * The dataset at the size and in the colours that a recipe asks for, computed once and kept as a store of its own in the cache folder.
 * Called by the trainer before it opens the data; nothing is left to do per step.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { InputPipeline } from '../../shared/contract/schema.ts';
import { convertChannels } from './channels.ts';
import { createResampler } from './resample.ts';
import { type DatasetStore, manifestFile, openStore } from './store.ts';
import { type PictureBlock, type PictureShape, type WriteOptions, writeStore } from './storeWriter.ts';

const BLOCK_BYTES = 4 * 2 ** 20;

export interface DeriveOptions extends WriteOptions {
  /** Folder of the dataset store. */
  readonly folder: string;
  readonly input: Pick<InputPipeline, 'size' | 'colorMode' | 'resize'>;
  readonly cacheFolder: string;
}

/** Answers the folder to open: the dataset's own when it fits already, otherwise a store in the cache, made now or found there. */
export async function deriveStore({ folder, input, cacheFolder, ...options }: DeriveOptions): Promise<string> {
  const store = openStore(folder);
  try {
    const from: PictureShape = store.manifest.shape;
    const channels = input.colorMode === null ? from[2] : input.colorMode === 'rgb' ? 3 : 1;
    const to: PictureShape = [input.size?.[0] ?? from[0], input.size?.[1] ?? from[1], channels];
    if (from.every((size, axis) => size === to[axis])) return folder;
    const target = join(cacheFolder, `${store.manifest.fingerprint.slice(0, 16)}-${to.join('x')}-${input.resize}`);
    if (!existsSync(join(target, manifestFile))) await writeDerived(store, to, input.resize, target, options);
    return target;
  } finally {
    store.close();
  }
}

async function writeDerived(
  store: DatasetStore,
  to: PictureShape,
  method: InputPipeline['resize'],
  target: string,
  options: WriteOptions,
): Promise<void> {
  const partial = `${target}.partial-${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    const { manifest } = store;
    const draft = { ...manifest, shape: to, sources: () => manifest.sources };
    await writeStore(partial, draft, derivedBlocks(store, to, method), options);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

function* derivedBlocks(store: DatasetStore, to: PictureShape, method: InputPipeline['resize']): Generator<PictureBlock> {
  const { trainCount, testCount, shape } = store.manifest;
  const labels = store.readLabels();
  const resample = createResampler([shape[0], shape[1], to[2]], to, method);
  const targetBytes = to[0] * to[1] * to[2];
  const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / Math.max(store.pictureBytes, targetBytes)));
  const parts = [
    { part: 'train', first: 0, end: trainCount },
    { part: 'test', first: trainCount, end: trainCount + testCount },
  ] as const;
  for (const { part, first, end } of parts) {
    for (let start = first; start < end; start += perBlock) {
      const indices = Uint32Array.from({ length: Math.min(perBlock, end - start) }, (_, index) => start + index);
      const source = new Uint8Array(indices.length * store.pictureBytes);
      store.readPictures(indices, source);
      const pixels = new Uint8Array(indices.length * targetBytes);
      for (let row = 0; row < indices.length; row++) {
        const picture = source.subarray(row * store.pictureBytes, (row + 1) * store.pictureBytes);
        // Colours first, then size, as Keras' load_img does.
        pixels.set(resample(convertChannels(picture, shape[2], to[2])), row * targetBytes);
      }
      yield { part, labels: labels.subarray(start, start + indices.length), pixels };
    }
  }
}
