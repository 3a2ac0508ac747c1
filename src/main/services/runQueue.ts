// One trainer at a time: runs wait here in the order they were asked for. The queue lives in memory; a run that still waits when its
// process dies is interrupted at the next start, so a later command never begins to train by surprise.
import type { RunId } from '../../shared/contract/schema.ts';
import { startAttempt, type Attempt, type AttemptSurroundings } from './attempt.ts';

export interface RunQueue {
  /** The run is queued in the history already. */
  add(runId: RunId): void;
  /** True when the run was waiting. */
  remove(runId: RunId): boolean;
  findAttempt(runId: RunId): Attempt | undefined;
  running(): readonly RunId[];
  waiting(): readonly RunId[];
  /** Resolves when the current attempt, if any, has ended. */
  settled(): Promise<void>;
}

export function createRunQueue(surroundings: AttemptSurroundings): RunQueue {
  const waiting: RunId[] = [];
  let current: Attempt | undefined;
  const next = (): void => {
    if (current !== undefined) return;
    const runId = waiting.shift();
    if (runId === undefined) return;
    const run = surroundings.runs.find(runId);
    if (run?.state !== 'queued') {
      next();
      return;
    }
    current = startAttempt(run, surroundings);
    const proceed = (): void => {
      current = undefined;
      next();
    };
    // When even the end could not be written (a full disk), the next start finds the run and calls it interrupted.
    current.ended.then(proceed, proceed);
  };
  return {
    add: (runId) => {
      waiting.push(runId);
      next();
    },
    remove: (runId) => {
      const position = waiting.indexOf(runId);
      if (position === -1) return false;
      waiting.splice(position, 1);
      return true;
    },
    findAttempt: (runId) => (current?.runId === runId ? current : undefined),
    running: () => (current === undefined || current.isOver() ? [] : [current.runId]),
    waiting: () => [...waiting],
    settled: async () => {
      await current?.ended.catch(() => undefined);
    },
  };
}
