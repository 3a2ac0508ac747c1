// Single runs as the page shows them: details from the core, curves that grow with the events, and what a person can do with a run. The
// history table is stores/runTable.ts.
import { defineStore } from 'pinia';
import { shallowReactive } from 'vue';
import type { RunDetails } from '../../shared/contract/answers.ts';
import { isVolatile, type LabEvent } from '../../shared/contract/events.ts';
import type { RunSeries } from '../../shared/contract/methods/runs.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { useConnection } from '../injection.ts';
import { appendEpoch } from './runCurves.ts';

/** Several events of a run in short succession are answered by one reading. */
const gatherMs = 150;
const mostPoints = 1000;

export const useRunsStore = defineStore('runs', () => {
  const connection = useConnection();
  const details = shallowReactive(new Map<RunId, RunDetails>());
  const series = shallowReactive(new Map<RunId, readonly RunSeries[]>());
  const waiting = new Map<RunId, ReturnType<typeof setTimeout>>();

  const read = async (reference: string): Promise<RunDetails> => {
    const run = await connection.call('runs.show', { run: reference });
    details.set(run.runId, run);
    return run;
  };
  const readCurves = async (runId: RunId): Promise<void> => {
    const answer = await connection.call('runs.series', { runs: [runId], maxPoints: mostPoints });
    series.set(runId, answer.series);
  };
  /** The run and its curves; both are kept up to date from then on. */
  const open = async (reference: string): Promise<RunDetails> => {
    const run = await read(reference);
    await readCurves(run.runId);
    return run;
  };
  const readSoon = (runId: RunId): void => {
    if (waiting.has(runId)) return;
    const act = (): void => {
      waiting.delete(runId);
      void read(runId).catch(() => undefined);
    };
    waiting.set(runId, setTimeout(act, gatherMs));
  };
  const follow = (event: LabEvent): void => {
    if (isVolatile(event) || !('runId' in event) || !details.has(event.runId)) return;
    if (event.type === 'run.epochFinished') {
      const known = series.get(event.runId);
      if (known !== undefined) series.set(event.runId, appendEpoch(known, event));
    }
    readSoon(event.runId);
  };
  connection.onEvent(follow);
  connection.onConnected(() => {
    for (const runId of details.keys()) void open(runId).catch(() => undefined);
  });
  return { details, series, open, ...runActions(connection) };
});

/** Calls that change a run; what follows from them comes back as events. */
function runActions({ call }: ReturnType<typeof useConnection>) {
  return {
    pause: (run: RunId) => call('runs.pause', { run }),
    stop: (run: RunId) => call('runs.stop', { run }),
    resume: (run: RunId) => call('runs.resume', { run }),
    remove: (runs: RunId[]) => call('runs.delete', { runs }),
    restore: (runs: RunId[]) => call('runs.restore', { runs }),
    archive: (runs: RunId[]) => call('runs.archive', { runs }),
    unarchive: (runs: RunId[]) => call('runs.unarchive', { runs }),
    reorder: (run: RunId, before: RunId | null) => call('runs.reorder', { run, before }),
    edit: (run: RunId, change: { name?: string; notes?: string; tags?: string[] }) => call('runs.edit', { run, ...change }),
  };
}
