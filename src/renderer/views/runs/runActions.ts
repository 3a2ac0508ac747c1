// What a person does with one or many runs of the table. Everything that can be taken back is done at once and offers Undo.
import { useRouter } from 'vue-router';
import { LabError } from '../../../shared/contract/errors.ts';
import type { RunRow } from '../../../shared/contract/methods/runs.ts';
import type { RunId } from '../../../shared/contract/schema.ts';
import { restingStates } from '../../../shared/domain/run.ts';
import { formatCount } from '../../../shared/domain/numbers.ts';
import { useNoticesStore } from '../../stores/notices.ts';
import { useRunsStore } from '../../stores/runs.ts';
import { useRunTableStore } from '../../stores/runTable.ts';
import { finishedPhaseOf } from '../../stores/runTable/liveRow.ts';
import { inPieces, type BulkWork } from './bulkWork.ts';

export type RunActions = ReturnType<typeof createRunActions>;

/** So many runs are changed by one call; each is a write of its own. */
const perCall = 25;
/** What a comparison and a report take. */
const mostEntries = 100;

type Change = (runs: RunId[]) => Promise<unknown>;

export function createRunActions(work: BulkWork) {
  const router = useRouter();
  const runs = useRunsStore();
  const notices = useNoticesStore();
  const table = useRunTableStore();

  const changeMany = async (label: string, rows: readonly RunRow[], change: Change): Promise<readonly RunRow[]> => {
    const done: RunRow[] = [];
    await notices.attempt(() =>
      work.each(label, inPieces(rows, perCall), async (piece) => {
        await change(piece.map(({ runId }) => runId));
        done.push(...piece);
      }),
    );
    return done;
  };
  /** Changes the rows and offers the opposite. */
  const change = async (words: { doing: string; done: string; undoing: string }, rows: readonly RunRow[], act: Change, undo: Change) => {
    if (rows.length === 0) return;
    const done = await changeMany(words.doing, rows, act);
    if (done.length === 0) return;
    notices.done(`${words.done} ${nameOf(done)}`, async () => {
      await changeMany(words.undoing, done, undo);
    });
  };
  const go = async (path: '/compare' | '/reports', rows: readonly RunRow[]): Promise<void> => {
    const entries = entriesOf(rows);
    if (entries.length > 0) await router.push({ path, query: { entries: entries.join(',') } });
  };
  return {
    open: (row: RunRow) => router.push(`/runs/${row.runId}`),
    compare: (rows: readonly RunRow[]) => go('/compare', rows),
    /** The last finished phase of every run that was started together. */
    compareGroup: (group: string) =>
      notices.attempt(async () => {
        const rows = await table.readGroup(group);
        if (entriesOf(rows).length === 0) {
          throw new LabError('bad_input', `No run of the group ${group} has a finished phase.`, {
            expected: 'at least one finished phase',
            received: `${rows.length} runs without one`,
            help: 'Wait until a phase of one of its runs is finished.',
          });
        }
        await go('/compare', rows);
      }),
    showGroup: (group: string) => table.choose({ text: '', filters: [{ field: 'group', operator: '=', value: group }] }),
    report: (rows: readonly RunRow[]) => go('/reports', rows),
    archive: (rows: readonly RunRow[]) =>
      change({ doing: 'Archiving', done: 'Archived', undoing: 'Unarchiving' }, movable(rows), runs.archive, runs.unarchive),
    unarchive: (rows: readonly RunRow[]) =>
      change({ doing: 'Unarchiving', done: 'Unarchived', undoing: 'Archiving' }, rows, runs.unarchive, runs.archive),
    remove: (rows: readonly RunRow[]) =>
      change({ doing: 'Deleting', done: 'Moved to the trash:', undoing: 'Restoring' }, movable(rows), runs.remove, runs.restore),
    restore: (rows: readonly RunRow[]) =>
      change({ doing: 'Restoring', done: 'Restored', undoing: 'Deleting' }, rows, runs.restore, runs.remove),
    ...createEdits(work, runs, notices),
  };
}

function createEdits(work: BulkWork, runs: ReturnType<typeof useRunsStore>, notices: ReturnType<typeof useNoticesStore>) {
  const setTags = (label: string, rows: readonly RunRow[], tagsOf: (row: RunRow) => readonly string[]) =>
    notices.attempt(() => work.each(label, rows, (row) => runs.edit(row.runId, { tags: [...tagsOf(row)] })));
  const tag = async (words: string, rows: readonly RunRow[], tagsOf: (row: RunRow) => readonly string[]): Promise<void> => {
    const done = await setTags('Tagging', rows, tagsOf);
    if (done === undefined || done.length === 0) return;
    notices.done(`${words} ${nameOf(done)}`, async () => {
      await setTags('Tagging', done, (row) => row.tags);
    });
  };
  return {
    addTag: (rows: readonly RunRow[], name: string) =>
      tag(
        `Tagged as ${name}:`,
        rows.filter((row) => !row.tags.includes(name)),
        (row) => [...row.tags, name],
      ),
    removeTag: (rows: readonly RunRow[], name: string) =>
      tag(
        `Took the tag ${name} from`,
        rows.filter((row) => row.tags.includes(name)),
        (row) => row.tags.filter((one) => one !== name),
      ),
    rename: async (row: RunRow, wanted: string): Promise<void> => {
      const name = wanted.trim();
      if (name === '' || name === row.name) return;
      await notices.attempt(async () => {
        await runs.edit(row.runId, { name });
        notices.done(`Renamed ${row.name} to ${name}`, async () => {
          await runs.edit(row.runId, { name: row.name });
        });
      });
    },
  };
}

/** The last finished phase of each run that has one, as `run:phase`. */
export function entriesOf(rows: readonly RunRow[]): readonly string[] {
  return rows
    .flatMap((row) => {
      const phase = finishedPhaseOf(row);
      return phase === null ? [] : [`${row.runId}:${phase}`];
    })
    .slice(0, mostEntries);
}

/** Runs at rest; when none is, all of them, so that the lab's own refusal says why. */
function movable(rows: readonly RunRow[]): readonly RunRow[] {
  const states: readonly RunRow['state'][] = restingStates;
  const resting = rows.filter((row) => states.includes(row.state));
  return resting.length === 0 ? rows : resting;
}

function nameOf(rows: readonly RunRow[]): string {
  const [first] = rows;
  return rows.length === 1 && first !== undefined ? first.name : `${formatCount(rows.length)} runs`;
}
