// The figures of compared entries as rows: the value of each entry, and how it differs from the base entry.
import type { ComparedEntry, Comparison } from '../../../shared/contract/methods/comparison.ts';
import { formatCount, formatDuration, formatLoss, formatPercent, formatPercentDifference } from '../../../shared/domain/numbers.ts';
import { labelEntries } from '../../../shared/domain/comparison.ts';

export interface FigureCell {
  readonly value: number | null;
  readonly text: string;
  /** With its sign, and the factor for counts and times; empty for the base and where there is nothing to subtract. */
  readonly difference: string;
}

export interface FigureRow {
  readonly id: string;
  readonly title: string;
  readonly group: 'Parameters' | 'Training' | 'Training set' | 'Validation set' | 'Test set';
  readonly cells: readonly FigureCell[];
}

interface Figure extends Pick<FigureRow, 'id' | 'title' | 'group'> {
  readonly read: (entry: ComparedEntry) => number | null;
  readonly unit: 'count' | 'epoch' | 'duration' | 'loss' | 'percent';
}

const figures: readonly Figure[] = [
  { id: 'total', group: 'Parameters', title: 'Total', unit: 'count', read: (entry) => entry.total },
  { id: 'trainable', group: 'Parameters', title: 'Trainable', unit: 'count', read: (entry) => entry.trainable },
  { id: 'nonTrainable', group: 'Parameters', title: 'Frozen', unit: 'count', read: (entry) => entry.nonTrainable },
  { id: 'epochs', group: 'Training', title: 'Epochs trained', unit: 'epoch', read: (entry) => entry.epochs },
  { id: 'epoch', group: 'Training', title: 'Epoch that speaks', unit: 'epoch', read: (entry) => entry.epoch },
  { id: 'seconds', group: 'Training', title: 'Time', unit: 'duration', read: (entry) => entry.seconds },
  { id: 'secondsPerEpoch', group: 'Training', title: 'Time per epoch', unit: 'duration', read: (entry) => entry.secondsPerEpoch },
  { id: 'trainLoss', group: 'Training set', title: 'Loss', unit: 'loss', read: ({ train }) => train?.loss ?? null },
  { id: 'trainAccuracy', group: 'Training set', title: 'Accuracy', unit: 'percent', read: ({ train }) => train?.accuracy ?? null },
  { id: 'validationLoss', group: 'Validation set', title: 'Loss', unit: 'loss', read: ({ validation }) => validation?.loss ?? null },
  {
    id: 'validationAccuracy',
    group: 'Validation set',
    title: 'Accuracy',
    unit: 'percent',
    read: ({ validation }) => validation?.accuracy ?? null,
  },
  { id: 'testLoss', group: 'Test set', title: 'Loss', unit: 'loss', read: ({ test }) => test?.loss ?? null },
  { id: 'testAccuracy', group: 'Test set', title: 'Accuracy', unit: 'percent', read: ({ test }) => test?.accuracy ?? null },
];

const formats = { count: formatCount, epoch: formatCount, duration: formatDuration, loss: formatLoss, percent: formatPercent } as const;

export function listFigures({ entries, base }: Comparison): FigureRow[] {
  return figures.map(({ id, title, group, unit, read }) => {
    const values = entries.map(read);
    const from = values[base] ?? null;
    const cells = values.map((value, position) => ({
      value,
      text: formats[unit](value),
      difference: position === base || value === null || from === null ? '' : describeDifference(value, from, unit),
    }));
    return { id, title, group, cells };
  });
}

/** A mark for each entry, its name for people: the phase where that is enough. */
export function labelsOf({ entries }: Pick<Comparison, 'entries'>): string[] {
  return labelEntries(entries);
}

export interface TestSetGroup {
  readonly classes: string;
  readonly labels: readonly string[];
}

/** Entries by the test set they were tested on; one group or none means that their test metrics compare. */
export function groupTestSets(comparison: Comparison): TestSetGroup[] {
  const { entries, settings } = comparison;
  const labels = labelsOf(comparison);
  const classes = settings.find(({ path }) => path === 'dataset.classes')?.values ?? [];
  const tested = entries.flatMap(({ test, testSet }, position) => (test === null ? [] : [{ testSet, position }]));
  const groups = [...Map.groupBy(tested, ({ testSet }) => testSet).values()].map((group) => ({
    classes: String(classes[group[0]?.position ?? 0] ?? ''),
    labels: group.map(({ position }) => labels[position] ?? ''),
  }));
  const earlier = new Set<string>();
  return groups.map((group) => {
    const isRepeated = earlier.has(group.classes);
    earlier.add(group.classes);
    return isRepeated ? { ...group, classes: `${group.classes} (of another split or dataset)` } : group;
  });
}

/** For spreadsheets and other programs: one line per entry, numbers in full, accuracies as fractions. */
export function tabulate(comparison: Comparison): (string | number | null)[][] {
  const rows = listFigures(comparison);
  const head = ['run', 'name', 'recipe', 'seed', 'phase', 'checkpointRule', ...rows.map(({ id }) => id), 'testNote'];
  const lines = comparison.entries.map(({ runId, name, recipeId, seed, phase, testNote }, position) => [
    ...[runId, name, recipeId, seed, phase, comparison.rule],
    ...rows.map(({ cells }) => cells[position]?.value ?? null),
    testNote,
  ]);
  return [head, ...lines];
}

function describeDifference(value: number, base: number, unit: Figure['unit']): string {
  const difference = value - base;
  if (unit === 'percent') return formatPercentDifference(difference);
  const text = formats[unit](Math.abs(difference));
  const sign = difference === 0 || (unit === 'loss' && Number(text) === 0) ? '±' : difference > 0 ? '+' : '−';
  const hasFactor = (unit === 'count' || unit === 'duration') && base > 0 && difference !== 0;
  return `${sign}${text}${hasFactor ? `, × ${formatFactor(value / base)}` : ''}`;
}

/** Three significant digits. */
function formatFactor(factor: number): string {
  return factor >= 100 ? factor.toLocaleString('en-US', { maximumFractionDigits: 0 }) : String(Number(factor.toPrecision(3)));
}
