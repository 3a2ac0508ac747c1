// Learning rates: one value per training step, computed before an epoch starts, with the formulas of Keras 3.15 (keras/src/optimizers/
// schedules/learning_rate_schedule.py) and ReduceLROnPlateau as a pure reducer whose state goes into checkpoints.
import type { Schedule } from '../contract/schema.ts';
import { isImprovement, monitorValue } from './policies.ts';
import type { EpochMetrics } from './policies.ts';

export interface LearningRateRequest {
  readonly schedule: Schedule;
  /** The optimizer's learning rate; under reduceOnPlateau the rate of the current plateau state. */
  readonly baseLearningRate: number;
  readonly stepsPerEpoch: number;
  readonly epochs: number;
  /** Counts from 1. */
  readonly epoch: number;
}

/** One rate per step of the epoch. The warm-up rises linearly from 0; schedules by steps begin after it, `step` counts whole epochs. */
export function learningRates(request: LearningRateRequest): Float64Array {
  const firstStep = (request.epoch - 1) * request.stepsPerEpoch;
  return Float64Array.from({ length: request.stepsPerEpoch }, (_, index) => rateAtStep(request, firstStep + index));
}

function rateAtStep(request: LearningRateRequest, step: number): number {
  const { schedule, baseLearningRate: base, stepsPerEpoch } = request;
  if (step < schedule.warmupSteps) return (base * step) / schedule.warmupSteps;
  const done = step - schedule.warmupSteps;
  switch (schedule.type) {
    case 'constant':
    case 'reduceOnPlateau':
      return base;
    case 'timeBased':
      return base / (1 + schedule.decay * done);
    case 'step':
      return base * schedule.factor ** Math.floor(step / (stepsPerEpoch * schedule.everyEpochs));
    case 'exponential': {
      const power = done / schedule.decaySteps;
      return base * schedule.decayRate ** (schedule.staircase ? Math.floor(power) : power);
    }
    case 'cosine': {
      const decaySteps = schedule.decaySteps ?? Math.max(1, stepsPerEpoch * request.epochs - schedule.warmupSteps);
      const cosine = 0.5 * (1 + Math.cos((Math.PI * Math.min(done, decaySteps)) / decaySteps));
      return base * ((1 - schedule.alpha) * cosine + schedule.alpha);
    }
  }
}

type PlateauSchedule = Extract<Schedule, { type: 'reduceOnPlateau' }>;

export interface PlateauState {
  readonly learningRate: number;
  /** null before the first epoch. */
  readonly best: number | null;
  readonly wait: number;
  readonly cooldown: number;
}

export function startPlateau(learningRate: number): PlateauState {
  return { learningRate, best: null, wait: 0, cooldown: 0 };
}

/** Call after every epoch; the rate in the answer holds from the next epoch on. */
export function reducePlateau(state: PlateauState, metrics: EpochMetrics, schedule: PlateauSchedule): PlateauState {
  const value = monitorValue(metrics, schedule.monitor);
  if (value === null) return state;
  const cooldown = Math.max(0, state.cooldown - 1);
  const wait = state.cooldown > 0 ? 0 : state.wait;
  if (isImprovement(value, state.best, schedule.monitor, schedule.minDelta)) return { ...state, best: value, wait: 0, cooldown };
  if (cooldown > 0) return { ...state, wait, cooldown };
  if (wait + 1 < schedule.patience || state.learningRate <= schedule.minLearningRate) return { ...state, wait: wait + 1, cooldown };
  const learningRate = Math.max(state.learningRate * schedule.factor, schedule.minLearningRate);
  return { ...state, learningRate, wait: 0, cooldown: schedule.cooldown };
}
