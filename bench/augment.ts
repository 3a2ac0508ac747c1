/**
 * Pictures per second of our augmentation and of Keras ImageDataGenerator, all of document 001's transforms on 32x32x3, one thread each.
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

export interface AugmentationBenchOptions {
  /** A Python with keras, tensorflow and scipy (bench/requirements.txt). */
  readonly python: string;
  readonly repeats?: number;
  readonly batchSize?: number;
  readonly onProgress?: (line: string) => void;
}

export interface AugmentationBenchResult {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Pictures per second, one entry per run. */
  readonly ours: readonly number[];
  readonly keras: readonly number[];
  readonly oursMedian: number;
  readonly kerasMedian: number;
  /** Median of ours over median of Keras, and the ratios of neighbouring runs. */
  readonly ratio: number;
  readonly ratios: readonly number[];
}

const ourPictures = 40_000;
const kerasPictures = 4_000;
const measurementSchema = z.object({ seconds: z.number().positive(), pictures: z.int().positive() });

/** Rejects when Python cannot be started or lacks a package; ends the child in every case. */
export async function benchAugmentation(options: AugmentationBenchOptions): Promise<AugmentationBenchResult> {
  const { repeats = 3, batchSize = 128, onProgress } = options;
  const child = spawn(options.python, [join(import.meta.dirname, 'augment_keras.py')], { stdio: ['pipe', 'pipe', 'ignore'] });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done === true) throw new Error(`${options.python} ended early: expected keras, tensorflow and scipy in it.`);
    return JSON.parse(line.value);
  };
  try {
    const versions = { node: process.versions.node, ...z.record(z.string(), z.string()).parse(await answer()) };
    const ours: number[] = [];
    const keras: number[] = [];
    measureOurs(batchSize);
    for (let run = 0; run < repeats; run++) {
      ours.push(measureOurs(batchSize));
      child.stdin.write(`${JSON.stringify({ pictures: kerasPictures, batchSize })}\n`);
      const { seconds, pictures } = measurementSchema.parse(await answer());
      keras.push(pictures / seconds);
      onProgress?.(`run ${run + 1}: ours ${format(ours[run])}, Keras ${format(keras[run])} pictures/s`);
    }
    const ratios = ours.map((value, run) => value / (keras[run] ?? Number.NaN));
    const [oursMedian, kerasMedian] = [median(ours), median(keras)];
    const machine = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} CPUs`;
    return { machine, versions, ours, keras, oursMedian, kerasMedian, ratio: oursMedian / kerasMedian, ratios };
  } finally {
    child.stdin.end();
    child.kill();
  }
}

function measureOurs(batchSize: number): number {
  const shape = [32, 32, 3] as const;
  const size = 32 * 32 * 3;
  const stored = 10_000;
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

function median(values: readonly number[]): number {
  const sorted = values.toSorted((first, second) => first - second);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
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
  process.stdout.write(
    `median: ours ${format(result.oursMedian)}, Keras ${format(result.kerasMedian)}, ratio ${result.ratio.toFixed(1)}\n`,
  );
}
