// What can be compared: runs with their finished phases, searched in the history, and pairs that are worth comparing.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import type { LabEvent } from '../../shared/contract/events.ts';
import type { RunQuery, RunRow } from '../../shared/contract/methods/runs.ts';
import type { LabConnection } from '../connection.ts';
import { useConnection } from '../injection.ts';
import { finishedPhaseOf } from './runTable/liveRow.ts';
import { listSuggestions, type EntryCandidate, type EntrySuggestion } from './comparison/suggestions.ts';

const pageSize = 50;
const settleMs = 200;
/** Both directions of the transfer of document 000. */
const transferRecipes = ['fashion-transfer-5to9', 'fashion-transfer-0to4'] as const;
const changes: readonly LabEvent['type'][] = [
  'run.phaseFinished',
  'run.finished',
  'run.edited',
  'run.trashed',
  'run.restored',
  'run.archived',
  'run.unarchived',
  'runs.purged',
];

export const useEntriesStore = defineStore('entries', () => {
  const connection = useConnection();
  const pages = createPages(connection);
  const { text, total, read, rows, transfers, error, isReading, readPage } = pages;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const later = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void readPage(0), settleMs);
  };
  const search = (wanted: string): void => {
    text.value = wanted;
    read.value = 0;
    later();
  };
  const isOpen = (): boolean => total.value !== null || error.value !== null;
  connection.onEvent((event) => {
    if (isOpen() && changes.includes(event.type)) later();
  });
  connection.onConnected(() => {
    if (isOpen()) later();
  });

  const candidates = computed(() => rows.value.map(toCandidate).filter(({ phases }) => phases.length > 0));
  const known = computed(() => [...candidates.value, ...transfers.value.map(toCandidate)]);
  return {
    text,
    /** Runs that fit the search, with those that have no finished phase; null until first read. */
    total,
    candidates,
    hasMore: computed(() => total.value !== null && read.value < total.value),
    error,
    isReading,
    open: () => readPage(0),
    more: () => readPage(read.value),
    search,
    /** Undefined for runs beyond those that were read. */
    find: (runId: string): EntryCandidate | undefined => known.value.find((one) => one.runId === runId),
    suggest: (chosenRuns: readonly string[]): EntrySuggestion[] => listSuggestions(known.value, text.value === '', chosenRuns),
  };
});

/** The runs that fit the search, as far as they were asked for. */
function createPages(connection: LabConnection) {
  const text = ref('');
  const total = ref<number | null>(null);
  const read = ref(0);
  const rows = shallowRef<readonly RunRow[]>([]);
  const transfers = shallowRef<readonly RunRow[]>([]);
  const error = shallowRef<WireError | null>(null);
  const isReading = ref(false);
  let reading = new AbortController();

  const readPage = async (offset: number): Promise<void> => {
    reading.abort();
    reading = new AbortController();
    const { signal } = reading;
    const query = (asked: RunQuery) => connection.call('runs.query', asked, { signal });
    isReading.value = true;
    try {
      // What was unfolded stays unfolded.
      const limit = offset === 0 ? Math.max(pageSize, Math.min(200, read.value)) : pageSize;
      const answer = await query({ text: text.value.trim(), offset, limit });
      if (offset === 0) transfers.value = await readTransfers(query);
      if (signal.aborted) return;
      rows.value = offset === 0 ? answer.rows : [...rows.value, ...answer.rows];
      read.value = offset + answer.rows.length;
      total.value = answer.total;
      error.value = null;
    } catch (problem) {
      if (!signal.aborted) error.value = toWire(problem);
    } finally {
      if (!signal.aborted) isReading.value = false;
    }
  };
  return { text, total, read, rows, transfers, error, isReading, readPage };
}

/** The newest finished run of each direction. */
async function readTransfers(query: (asked: RunQuery) => Promise<{ rows: readonly RunRow[] }>): Promise<readonly RunRow[]> {
  const answers = await Promise.all(
    transferRecipes.map((recipe) =>
      query({
        limit: 1,
        filters: [
          { field: 'recipeId', operator: '=', value: recipe },
          { field: 'state', operator: '=', value: 'finished' },
        ],
      }),
    ),
  );
  return answers.flatMap(({ rows }) => rows);
}

/** Phases are trained one after another, so those up to the last finished one are finished. */
function toCandidate(row: RunRow): EntryCandidate {
  const { runId, name, recipeId, seed, state, createdAt, phases } = row;
  const finished = phases
    .slice(0, (finishedPhaseOf(row) ?? -1) + 1)
    .map((phase, index) => ({ index, name: phase.name, epochs: phase.epochs, testAccuracy: phase.test?.accuracy ?? null }));
  return { runId, name, recipeId, seed, state, createdAt, phases: finished };
}
