// A run small enough for tests of the training loop on the real library: a drawn dataset of three classes told apart by brightness, a
// network with dropout, two phases of which the second freezes the convolution.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { recipeSchema, type Recipe } from '../src/shared/contract/schema.ts';
import { trainCommandSchema, type Report, type TrainCommand } from '../src/shared/contract/worker.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { writeStore } from '../src/main/data/storeWriter.ts';
import type { Executor } from '../src/main/engine/executor.ts';
import { openNativeExecutor } from '../src/main/engine/native.ts';
import { findNativeProblem, locateNativeRuntime } from '../src/main/nativeRuntime.ts';
import { createControl, type ControlledMailbox } from '../src/main/trainer/control.ts';
import { trainRun, type TrainerTools } from '../src/main/trainer/loop.ts';

const augmentWorker = new URL('../src/main/data/augmentWorker.ts', import.meta.url);

export const trainCount = 150;
export const testCount = 60;

/** The real library; a machine without it has a failing test, not a skipped one. */
export function openTestExecutor(): Executor {
  const runtime = locateNativeRuntime();
  if ('problem' in runtime) throw new Error(runtime.problem.what);
  const problem = findNativeProblem(runtime);
  if (problem !== undefined) throw new Error(`${problem.what} ${problem.help}`);
  return openNativeExecutor(runtime);
}

type RecipeDraft = Record<string, unknown>;

export function smallRecipe(change: RecipeDraft = {}): Recipe {
  const phase = { optimizer: { type: 'Adam', learningRate: 0.05 }, batchSize: 16 };
  return recipeSchema.parse({
    version: 1,
    id: 'small',
    title: 'Small',
    dataset: { id: 'small', classes: ['dark', 'grey', 'bright'], shape: [8, 8, 1] },
    splits: {
      document: { validation: { type: 'count', count: 30, position: 'first' } },
      sound: { validation: { type: 'fraction', fraction: 0.2 } },
    },
    network: {
      layers: [
        { type: 'Conv2D', name: 'conv', filters: 4, kernelSize: 3, activation: 'relu' },
        { type: 'MaxPooling2D', name: 'pool' },
        { type: 'Dropout', name: 'drop', rate: 0.25 },
        { type: 'Flatten', name: 'flat' },
        { type: 'Dense', name: 'answer', units: 3, activation: 'softmax' },
      ],
    },
    phases: [
      { name: 'full', ...phase, epochs: 3 },
      { name: 'tuned', ...phase, epochs: 2, trainable: { type: 'freezeUpTo', layer: 'pool' } },
    ],
    ...change,
  });
}

export async function writeSmallDataset(folder: string): Promise<void> {
  const block = (part: 'train' | 'test', count: number, salt: number) => {
    const stream = createStream(11, part, salt);
    const labels = Array.from({ length: count }, (_, index) => index % 3);
    const pixels = Uint8Array.from({ length: count * 64 }, (_, index) => (labels[Math.floor(index / 64)] ?? 0) * 80 + stream.integer(60));
    return { part, labels, pixels };
  };
  await writeStore(
    folder,
    {
      id: 'small',
      name: 'Small',
      kind: 'idx',
      classes: ['dark', 'grey', 'bright'],
      shape: [8, 8, 1],
      origin: 'drawn by a test',
      licence: null,
      sources: () => [],
    },
    [block('train', trainCount, 1), block('test', testCount, 2)],
  );
}

export interface SmallRun {
  readonly folder: string;
  readonly control: ControlledMailbox;
  readonly reports: Report[];
  /** Trains until the end or a stop; `onReport` may send wishes to `control`. */
  train(
    change?: Partial<TrainCommand>,
    onReport?: (report: Report) => void,
    tools?: Partial<TrainerTools>,
  ): Promise<'finished' | 'stopped'>;
  readWeights(phase: number): Buffer;
}

/** A run in a folder of its own; each call of train() is one life of the trainer. */
export async function openSmallRun(executor: Executor, recipe: Recipe = smallRecipe()): Promise<SmallRun> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-run-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['run', 'cache']) mkdirSync(join(folder, name));
  await writeSmallDataset(join(folder, 'dataset'));
  const run = { control: createControl() };
  const reports: Report[] = [];
  return {
    folder: join(folder, 'run'),
    get control() {
      return run.control;
    },
    reports,
    train(change = {}, onReport = () => undefined, tools = {}) {
      run.control = createControl();
      const command = trainCommandSchema.parse({
        type: 'train',
        runId: 'test-run',
        runFolder: join(folder, 'run'),
        datasetFolder: join(folder, 'dataset'),
        cacheFolder: join(folder, 'cache'),
        featuresFolder: join(folder, 'features'),
        baseWeights: null,
        recipe,
        seed: 5,
        resume: false,
        finishedPhases: 0,
        featureCacheBytes: 1_000_000,
        ...change,
      });
      const report = (message: Report): void => {
        reports.push(message);
        onReport(message);
      };
      return trainRun(command, { executor, control: run.control, report, augmentWorker, ...tools });
    },
    readWeights: (phase) => readFileSync(join(folder, 'run', 'phases', String(phase + 1), 'weights.safetensors')),
  };
}
