// What a draft means before it runs: its learning rates over whole phases and the time it will take.
import type { Calibration } from '../../contract/methods/recipes.ts';
import type { Phase, Recipe } from '../../contract/schema.ts';
import { learningRates } from '../schedules.ts';

export interface PlannedRates {
  /** Training steps from 1, ascending. */
  readonly steps: readonly number[];
  readonly rates: readonly number[];
  /** Of the very last step. */
  readonly last: number;
}

const mostPoints = 400;
const mostComputed = 500_000;

/** Learning rates of a phase at up to 400 steps spread over it; under reduceOnPlateau as if no plateau came. */
export function planLearningRates(phase: Phase, stepsPerEpoch: number): PlannedRates {
  const total = stepsPerEpoch * phase.epochs;
  const pointCount = Math.max(2, Math.min(total, mostPoints, Math.floor(mostComputed / stepsPerEpoch)));
  const steps = new Set(Array.from({ length: pointCount }, (_, index) => 1 + Math.round((index * (total - 1)) / (pointCount - 1))));
  let epoch = 0;
  let ofEpoch = new Float64Array();
  const rates = [...steps].map((step) => {
    const wanted = Math.ceil(step / stepsPerEpoch);
    if (wanted !== epoch) {
      epoch = wanted;
      const { schedule, optimizer, epochs } = phase;
      ofEpoch = Float64Array.from(learningRates({ schedule, baseLearningRate: optimizer.learningRate, stepsPerEpoch, epochs, epoch }));
    }
    return ofEpoch[step - 1 - (epoch - 1) * stepsPerEpoch] ?? 0;
  });
  return { steps: [...steps], rates, last: rates.at(-1) ?? 0 };
}

/** Steps of one epoch, from the number of training images. */
export function countSteps(phase: Phase, trainCount: number): number {
  return phase.stepsPerEpoch ?? Math.max(1, Math.ceil(trainCount / phase.batchSize));
}

/** Seconds of training steps and feature computation for one run, without validation and test; null for phases that were not measured. */
export function estimateSeconds(recipe: Recipe, calibration: Calibration): number | null {
  const times = recipe.phases.map((phase, index) => {
    const measured = calibration.phases[index];
    return measured === undefined ? null : phase.epochs * measured.secondsPerEpoch + (measured.featureSeconds ?? 0);
  });
  return times.some((time) => time === null) ? null : times.reduce<number>((sum, time) => sum + (time ?? 0), 0);
}

/** Equal for recipes whose steps take equally long: epochs, seeds, names and learning rates do not matter. */
export function timingKey(recipe: Recipe, datasetId: string | null): string {
  const phases = recipe.phases.map(
    ({ trainable, classes, batchSize, stepsPerEpoch, augmentation, precision, cacheFeatures, optimizer, trainOn, ...rest }) => {
      const { frozenBatchNormalization } = rest;
      const options = { trainable, classes, batchSize, stepsPerEpoch, augmentation, precision, cacheFeatures, trainOn };
      return { ...options, frozenBatchNormalization, optimizer: optimizer.type };
    },
  );
  const { dataset, input, protocol, splits, network } = recipe;
  return JSON.stringify({ datasetId, id: dataset.id, fallback: dataset.fallback, input, protocol, splits, network, phases });
}
