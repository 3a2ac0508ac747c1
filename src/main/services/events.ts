// The one way anything becomes history: reduce, commit the event with its sequence number in one transaction with what it says, then
// publish. A listener never sees what a crash could take back. It owns no meaning: the callers say what each event writes.
import type { Database } from 'better-sqlite3';
import type { DurableEvent, LabEvent, RunEvent, VolatileEvent } from '../../shared/contract/events.ts';
import { reduceRun, type RunState } from '../../shared/domain/run.ts';
import type { EventStore } from '../db/events.ts';
import type { RunStore, StoredRun } from '../db/runs.ts';
import { explainSqliteError } from '../db/sqliteError.ts';

type Draft<Event> = Event extends LabEvent ? Omit<Event, 'seq' | 'at'> : never;
export type RunDraft = Draft<RunEvent>;
export type VolatileDraft = Draft<VolatileEvent>;
/** Events of the lab that belong to no run. */
export type LabDraft = Draft<Exclude<DurableEvent, RunEvent>>;

export interface EventService {
  /** Throws `conflict` for an event that cannot follow and commits nothing; `write` runs inside the transaction. */
  commitRun(draft: RunDraft, write?: (at: string) => void): DurableEvent;
  commitLab(draft: LabDraft, write?: () => void): DurableEvent;
  /** Shows something that is never stored. */
  show(draft: VolatileDraft): void;
  read(since: number, limit: number): readonly DurableEvent[];
  latest(): number;
  subscribe(listener: (event: LabEvent) => void): () => void;
}

interface Stores {
  readonly database: Database;
  readonly events: EventStore;
  readonly runs: RunStore;
}

export function createEvents({ database, events, runs }: Stores): EventService {
  const listeners = new Set<(event: LabEvent) => void>();
  const publish = (event: LabEvent): void => {
    for (const listener of [...listeners]) listener(event);
  };
  const append = (draft: RunDraft | LabDraft, at: string): DurableEvent => {
    const { type, ...rest } = draft;
    const { runId = null, ...body } = rest as { runId?: string } & Record<string, unknown>;
    const seq = events.append({ type, at, runId, body });
    return { ...draft, seq, at };
  };
  const commit = (work: () => DurableEvent): DurableEvent => {
    let event: DurableEvent;
    try {
      event = database.transaction(work)();
    } catch (error) {
      throw explainSqliteError(error, database.name);
    }
    publish(event);
    return event;
  };
  return {
    commitRun: (draft, write) =>
      commit(() => {
        const at = new Date().toISOString();
        const before = runs.find(draft.runId);
        const after = reduceRun(before === undefined ? null : stateOf(before), { ...draft, seq: 0, at });
        if (before === undefined) write?.(at);
        runs.update(draft.runId, {
          state: after.state,
          currentPhase: after.phase,
          currentEpoch: after.epoch,
          finishedPhases: after.finishedPhases,
        });
        if (before !== undefined) write?.(at);
        return append(draft, at);
      }),
    commitLab: (draft, write) =>
      commit(() => {
        write?.();
        return append(draft, new Date().toISOString());
      }),
    show: (draft) => publish({ ...draft, seq: events.latest(), at: new Date().toISOString() }),
    read: (since, limit) => events.read(since, limit),
    latest: () => events.latest(),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function stateOf(run: StoredRun): RunState {
  return {
    state: run.state,
    phase: run.currentPhase,
    epoch: run.currentEpoch,
    finishedPhases: run.finishedPhases,
    isTrashed: run.trashedAt !== null,
  };
}
