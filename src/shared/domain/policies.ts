// What happens after an epoch: stop early or not, keep these weights or not. Pure reducers; their states are plain JSON and go into
// checkpoints, so a resumed run decides as an uninterrupted one.
import type { z } from 'zod';
import type { earlyStoppingSchema, keepRules } from '../contract/schema.ts';

export interface EpochMetrics {
  /** Counts from 1. */
  readonly epoch: number;
  readonly train: { readonly loss: number; readonly accuracy: number };
  readonly validation: { readonly loss: number; readonly accuracy: number } | null;
}

export type Monitor = EarlyStopping['monitor'];
export type EarlyStopping = z.infer<typeof earlyStoppingSchema>;
export type KeepRule = (typeof keepRules)[number];

/** null when the epoch was not validated. */
export function monitorValue(metrics: EpochMetrics, monitor: Monitor): number | null {
  switch (monitor) {
    case 'loss':
      return metrics.train.loss;
    case 'accuracy':
      return metrics.train.accuracy;
    case 'valLoss':
      return metrics.validation?.loss ?? null;
    case 'valAccuracy':
      return metrics.validation?.accuracy ?? null;
  }
}

/** Whether `value` improves on `best` by more than minDelta: downwards for losses, upwards for accuracies. NaN never improves. */
export function isImprovement(value: number, best: number | null, monitor: Monitor, minDelta: number): boolean {
  if (best === null) return !Number.isNaN(value);
  return monitor === 'loss' || monitor === 'valLoss' ? value + minDelta < best : value - minDelta > best;
}

export interface EarlyStoppingState {
  /** null until the first epoch that counts. */
  readonly best: number | null;
  readonly bestEpoch: number | null;
  readonly wait: number;
}

export const earlyStoppingStart: EarlyStoppingState = { best: null, bestEpoch: null, wait: 0 };

export interface EarlyStoppingStep {
  readonly state: EarlyStoppingState;
  readonly isStopping: boolean;
}

/** keras.callbacks.EarlyStopping: the first startFromEpoch epochs only warm up, and the very first epoch never stops. */
export function reduceEarlyStopping(state: EarlyStoppingState, metrics: EpochMetrics, options: EarlyStopping): EarlyStoppingStep {
  const value = monitorValue(metrics, options.monitor);
  if (value === null || metrics.epoch <= options.startFromEpoch) return { state, isStopping: false };
  if (isImprovement(value, state.best, options.monitor, options.minDelta)) {
    return { state: { best: value, bestEpoch: metrics.epoch, wait: 0 }, isStopping: false };
  }
  const wait = state.wait + 1;
  return { state: { ...state, wait }, isStopping: wait >= options.patience && metrics.epoch > 1 };
}

export interface KeepState {
  readonly best: number | null;
  /** The epoch whose weights the phase keeps so far; null before the first. */
  readonly epoch: number | null;
}

export const keepStart: KeepState = { best: null, epoch: null };

export interface KeepStep {
  readonly state: KeepState;
  /** Whether the weights of this epoch replace those kept before. */
  readonly isKept: boolean;
}

/** An equal value does not replace an earlier epoch; the first epoch is always kept, so that there is something to keep. */
export function reduceKeep(state: KeepState, metrics: EpochMetrics, rule: KeepRule): KeepStep {
  if (rule === 'last') return { state: { best: null, epoch: metrics.epoch }, isKept: true };
  const monitor = rule === 'bestValLoss' ? 'valLoss' : 'valAccuracy';
  const value = monitorValue(metrics, monitor);
  if (value !== null && isImprovement(value, state.best, monitor, 0)) {
    return { state: { best: value, epoch: metrics.epoch }, isKept: true };
  }
  return state.epoch === null ? { state: { best: null, epoch: metrics.epoch }, isKept: true } : { state, isKept: false };
}

export type CheckpointRule = 'last' | 'best-val-loss' | 'best-val-accuracy' | `epoch=${number}`;

/** The epoch that speaks for a phase; null when the rule needs validation that was not done, or the epoch is not there. */
export function chooseEpoch(epochs: readonly EpochMetrics[], rule: CheckpointRule): number | null {
  if (rule === 'last') return epochs.at(-1)?.epoch ?? null;
  if (rule === 'best-val-loss' || rule === 'best-val-accuracy') {
    const monitor = rule === 'best-val-loss' ? 'valLoss' : 'valAccuracy';
    let best: { readonly value: number; readonly epoch: number } | null = null;
    for (const metrics of epochs) {
      const value = monitorValue(metrics, monitor);
      if (value !== null && isImprovement(value, best?.value ?? null, monitor, 0)) best = { value, epoch: metrics.epoch };
    }
    return best?.epoch ?? null;
  }
  const wanted = Number(rule.slice('epoch='.length));
  return epochs.find((metrics) => metrics.epoch === wanted)?.epoch ?? null;
}
