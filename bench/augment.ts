/**
 * Pictures per second of our augmentation and of Keras ImageDataGenerator, all of document 001's transforms on 32x32x3 and 224x224x3, one
 * thread each, and the milliseconds of a warm preview.
 *
 * Runs alternate and each side's figure is the median. Ours reads packed pictures in a shuffled order and includes drawing and batch
 * assembly, as Keras's iterator does. Run alone: node bench/augment.ts --python PATH
 */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { createAugmenter } from '../src/main/data/augment.ts';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { benchPreview, type PreviewBenchResult } from './augmentPreview.ts';
import { median } from './statistics.ts';

export interface AugmentationBenchOptions {
  /** A Python with keras, tensorflow and scipy (bench/requirements.txt). */
  readonly python: string;
  readonly repeats?: number;
  readonly batchSize?: number;
  readonly onProgress?: (line: string) => void;
}

/** Both sides on pictures of one size. */
export interface SideBySide {
  /** Height and width in pixels. */
  readonly side: number;
  /** Pictures per second, one entry per run. */
  readonly ours: readonly number[];
  readonly keras: readonly number[];
  readonly oursMedian: number;
  readonly kerasMedian: number;
  /** Median of ours over median of Keras, and the ratios of neighbouring runs. */
  readonly ratio: number;
  readonly ratios: readonly number[];
}

/** The figures at 32x32x3 and beside them those of large pictures and of the preview. */
export interface AugmentationBenchResult extends SideBySide {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly large: SideBySide;
  readonly preview: PreviewBenchResult;
}

interface Load {
  readonly side: number;
  readonly batchSize: number;
  readonly stored: number;
  readonly ourPictures: number;
  readonly kerasPictures: number;
}

const small = { side: 32, stored: 10_000, ourPictures: 40_000, kerasPictures: 4_000 };
const large = { side: 224, stored: 256, ourPictures: 1_024, kerasPictures: 192 };
const largeBatch = 32;
const measurementSchema = z.object({ seconds: z.number().positive(), pictures: z.int().positive() });

/** Rejects when Python cannot be started or lacks a package; ends the child in every case. */
export async function benchAugmentation(options: AugmentationBenchOptions): Promise<AugmentationBenchResult> {
  const { repeats = 3, batchSize = 128, onProgress = () => undefined } = options;
  const child = spawn(options.python, [join(import.meta.dirname, 'augment_keras.py')], { stdio: ['pipe', 'pipe', 'ignore'] });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done === true) throw new Error(`${options.python} ended early: expected keras, tensorflow and scipy in it.`);
    return JSON.parse(line.value);
  };
  const measureKeras = async (load: Load): Promise<number> => {
    child.stdin.write(`${JSON.stringify({ pictures: load.kerasPictures, batchSize: load.batchSize, side: load.side })}\n`);
    const { seconds, pictures } = measurementSchema.parse(await answer());
    return pictures / seconds;
  };
  try {
    const versions = { node: process.versions.node, ...z.record(z.string(), z.string()).parse(await answer()) };
    const figures = await compare({ ...small, batchSize }, repeats, measureKeras, onProgress);
    const largeFigures = await compare({ ...large, batchSize: largeBatch }, repeats, measureKeras, onProgress);
    const preview = await benchPreview();
    onProgress(`preview of ${preview.pictures} pictures: median ${preview.milliseconds.median.toFixed(0)} ms`);
    const machine = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} CPUs`;
    return { machine, versions, ...figures, large: largeFigures, preview };
  } finally {
    child.stdin.end();
    child.kill();
  }
}

async function compare(
  load: Load,
  repeats: number,
  measureKeras: (load: Load) => Promise<number>,
  onProgress: (line: string) => void,
): Promise<SideBySide> {
  const ours: number[] = [];
  const keras: number[] = [];
  measureOurs(load);
  for (let run = 0; run < repeats; run++) {
    ours.push(measureOurs(load));
    keras.push(await measureKeras(load));
    onProgress(`${load.side}x${load.side} run ${run + 1}: ours ${format(ours[run])}, Keras ${format(keras[run])} pictures/s`);
  }
  const ratios = ours.map((value, run) => value / (keras[run] ?? Number.NaN));
  const [oursMedian, kerasMedian] = [median(ours), median(keras)];
  return { side: load.side, ours, keras, oursMedian, kerasMedian, ratio: oursMedian / kerasMedian, ratios };
}

function measureOurs({ side, batchSize, stored, ourPictures }: Load): number {
  const shape = [side, side, 3] as const;
  const size = side * side * 3;
  const stream = createStream(1, 'bench');
  const pictures = Uint8Array.from({ length: stored * size }, () => stream.word() & 255);
  const augmentation = augmentationSchema.parse({
    zoomRange: 0.25,
    heightShiftRange: 0.25,
    rotationRange: 45,
    shearRange: 0.25,
    widthShiftRange: 0.3,
    horizontalFlip: true,
  });
  const augment = createAugmenter({ augmentation, shape, batchSize, seed: 1, phase: 0 });
  const order = stream.permutation(stored);
  const input = new Uint8Array(batchSize * size);
  const labels = new Int32Array(batchSize);
  let done = 0;
  const start = performance.now();
  for (let epoch = 0; done < ourPictures; epoch++) {
    for (let first = 0; first + batchSize <= stored; first += batchSize) {
      const samples = order.subarray(first, first + batchSize);
      samples.forEach((sample, row) => {
        input.set(pictures.subarray(sample * size, (sample + 1) * size), row * size);
      });
      augment({ count: batchSize, input, labels, samples }, epoch, first / batchSize);
      done += batchSize;
    }
  }
  return (1000 * done) / (performance.now() - start);
}

function format(value: number | undefined): string {
  return Math.round(value ?? Number.NaN).toLocaleString('en');
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' }, repeats: { type: 'string', default: '3' } } });
  const onProgress = (line: string): boolean => process.stdout.write(`${line}\n`);
  const result = await benchAugmentation({
    python: values.python,
    repeats: Number(values.repeats),
    onProgress: (line) => void onProgress(line),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  for (const { side, oursMedian, kerasMedian, ratio } of [result, result.large])
    process.stdout.write(`${side}x${side} median: ours ${format(oursMedian)}, Keras ${format(kerasMedian)}, ratio ${ratio.toFixed(1)}\n`);
}
