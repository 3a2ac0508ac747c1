// Which runs are chosen and which row the keyboard is on. Chosen runs are known by id with their newest row, in sight or not.
import { computed, ref, shallowRef, triggerRef } from 'vue';
import type { RunRow } from '../../../shared/contract/methods/runs.ts';
import type { RunId } from '../../../shared/contract/schema.ts';

export type RunSelection = ReturnType<typeof createSelection>;

/** `rowAt` answers undefined for rows that are not read; these cannot be chosen by a click. */
export function createSelection(rowAt: (index: number) => RunRow | undefined) {
  const chosen = shallowRef(new Map<RunId, RunRow>());
  const cursor = ref(0);
  /** Where a range begins. */
  let origin = 0;

  const toggle = (index: number): void => {
    const row = rowAt(index);
    origin = index;
    if (row === undefined) return;
    if (!chosen.value.delete(row.runId)) chosen.value.set(row.runId, row);
    triggerRef(chosen);
  };
  const setAll = (rows: readonly RunRow[]): void => {
    chosen.value = new Map(rows.map((row) => [row.runId, row]));
  };
  const drop = (runIds: readonly RunId[]): void => {
    for (const runId of runIds) chosen.value.delete(runId);
    triggerRef(chosen);
  };
  const update = (rows: readonly RunRow[]): void => {
    const known = rows.filter(({ runId }) => chosen.value.has(runId));
    for (const row of known) chosen.value.set(row.runId, row);
    if (known.length > 0) triggerRef(chosen);
  };
  const change = (runId: RunId, apply: (row: RunRow) => RunRow): void => {
    const row = chosen.value.get(runId);
    if (row !== undefined) update([apply(row)]);
  };
  return {
    cursor,
    chosen: computed(() => [...chosen.value.values()]),
    count: computed(() => chosen.value.size),
    isChosen: (runId: RunId | undefined): boolean => runId !== undefined && chosen.value.has(runId),
    origin: (): number => origin,
    toggle,
    setAll,
    drop,
    update,
    change,
    clear: (): void => setAll([]),
    /** Moves the keyboard's row; a range that follows begins there. */
    moveTo: (index: number): void => {
      cursor.value = index;
      origin = index;
    },
  };
}
