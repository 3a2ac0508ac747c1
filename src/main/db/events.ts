// All SQL of the event stream. `seq` is the order of everything that happened; it never repeats, not even after a crash.
import type { Database } from 'better-sqlite3';
import type { DurableEvent } from '../../shared/contract/events.ts';

export interface EventStore {
  /** Stores the event and answers its sequence number; call it inside the transaction of what the event says. */
  append(event: {
    readonly type: string;
    readonly at: string;
    readonly runId: string | null;
    readonly body: Readonly<Record<string, unknown>>;
  }): number;
  read(since: number, limit: number): DurableEvent[];
  latest(): number;
}

interface EventRow {
  readonly seq: number;
  readonly run_id: string | null;
  readonly type: string;
  readonly at: string;
  readonly body: string;
}

export function createEventStore(database: Database): EventStore {
  const insert = database.prepare('INSERT INTO events (run_id, type, at, body) VALUES (?, ?, ?, ?)');
  const select = database.prepare<[number, number], EventRow>('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?');
  const last = database.prepare<[], number | null>('SELECT max(seq) FROM events').pluck();
  return {
    append: ({ type, at, runId, body }) => Number(insert.run(runId, type, at, JSON.stringify(body)).lastInsertRowid),
    read: (since, limit) => select.all(since, limit).map(toEvent),
    latest: () => last.get() ?? 0,
  };
}

function toEvent(row: EventRow): DurableEvent {
  const body = JSON.parse(row.body) as object;
  const subject = row.run_id === null ? {} : { runId: row.run_id };
  return { ...body, ...subject, type: row.type, seq: row.seq, at: row.at } as DurableEvent;
}
