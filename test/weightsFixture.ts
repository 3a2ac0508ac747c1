// What scripts/fixtures/weights.py wrote: weights files in Keras's layouts, their values, and a network as Keras describes it.
import { join } from 'node:path';
import { z } from 'zod';
import { layerSchema } from '../src/shared/contract/layers.ts';
import { importWeights } from '../src/main/converter/importWeights.ts';
import { openFixture, placeSchema } from './kerasFixture.ts';
import { makeFolder } from './lab.ts';

const described = z.strictObject({ class_name: z.string(), config: z.looseObject({ name: z.string() }) });

const fixture = openFixture('weights', 'weights', {
  alpha: z.number(),
  side: z.int(),
  weights: z.record(z.string(), placeSchema),
  predictions: z.strictObject({ input: placeSchema, output: placeSchema }),
  model: z.strictObject({ inputShape: z.array(z.int()), layers: z.array(layerSchema), keras: z.array(described) }),
});

export const { alpha, side, model } = fixture.index;

/** The values of a weight as Keras holds them. */
export function valuesOf(path: string) {
  const place = fixture.index.weights[path];
  if (place === undefined) throw new Error(`Keras has no ${path}.`);
  return fixture.read(place);
}

export const weightPaths = Object.keys(fixture.index.weights);

/** Pixels 0..255 and what the base without top makes of them. */
export function readPredictions() {
  const { input, output } = fixture.index.predictions;
  return { pixels: Uint8Array.from(fixture.read(input).data), output: fixture.read(output) };
}

/** The path of a weights file in one of the layouts. */
export function weightsFile(name: string): string {
  return join(import.meta.dirname, 'fixtures/weights', name);
}

export async function importFile(path: string, network: 'MobileNet' | 'VGG16' = 'MobileNet', width = alpha) {
  const targetFolder = makeFolder();
  const report = await importWeights({ type: 'importWeights', path, network, alpha: width, targetFolder });
  return { report, file: join(targetFolder, 'weights.safetensors') };
}
