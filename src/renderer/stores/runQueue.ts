// What trains and what waits, in order, with the rows of these runs.
import { defineStore } from 'pinia';
import { computed, shallowRef, watch } from 'vue';
import { isVolatile } from '../../shared/contract/events.ts';
import type { RunRow } from '../../shared/contract/methods/runs.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { useConnection } from '../injection.ts';
import { useLabStore } from './lab.ts';
import { applyToRow } from './runTable/liveRow.ts';

/** A longer queue is shown without names at its end. */
const mostRows = 200;

export interface QueuePlace {
  readonly runId: RunId;
  /** Null until it is read. */
  readonly row: RunRow | null;
  readonly isWaiting: boolean;
}

export const useRunQueueStore = defineStore('runQueue', () => {
  const connection = useConnection();
  const lab = useLabStore();
  const rows = shallowRef<ReadonlyMap<RunId, RunRow>>(new Map());

  const read = async (): Promise<void> => {
    const inState = async (value: string): Promise<readonly RunRow[]> =>
      (await connection.call('runs.query', { filters: [{ field: 'state', operator: '=', value }], limit: mostRows })).rows;
    const found = (await Promise.all(['running', 'paused', 'queued'].map(inState))).flat();
    rows.value = new Map(found.map((row) => [row.runId, row]));
  };
  const runIds = computed(() => [...(lab.status?.running ?? []), ...lab.queued]);
  const readMissing = (): void => {
    if (runIds.value.some((runId) => !rows.value.has(runId))) void read().catch(() => undefined);
  };
  watch(() => runIds.value.join(), readMissing, { immediate: true });
  connection.onConnected(() => void read().catch(() => undefined));
  connection.onEvent((event) => {
    if (isVolatile(event) || !('runId' in event)) return;
    const row = rows.value.get(event.runId);
    if (row !== undefined) rows.value = new Map(rows.value).set(event.runId, applyToRow(row, event));
  });

  const places = computed<readonly QueuePlace[]>(() =>
    runIds.value.map((runId, index) => ({
      runId,
      row: rows.value.get(runId) ?? null,
      isWaiting: index >= runIds.value.length - lab.queued.length,
    })),
  );
  return { places };
});
