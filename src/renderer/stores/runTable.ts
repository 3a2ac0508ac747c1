// The history of runs as a table: what is asked, the pages that are read, what is chosen. Rows follow the events at once, the order and
// what fits the filters a moment later. The core sorts, filters and counts; single runs are stores/runs.ts.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef, watch } from 'vue';
import type { Answer } from '../../shared/contract/api.ts';
import { isVolatile, type DurableEvent, type LabEvent } from '../../shared/contract/events.ts';
import type { RunRow } from '../../shared/contract/methods/runs.ts';
import { useConnection } from '../injection.ts';
import type { LabConnection } from '../connection.ts';
import { recall, remember } from '../memory.ts';
import { newestFirst, readAddress, writeAddress, type Address, type RunChoice, type RunView } from './runTable/address.ts';
import { createColumnLayout } from './runTable/layout.ts';
import { applyToRow } from './runTable/liveRow.ts';
import { createRunPages } from './runTable/pages.ts';
import { createSelection, type RunSelection } from './runTable/selection.ts';

/** Many events in short succession are answered by one reading. */
const gatherMs = 700;
const longestAnswer = 200;

/** After these a run stands in another view or is gone. */
const moves: readonly LabEvent['type'][] = ['run.trashed', 'run.restored', 'run.archived', 'run.unarchived', 'runs.purged'];
/** These change nothing that the table shows. */
const silent: readonly LabEvent['type'][] = [
  'run.logged',
  'run.prepared',
  'run.featuresComputed',
  'queue.changed',
  'settings.changed',
  'report.created',
  'report.removed',
  'dataset.imported',
  'dataset.removed',
  'weights.imported',
  'weights.removed',
];

export const useRunTableStore = defineStore('runTable', () => {
  const connection = useConnection();
  const choice = shallowRef<RunChoice>(recallChoice());
  const layout = createColumnLayout();
  const shift = shallowRef({ rows: 0 });
  const pages = createRunPages({
    query: (input) => connection.call('runs.query', input),
    onShift: (rows) => {
      shift.value = { rows };
      selection.cursor.value += rows;
    },
    onRows: (rows) => selection.update(rows),
  });
  const selection = createSelection((index) => pages.rowAt(index));
  const question = computed(() => {
    const { filters, sort } = choice.value;
    return { ...choice.value, filters: [...filters], sort: [...sort], columns: [...layout.recipeColumns.value] };
  });
  const surroundings = createSurroundings(connection);
  const live = createLiveness(connection, {
    refresh: () => pages.refresh(),
    count: () => surroundings.count(),
    onEvent: (event) => {
      if (moves.includes(event.type)) selection.drop('runs' in event ? event.runs : 'runId' in event ? [event.runId] : []);
      if ('runId' in event) for (const rows of [pages, selection]) rows.change(event.runId, (row) => applyToRow(row, event));
    },
  });
  const ask = (): void => pages.ask(question.value);
  watch(() => layout.recipeColumns.value.join(), ask);

  /** What stays unmentioned stays as it is. Another view, text or filter ends the selection. */
  const choose = (change: Partial<RunChoice>): void => {
    const next = { ...choice.value, ...change };
    if (areSame(next, choice.value) && pages.total.value !== null) return;
    if (!areSame({ ...next, sort: [] }, { ...choice.value, sort: [] })) selection.clear();
    choice.value = next;
    remember('runs.choice', writeAddress({ ...next, view: 'active', text: '' }));
    selection.moveTo(0);
    ask();
  };
  const reader = createReader(connection, { question: () => question.value, layout, selection });
  return {
    choice,
    layout,
    selection,
    /** Runs that fit; null until the first answer. */
    total: pages.total,
    error: pages.error,
    isOutdated: pages.isOutdated,
    rowAt: (index: number) => pages.rowAt(index),
    want: (first: number, last: number) => pages.want(first, last),
    refresh: () => pages.refresh(),
    /** Rows that came above those in sight, each time they did. */
    shift,
    /** First row in sight when the table was left. */
    top: ref(0),
    ...surroundings,
    ...reader,
    choose,
    attend: live.attend,
    isUnfiltered: computed(() => choice.value.text === '' && choice.value.filters.length === 0),
  };
});

function areSame(one: RunChoice, other: RunChoice): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function recallChoice(): RunChoice {
  return readAddress(recall<Address>('runs.choice', {}), newestFirst);
}

