// Curves of the compared entries. Each metric is asked for by itself, so that many entries are read as finely as an answer allows.
import { shallowRef, type ShallowRef } from 'vue';
import type { ComparedEntry } from '../../../shared/contract/methods/comparison.ts';
import { toWire, type WireError } from '../../../shared/contract/errors.ts';
import type { RunSeries } from '../../../shared/contract/methods/runs.ts';
import type { LabConnection } from '../../connection.ts';

export interface EntryCurves {
  /** One per entry, in their order; undefined where nothing was trained. */
  readonly accuracy: Readonly<ShallowRef<readonly (RunSeries | undefined)[]>>;
  readonly loss: Readonly<ShallowRef<readonly (RunSeries | undefined)[]>>;
  readonly error: Readonly<ShallowRef<WireError | null>>;
  read(entries: readonly ComparedEntry[], signal: AbortSignal): Promise<void>;
}

const metrics = {
  accuracy: ['trainAccuracy', 'validationAccuracy'],
  loss: ['trainLoss', 'validationLoss'],
} as const;

export function createEntryCurves(connection: LabConnection): EntryCurves {
  const accuracy = shallowRef<readonly (RunSeries | undefined)[]>([]);
  const loss = shallowRef<readonly (RunSeries | undefined)[]>([]);
  const error = shallowRef<WireError | null>(null);

  const readMetric = async (metric: keyof typeof metrics, entries: readonly ComparedEntry[], signal: AbortSignal) => {
    const runs = [...new Set(entries.map(({ runId }) => runId))];
    if (runs.length === 0) return [];
    const maxPoints = runs.length <= 8 ? 500 : 150;
    const { series } = await connection.call('runs.series', { runs, maxPoints, metrics: [...metrics[metric]] }, { signal });
    return entries.map(({ runId, phaseIndex }) => series.find((one) => one.runId === runId && one.phase === phaseIndex));
  };
  const read = async (entries: readonly ComparedEntry[], signal: AbortSignal): Promise<void> => {
    try {
      const [accuracies, losses] = await Promise.all([readMetric('accuracy', entries, signal), readMetric('loss', entries, signal)]);
      if (signal.aborted) return;
      accuracy.value = accuracies;
      loss.value = losses;
      error.value = null;
    } catch (problem) {
      if (!signal.aborted) error.value = toWire(problem);
    }
  };
  return { accuracy, loss, error, read };
}
