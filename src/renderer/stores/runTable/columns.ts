// The columns of the run history: what they are called, in which unit, and how a run's value is shown and handed to other programs.
import type { RunRow } from '../../../shared/contract/methods/runs.ts';
import { formatCount, formatDuration, formatLearningRate, formatLoss, formatPercent } from '../../../shared/domain/numbers.ts';

export type RawValue = string | number | boolean | null;

export interface RunColumn {
  /** A field of the contract (`name`, `recipe.phases[0].batchSize`) or `notes`. */
  readonly id: string;
  readonly label: string;
  /** Stands in the header, so that the figures carry none. */
  readonly unit: string | null;
  /** Says which split and epoch a figure belongs to, and what a short label means. */
  readonly explanation: string;
  readonly look: 'state' | 'name' | 'epochs' | 'tags' | 'text' | 'number' | 'link';
  readonly width: number;
  readonly isSortable: boolean;
  /** What files get: the exact value. */
  read(row: RunRow): RawValue;
  /** What people see. */
  show(row: RunRow): string;
  /** More of it under the pointer: the whole text, the exact time. */
  hint(row: RunRow): string | undefined;
}

type Words = Pick<RunColumn, 'id' | 'label' | 'width'> & Partial<Omit<RunColumn, 'id' | 'label' | 'width'>>;

const moment = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

/** Epochs that are finished, over all phases. */
export function finishedEpochs(row: RunRow): number {
  return row.phases.reduce((sum, phase) => sum + phase.epochs, 0);
}

/** The core adds up a run's time when it rests; until then its phases tell. Null before the first epoch. */
function trainedSeconds(row: RunRow): number | null {
  const seconds = Math.max(
    row.seconds,
    row.phases.reduce((sum, phase) => sum + phase.seconds, 0),
  );
  return seconds === 0 ? null : seconds;
}

function column(words: Words & Pick<RunColumn, 'read'>): RunColumn {
  const defaults = { unit: null, explanation: words.label, look: 'text', isSortable: true } as const;
  const show = words.show ?? ((row: RunRow): string => String(words.read(row) ?? '-'));
  const hint = (row: RunRow): string | undefined => (['text', 'link'].includes(words.look ?? 'text') ? show(row) : undefined);
  return { ...defaults, show, hint, ...words };
}

function duration(words: Words, read: (row: RunRow) => number | null): RunColumn {
  const hint = (row: RunRow): string | undefined => {
    const seconds = read(row);
    return seconds === null ? undefined : `${Number(seconds.toFixed(3))} s`;
  };
  return figure({ ...words, hint }, read, formatDuration);
}

function figure(words: Words, read: (row: RunRow) => number | null, show: (value: number | null) => string): RunColumn {
  return column({ look: 'number', ...words, read, show: (row) => show(read(row)) });
}

/** `91.23`: the header carries the percent sign. */
function percentFigure(fraction: number | null): string {
  return formatPercent(fraction).replace(' %', '');
}

const lastOf = (row: RunRow, field: 'total' | 'trainable' | 'secondsPerEpoch'): number | null => row.phases.at(-1)?.[field] ?? null;

/** Every run has these. */
export const fixedColumns: readonly RunColumn[] = [
  column({ id: 'state', label: 'State', look: 'state', width: 92, read: (row) => row.state }),
  column({ id: 'name', label: 'Name', look: 'name', width: 250, read: (row) => row.name }),
  column({ id: 'recipeId', label: 'Recipe', width: 136, read: (row) => row.recipeId }),
  column({ id: 'datasetId', label: 'Dataset', look: 'link', width: 104, read: (row) => row.datasetId }),
  column({
    id: 'epochs',
    label: 'Epochs',
    look: 'epochs',
    width: 72,
    explanation: 'Finished epochs of all phases, and how many are planned',
    read: finishedEpochs,
    show: (row) =>
      row.state === 'finished'
        ? formatCount(finishedEpochs(row))
        : `${formatCount(finishedEpochs(row))} / ${formatCount(row.plannedEpochs)}`,
  }),
  figure(
    { id: 'total', label: 'Parameters', width: 84, explanation: 'Parameters in total, in the last phase' },
    (row) => lastOf(row, 'total'),
    formatCount,
  ),
  figure(
    { id: 'trainable', label: 'Trainable', width: 78, explanation: 'Trainable parameters in the last phase' },
    (row) => lastOf(row, 'trainable'),
    formatCount,
  ),
  duration({ id: 'seconds', label: 'Time', width: 92, explanation: 'Time of training, all phases; files have seconds' }, trainedSeconds),
  duration(
    { id: 'secondsPerEpoch', label: 'Per epoch', width: 82, explanation: 'Median time of an epoch of the last phase; files have seconds' },
    (row) => row.phases.findLast((phase) => phase.secondsPerEpoch !== null)?.secondsPerEpoch ?? null,
  ),
  figure(
    {
      id: 'bestValidationAccuracy',
      label: 'Val. acc.',
      unit: '%',
      width: 94,
      explanation: 'Highest validation accuracy of any epoch of the last validated phase; files have fractions',
    },
    (row) => row.bestValidationAccuracy,
    percentFigure,
  ),
  figure(
    {
      id: 'testAccuracy',
      label: 'Test acc.',
      unit: '%',
      width: 94,
      explanation: 'Accuracy on the test split, last finished phase, its kept epoch; files have fractions',
    },
    (row) => row.testAccuracy,
    percentFigure,
  ),
  figure(
    { id: 'testLoss', label: 'Test loss', width: 78, explanation: 'Loss on the test split, last finished phase, its kept epoch' },
    (row) => row.testLoss,
    formatLoss,
  ),
  column({ id: 'tags', label: 'Tags', look: 'tags', width: 140, read: (row) => row.tags.join(', ') }),
  column({
    id: 'createdAt',
    label: 'Created',
    width: 136,
    read: (row) => row.createdAt,
    show: (row) => moment.format(new Date(row.createdAt)),
  }),
  column({ id: 'notes', label: 'Notes', width: 240, isSortable: false, read: (row) => row.notes, show: (row) => row.notes }),
  figure(
    { id: 'seed', label: 'Seed', width: 64 },
    (row) => row.seed,
    (value) => String(value),
  ),
  column({ id: 'group', label: 'Group', width: 110, read: (row) => row.group }),
];

export const defaultColumns: readonly string[] = fixedColumns.map(({ id }) => id).filter((id) => !['notes', 'seed', 'group'].includes(id));

/** The name leads on to the run and is always shown. */
export const requiredColumn = 'name';

/** A setting of the recipe as a column; `recipe.phases[0].batchSize` is read as `phases[0].batchSize`. */
export function recipeColumn(field: string, kind: 'number' | 'text' | 'boolean'): RunColumn {
  const read = (row: RunRow): RawValue => row.values[field] ?? null;
  const label = field.replace(/^recipe\./, '');
  return column({
    id: field,
    label,
    explanation: `Setting of the recipe: ${label}`,
    look: kind === 'number' ? 'number' : 'text',
    width: Math.min(260, 40 + 7 * label.length),
    read,
    show: (row) => showSetting(read(row)),
  });
}

function showSetting(value: RawValue): string {
  if (value === null) return '-';
  return typeof value === 'number' ? formatLearningRate(value) : String(value);
}
