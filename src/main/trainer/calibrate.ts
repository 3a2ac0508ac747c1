// How long a recipe takes on this machine: a few real steps of every phase, planned and fed exactly as training would, from fresh weights.
// Nothing is trained to an end and nothing is kept; the files in the cache folder belong to the core.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CalibrateCommand, CalibratedReport } from '../../shared/contract/worker.ts';
import { epochOrder } from '../../shared/domain/split.ts';
import type { BatchSource } from '../data/batches.ts';
import { createFeatureSource, writeFeatures } from '../data/features.ts';
import type { Executor } from '../engine/executor.ts';
import { planTraining } from '../engine/plan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { openExtractor } from './features.ts';
import { planPhase, programOptions, type PhasePlan } from './phasePlan.ts';
import { PhaseSession } from './phaseSession.ts';
import { openRunData, type PhaseData, type RunData } from './runData.ts';
import { chooseStart, findPrefixWeights } from './startingWeights.ts';

export interface CalibrationTools {
  readonly executor: Executor;
  readonly augmentWorker: URL;
  /** In seconds; tests replace it. */
  readonly now?: () => number;
}

const warmUpSteps = 3;
const fewestSteps = 3;
/** All phases share the whole, so that a recipe with many phases still answers within seconds. */
const wholeSeconds = 6;
const phaseSeconds = 1.5;
const featureSeconds = 0.8;

interface Calibration extends Required<CalibrationTools> {
  readonly command: CalibrateCommand;
  readonly data: RunData;
}

/** Opens the dataset and times one phase after the other. */
export async function calibrate(command: CalibrateCommand, tools: CalibrationTools): Promise<CalibratedReport> {
  const { recipe } = command;
  const data = await openRunData({ ...command, seed: recipe.seed }, tools.augmentWorker);
  try {
    const calibration: Calibration = { now: () => performance.now() / 1000, ...tools, command, data };
    const phases: CalibratedReport['phases'] = [];
    for (const index of recipe.phases.keys()) phases.push(await timePhase(calibration, index));
    return { type: 'calibrated', device: tools.executor.device, phases };
  } finally {
    data.close();
  }
}

async function timePhase(calibration: Calibration, index: number): Promise<CalibratedReport['phases'][number]> {
  const { executor, command, data: runData, now } = calibration;
  const { recipe } = command;
  const data = runData.openPhase(index);
  try {
    const facts = { pictureShape: runData.store.manifest.shape, classCount: data.classCount, bfloat16: executor.bfloat16 };
    const plan = planPhase(recipe, index, facts);
    const start = chooseStart(plan, recipe, command.baseWeights, null);
    const features = plan.prefix.length === 0 ? null : await timeFeatures(calibration, index, plan, data, start);
    const steps = data.train.steps;
    const parts = { phase: index, seed: recipe.seed, classCounts: data.classCounts, stepsPerEpoch: steps, useFeatures: features !== null };
    const session = new PhaseSession(executor, planTraining(programOptions(plan, recipe, parts)));
    try {
      session.initialize();
      session.write(start);
      session.setLearningRates(new Float32Array(steps).fill(plan.phase.optimizer.learningRate));
      const budget = Math.min(phaseSeconds, wholeSeconds / recipe.phases.length);
      const secondsPerStep = await timeSteps(session, features?.source ?? data.train, budget, now);
      return { name: plan.phase.name, secondsPerStep, secondsPerEpoch: secondsPerStep * steps, featureSeconds: features?.seconds ?? null };
    } finally {
      session.close();
      features?.close();
    }
  } finally {
    data.close();
  }
}

/** The mean, because an epoch is their sum. The first steps are left out: there the library sets up its memory and its kernels. */
async function timeSteps(session: PhaseSession, source: BatchSource, budget: number, now: () => number): Promise<number> {
  const take = async (step: number): Promise<void> => {
    const batch = source.fill(Math.floor(step / source.steps), step % source.steps);
    session.trainStep(batch, source.sampleShape);
    await nextTurn();
  };
  for (let step = 0; step < warmUpSteps; step += 1) await take(step);
  const started = now();
  let timed = 0;
  while (timed < fewestSteps || now() - started < budget) {
    await take(warmUpSteps + timed);
    timed += 1;
  }
  return (now() - started) / timed;
}

interface TimedFeatures {
  /** Features of some training pictures, in batches of the phase. */
  readonly source: BatchSource;
  /** For all pictures of the phase. */
  readonly seconds: number;
  close(): void;
}

async function timeFeatures(
  calibration: Calibration,
  index: number,
  plan: PhasePlan,
  data: PhaseData,
  start: readonly NamedTensor[],
): Promise<TimedFeatures> {
  const { executor, command, now } = calibration;
  const { recipe } = command;
  const weights = findPrefixWeights({ executor, recipe, seed: recipe.seed, plan, index, classCounts: data.classCounts }, start);
  const extractor = openExtractor({ executor, plan, input: recipe.input, weights });
  try {
    const pictures = data.trainPlain;
    const first = pictures.fill(0, 0);
    extractor.run(first.input, first.count);
    const trial = now();
    extractor.run(first.input, first.count);
    const affordable = Math.floor(featureSeconds / Math.max(now() - trial, 1e-6));
    const needed = Math.ceil(plan.phase.batchSize / first.count);
    const some = firstBatches(pictures, Math.max(2, needed, affordable));
    const folder = join(command.cacheFolder, `phase-${index + 1}`);
    mkdirSync(folder, { recursive: true });
    const allBytes = countPictures(data) * plan.prefix.shape.reduce((product, size) => product * size, 4);
    const started = now();
    const table = await writeFeatures({
      file: join(folder, 'train.f32'),
      shape: plan.prefix.shape,
      source: some,
      extract: (pixels, count) => extractor.run(pixels, count),
      // Rows that training would keep on the disk come from the disk here too.
      heldBytes: allBytes > command.featureCacheBytes ? 0 : command.featureCacheBytes,
    });
    const seconds = ((now() - started) / table.count) * countPictures(data);
    const order = (pass: number): Uint32Array => epochOrder(table.count, recipe.seed, pass + 1, index);
    return { source: createFeatureSource({ table, batchSize: plan.phase.batchSize, order }), seconds, close: () => table.close() };
  } finally {
    extractor.close();
  }
}

function firstBatches(source: BatchSource<Uint8Array>, wanted: number): BatchSource<Uint8Array> {
  const steps = Math.min(source.steps, wanted);
  const full = source.fill(0, 0).count;
  return { ...source, steps, sampleCount: Math.min(source.sampleCount, steps * full) };
}

/** Pictures whose features training computes; validation pictures that are the test set are computed once. */
function countPictures({ trainPlain, validation, test }: PhaseData): number {
  return trainPlain.sampleCount + (test?.sampleCount ?? 0) + (validation === test ? 0 : (validation?.sampleCount ?? 0));
}
