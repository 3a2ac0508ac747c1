import type { Report } from '../../shared/contract/worker.ts';

export type ProgressReport = Extract<Report, { type: 'progress' }>;

const shortestGapMs = 100;

/** Lets at most ten reports a second through and never loses the latest one; `close` drops what waits. */
export function createProgressGate(show: (report: ProgressReport) => void): { pass(report: ProgressReport): void; close(): void } {
  let lastShown = Number.NEGATIVE_INFINITY;
  let waiting: ProgressReport | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const showNow = (report: ProgressReport): void => {
    lastShown = performance.now();
    waiting = undefined;
    show(report);
  };
  return {
    pass: (report) => {
      const gap = performance.now() - lastShown;
      if (gap >= shortestGapMs) {
        clearTimeout(timer);
        timer = undefined;
        showNow(report);
        return;
      }
      waiting = report;
      timer ??= setTimeout(() => {
        timer = undefined;
        if (waiting !== undefined) showNow(waiting);
      }, shortestGapMs - gap);
    },
    close: () => {
      clearTimeout(timer);
      timer = undefined;
      waiting = undefined;
    },
  };
}
