// Volatile progress of the running epoch, at most ten times a second. The accumulators are read back only then, so watching a run costs
// nothing per step.
import type { MetricPair, Report } from '../../shared/contract/worker.ts';

const intervalMs = 100;

export interface ProgressReporter {
  startEpoch(epoch: { readonly phase: number; readonly epoch: number; readonly epochs: number; readonly steps: number }): void;
  addStep(step: number, pictures: number, readMetrics: () => MetricPair): void;
}

export function createProgressReporter(report: (report: Report) => void, now: () => number = () => performance.now()): ProgressReporter {
  let current = { phase: 0, epoch: 0, epochs: 0, steps: 0 };
  let last = Number.NEGATIVE_INFINITY;
  let pictures = 0;
  let since = now();
  let startStep: number | null = null;
  return {
    startEpoch(epoch) {
      current = epoch;
      pictures = 0;
      since = now();
      startStep = null;
    },
    addStep(step, count, readMetrics) {
      startStep ??= step - 1;
      pictures += count;
      const time = now();
      if (time - last < intervalMs) return;
      last = time;
      const seconds = Math.max(1e-6, (time - since) / 1000);
      const stepsPerSecond = (step - startStep) / seconds;
      const stepsLeft = current.steps - step + (current.epochs - current.epoch) * current.steps;
      const { loss, accuracy } = readMetrics();
      report({
        type: 'progress',
        phase: current.phase,
        epoch: current.epoch,
        step,
        steps: current.steps,
        loss,
        accuracy,
        imagesPerSecond: pictures / seconds,
        remainingSeconds: stepsLeft / stepsPerSecond,
      });
    },
  };
}
