/**
 * Rows on the networks of transfer learning: the templates of documents 001 and 002 at the depths that people train, on pictures of the size
 * that the networks were made for. Those pictures are Fashion-MNIST enlarged and coloured: training time does not depend on what they show.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Phase, Recipe } from '../src/shared/contract/schema.ts';
import { expandLayers } from '../src/shared/domain/zoo/expand.ts';
import { createResampler } from '../src/main/data/resample.ts';
import { openStore } from '../src/main/data/store.ts';
import { writeStore, type PictureBlock, type PictureShape } from '../src/main/data/storeWriter.ts';

export interface ZooWork {
  readonly side: 32 | 224;
  readonly pictures: number;
  readonly batchSize: number;
  /** The last frozen layer; null trains everything. */
  readonly frozenUpTo: string | null;
}

/** The template's network from random weights, as one list of layers, with one phase that trains it as `work` says. */
export function simplify(recipe: Recipe, { side, batchSize, frozenUpTo }: ZooWork, classes: readonly string[]): Recipe {
  const [phase] = recipe.phases;
  if (phase === undefined) return recipe;
  const shape: Recipe['dataset']['shape'] = [side, side, 3];
  const split = { test: { type: 'ownTestSet' }, validation: { type: 'none' }, seed: 0, trainLimit: null } as const;
  const layers = expandLayers(recipe.network).map((layer) => ({ ...layer }));
  const last = layers.at(-1);
  if (last?.type === 'Dense') last.units = classes.length;
  const plain: Phase = {
    ...phase,
    augmentation: null,
    stepsPerEpoch: null,
    earlyStopping: null,
    keep: 'last',
    schedule: { type: 'constant', warmupSteps: 0 },
    trainable: frozenUpTo === null ? { type: 'all' } : { type: 'freezeUpTo', layer: frozenUpTo },
    batchSize,
    learningRateMultipliers: [],
  };
  return {
    ...recipe,
    dataset: { id: `pictures-${side}`, fallback: null, classes: [...classes], shape },
    input: { ...recipe.input, size: null, colorMode: null, scaling: 'unit' },
    splits: { document: split, sound: split },
    network: { base: null, layers },
    phases: [plain],
  };
}

/** Fills `folder` with the first training pictures of the store, enlarged to `side` in three colours; answers its classes. */
export async function enlargePictures(source: string, folder: string, { side, pictures }: ZooWork): Promise<string[]> {
  const store = openStore(source);
  try {
    const { classes, shape, licence } = store.manifest;
    if (existsSync(join(folder, 'dataset.json'))) return classes;
    const id = `pictures-${side}`;
    const to: PictureShape = [side, side, 3];
    const draft = { id, name: id, kind: 'idx', classes, shape: to, origin: store.manifest.name, licence, sources: () => [] } as const;
    const enlarge = createResampler([shape[0], shape[1], 1], [side, side, 1], 'bilinear');
    const labels = store.readLabels();
    const block = (part: PictureBlock['part'], first: number, count: number): PictureBlock => {
      const pixels = new Uint8Array(count * side * side * 3);
      const picture = new Uint8Array(store.pictureBytes);
      for (let row = 0; row < count; row += 1) {
        store.readPictures(Uint32Array.of(first + row), picture);
        const grey = enlarge(picture);
        for (const [position, level] of grey.entries())
          pixels.fill(level, (row * grey.length + position) * 3, (row * grey.length + position + 1) * 3);
      }
      return { part, labels: labels.subarray(first, first + count), pixels };
    };
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    await writeStore(partial, draft, [block('train', 0, pictures), block('test', store.manifest.trainCount, 64)]);
    renameSync(partial, folder);
    return classes;
  } finally {
    store.close();
  }
}
