// One trainer at a time: runs wait here in the order they were asked for. The queue lives in memory; a run that still waits when its
// process dies is interrupted at the next start, so a later command never begins to train by surprise.
import type { RunId } from '../../shared/contract/schema.ts';
import { startAttempt, type Attempt, type AttemptSurroundings } from './attempt.ts';

export interface RunQueue {
  /** The run is queued in the history already. */
  add(runId: RunId): void;
  /** True when the run was waiting. */
  remove(runId: RunId): boolean;
  /** Puts a waiting run before another waiting one, or at the end; false when one of them does not wait. */
  move(runId: RunId, before: RunId | null): boolean;
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
    move: (runId, before) => {
      if (!waiting.includes(runId) || (before !== null && !waiting.includes(before))) return false;
      if (runId === before) return true;
      waiting.splice(waiting.indexOf(runId), 1);
      waiting.splice(before === null ? waiting.length : waiting.indexOf(before), 0, runId);
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
