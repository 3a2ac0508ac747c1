// What a run's phases read: the dataset store, the split that is stored with the run, and batch sources of each phase's own pictures and
// labels. Owns the store (close() it). The order of an epoch is a function of (seed, phase, epoch), so nothing about it needs saving.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from '../../shared/contract/schema.ts';
import type { TrainCommand } from '../../shared/contract/worker.ts';
import { chooseEvaluationBatch } from '../../shared/domain/evaluationBatch.ts';
import { chooseSplit } from '../../shared/domain/recipe.ts';
import { resolveWholeNetwork } from '../../shared/domain/recipeNetwork.ts';
import { epochOrder, joinValidation, makeSplit, selectClasses, type SplitLists } from '../../shared/domain/split.ts';
import { createPrefetcher } from '../data/augmentPrefetch.ts';
import { createBatchSource, type BatchSource, type PictureSource } from '../data/batches.ts';
import { openFormedStore } from '../data/formedStore.ts';
import type { DatasetStore } from '../data/store.ts';
import { replaceFile } from './files.ts';

export interface PhaseData {
  readonly classCount: number;
  /** Pixels as stored, or augmented float pixels. */
  readonly train: BatchSource;
  /** The training pictures once, in their own order, without augmentation. */
  readonly trainPlain: PictureSource;
  /** The same object as `test` when the recipe watches its test set while training. */
  readonly validation: PictureSource | null;
  readonly test: PictureSource | null;
  /** Training pictures per class, for balanced class weights. */
  readonly classCounts: readonly number[];
  /** The same order for the cached features of the training pictures. */
  readonly order: (pass: number) => Uint32Array;
  /** Ends the augmentation threads. */
  close(): void;
}

export interface SplitRecord {
  readonly phase: number;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  readonly file: string;
  readonly sha256: string;
}

export interface RunData {
  readonly store: DatasetStore;
  /** Writes each phase's lists into the run folder. */
  recordSplits(runFolder: string): SplitRecord[];
  openPhase(phase: number): PhaseData;
  close(): void;
}

/** What a phase's data depends on. */
export type DataCommand = Pick<TrainCommand, 'recipe' | 'seed' | 'datasetFolder' | 'cacheFolder'>;

/** Opens the dataset (resized and recoloured, if the recipe asks for it) and computes the split. */
export async function openRunData(command: DataCommand, augmentWorker: URL): Promise<RunData> {
  const { recipe } = command;
  const store = await openFormedStore({ folder: command.datasetFolder, input: recipe.input, cacheFolder: command.cacheFolder });
  const { manifest } = store;
  const labels = store.readLabels();
  const lists = makeSplit({
    labels,
    trainCount: manifest.trainCount,
    testCount: manifest.testCount,
    classCount: manifest.classes.length,
    split: chooseSplit(recipe, manifest.id),
  });
  return {
    store,
    recordSplits: (runFolder) => recipe.phases.map((_, phase) => recordSplit(runFolder, phase, selectPhase(recipe, phase, lists, store))),
    openPhase: (phase) => openPhase({ command, store, augmentWorker }, phase, selectPhase(recipe, phase, lists, store)),
    close: () => store.close(),
  };
}

interface PhaseLists extends SplitLists {
  readonly labelMap: Int32Array;
  readonly trainLabels: Uint16Array;
  readonly classCount: number;
}

function selectPhase(recipe: Recipe, phase: number, lists: SplitLists, store: DatasetStore): PhaseLists {
  const classes = recipe.phases[phase]?.classes ?? null;
  const allClasses = store.manifest.classes.length;
  const classCount = classes?.length ?? allClasses;
  const labels = store.readLabels();
  const used = recipe.phases[phase]?.trainOn === 'trainAndValidation' ? joinValidation(lists) : lists;
  const train = selectClasses(used.train, labels, classes);
  const labelMap = new Int32Array(allClasses).fill(-1);
  for (const [from, to] of train.labelMap) labelMap[from] = to;
  return {
    train: train.indices,
    validation: selectClasses(used.validation, labels, classes).indices,
    test: selectClasses(used.test, labels, classes).indices,
    trainLabels: train.labels,
    labelMap,
    classCount,
  };
}

function recordSplit(runFolder: string, phase: number, lists: PhaseLists): SplitRecord {
  mkdirSync(join(runFolder, 'splits'), { recursive: true });
  const file = `splits/phase-${phase + 1}.json`;
  const json = JSON.stringify({ train: [...lists.train], validation: [...lists.validation], test: [...lists.test] });
  const { sha256 } = replaceFile(join(runFolder, file), [new TextEncoder().encode(json)]);
  return { phase, train: lists.train.length, validation: lists.validation.length, test: lists.test.length, file, sha256 };
}

interface PhaseRequest {
  readonly command: DataCommand;
  readonly store: DatasetStore;
  readonly augmentWorker: URL;
}

function openPhase({ command, store, augmentWorker }: PhaseRequest, phaseIndex: number, lists: PhaseLists): PhaseData {
  const phase = command.recipe.phases[phaseIndex];
  const { network } = resolveWholeNetwork(command.recipe, store.manifest.shape, lists.classCount);
  const evaluationBatch = chooseEvaluationBatch(network);
  const batchSize = phase?.batchSize ?? evaluationBatch;
  const labelMap = lists.labelMap;
  const order = (pass: number): Uint32Array => epochOrder(lists.train.length, command.seed, pass + 1, phaseIndex);
  const inOrder = (indices: Uint32Array): PictureSource | null =>
    indices.length === 0 ? null : createBatchSource({ store, indices, labelMap, batchSize: evaluationBatch });
  const stepsPerEpoch = phase?.stepsPerEpoch ?? null;
  const pixels = createBatchSource({ store, indices: lists.train, labelMap, batchSize, order, stepsPerEpoch });
  const augmentation = phase?.augmentation ?? null;
  const augmented =
    augmentation === null
      ? null
      : createPrefetcher(pixels, {
          augmentation,
          shape: store.manifest.shape,
          batchSize,
          seed: command.seed,
          phase: phaseIndex,
          workerFile: augmentWorker,
          // A picture that comes twice in one epoch of a generator is another draw: passes count, not epochs.
          passAt: (epoch, step) => Math.floor((epoch * pixels.steps + step) / Math.ceil(lists.train.length / batchSize)),
        });
  const test = inOrder(lists.test);
  const watchesTest = chooseSplit(command.recipe, store.manifest.id).validation.type === 'testSet';
  const classCounts = Array.from({ length: lists.classCount }, () => 0);
  for (const label of lists.trainLabels) classCounts[label] = (classCounts[label] ?? 0) + 1;
  return {
    classCount: lists.classCount,
    train: augmented ?? pixels,
    trainPlain: createBatchSource({ store, indices: lists.train, labelMap, batchSize: evaluationBatch }),
    validation: watchesTest ? test : inOrder(lists.validation),
    test,
    classCounts,
    order,
    close: () => augmented?.close(),
  };
}
