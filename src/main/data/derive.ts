/**
 * The dataset at the size and in the colours that a recipe asks for, computed once and kept as a store of its own in the cache folder.
 * Called by the trainer before it opens the data; nothing is left to do per step.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { InputPipeline } from '../../shared/contract/schema.ts';
import { createPictureForm, type PictureForm } from './pictureForm.ts';
import { type DatasetStore, manifestFile, openStore } from './store.ts';
import { type PictureBlock, type WriteOptions, writeStore } from './storeWriter.ts';

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
    const form = createPictureForm(store.manifest.shape, input);
    if (!form.isChanged) return folder;
    const target = join(cacheFolder, `${store.manifest.fingerprint.slice(0, 16)}-${form.shape.join('x')}-${input.resize}`);
    if (!existsSync(join(target, manifestFile))) await writeDerived(store, form, target, options);
    return target;
  } finally {
    store.close();
  }
}

async function writeDerived(store: DatasetStore, form: PictureForm, target: string, options: WriteOptions): Promise<void> {
  const partial = `${target}.partial-${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    const { manifest } = store;
    const draft = { ...manifest, shape: form.shape, sources: () => manifest.sources };
    await writeStore(partial, draft, derivedBlocks(store, form), options);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

function* derivedBlocks(store: DatasetStore, { shape: to, convert }: PictureForm): Generator<PictureBlock> {
  const { trainCount, testCount } = store.manifest;
  const labels = store.readLabels();
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
        pixels.set(convert(picture), row * targetBytes);
      }
      yield { part, labels: labels.subarray(start, start + indices.length), pixels };
    }
  }
}