/** What stands around the rows: how many runs each view holds, words that filters and tags can be made of. */
function createSurroundings({ call }: LabConnection) {
  const counts = shallowRef<Readonly<Record<RunView, number>> | null>(null);
  const tags = shallowRef<Answer<'runs.tags'>['tags']>([]);
  const names = shallowRef<Readonly<Record<'recipeId' | 'datasetId', readonly string[]>>>({ recipeId: [], datasetId: [] });
  return {
    counts,
    tags,
    /** What a filter can be compared with. */
    names,
    readNames: async (): Promise<void> => {
      const [{ recipes }, { datasets }] = await Promise.all([call('recipes.list', {}), call('datasets.list', {})]);
      names.value = { recipeId: recipes.map(({ id }) => id), datasetId: datasets.map(({ id }) => id) };
    },
    count: async (): Promise<void> => {
      const ask = async (view: RunView): Promise<number> => (await call('runs.query', { view, limit: 1 })).total;
      const [active, archived, trash] = await Promise.all([ask('active'), ask('archived'), ask('trash')]);
      counts.value = { active, archived, trash };
    },
    /** Runs that were started together, newest first, whatever the table shows; without the trash. */
    readGroup: async (group: string): Promise<readonly RunRow[]> => {
      const filters = [{ field: 'group', operator: '=' as const, value: group }];
      const ask = async (view: 'active' | 'archived') => (await call('runs.query', { view, filters, limit: longestAnswer })).rows;
      return (await Promise.all([ask('active'), ask('archived')])).flat();
    },
    readTags: async (): Promise<void> => {
      tags.value = (await call('runs.tags', {})).tags;
    },
  };
}

interface ReaderOptions {
  readonly question: () => object;
  readonly layout: ReturnType<typeof createColumnLayout>;
  readonly selection: RunSelection;
}

/** What is read on request: rows beyond those in sight, for exports and long selections, and the settings that occur. */
function createReader({ call }: LabConnection, { question, layout, selection }: ReaderOptions) {
  const readRows = async (
    first: number,
    count: number,
    options: { readonly signal?: AbortSignal; readonly onProgress?: (done: number, total: number) => void } = {},
  ): Promise<readonly RunRow[]> => {
    const asked = question();
    const found = new Map<string, RunRow>();
    for (let offset = first; offset < first + count; offset += longestAnswer) {
      const limit = Math.min(longestAnswer, first + count - offset);
      const answer = await call('runs.query', { ...asked, offset, limit }, options.signal === undefined ? {} : { signal: options.signal });
      for (const row of answer.rows) found.set(row.runId, row);
      options.onProgress?.(found.size, Math.min(count, answer.total - first));
      if (offset + answer.rows.length >= answer.total || answer.rows.length === 0) break;
    }
    return [...found.values()];
  };
  return {
    readRows,
    /** Chooses all runs between two rows, also where rows are not read. */
    chooseRange: async (first: number, last: number): Promise<void> => {
      const rows = await readRows(Math.min(first, last), Math.abs(last - first) + 1);
      selection.setAll([...selection.chosen.value, ...rows]);
    },
    readFields: async (): Promise<void> => {
      layout.fields.value = (await call('runs.fields', {})).fields;
    },
  };
}

interface LiveOptions {
  readonly refresh: () => void;
  readonly count: () => Promise<void>;
  readonly onEvent: (event: DurableEvent) => void;
}

/** While nobody looks nothing is read; who looks again reads at once. */
function createLiveness(connection: LabConnection, { refresh, count, onEvent }: LiveOptions) {
  let watchers = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isCountStale = true;
  const readNow = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (watchers === 0) return;
    refresh();
    if (isCountStale)
      void count().then(
        () => (isCountStale = false),
        () => undefined,
      );
  };
  connection.onEvent((event) => {
    if (isVolatile(event) || silent.includes(event.type)) return;
    onEvent(event);
    if (moves.includes(event.type) || event.type === 'run.created') isCountStale = true;
    timer ??= setTimeout(readNow, gatherMs);
  });
  connection.onConnected(() => {
    isCountStale = true;
    readNow();
  });
  return {
    attend: (): (() => void) => {
      watchers += 1;
      readNow();
      return () => {
        watchers -= 1;
      };
    },
  };
}
