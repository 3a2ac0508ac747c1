// The first page: what is compared, the table of parameters, times and accuracies, what each entry costs and gains against the base, and
// the same as bars.
import type { Content, TableCell } from 'pdfmake/interfaces.js';
import type { ReportContent } from '../../shared/contract/reportContent.ts';
import { barsHeight, barsOption, type BarMeasure, type BarsInput } from '../../shared/domain/charts/bars.ts';
import { formatCount, formatDuration, formatLoss, formatPercent, formatPercentDifference } from '../../shared/domain/numbers.ts';
import { colorOf } from '../../shared/domain/palette.ts';
import { drawChart } from './chartImage.ts';
import { chunk, contentWidth, head, heading, marked, note, number, table, text } from './look.ts';

export function titleBlock({ title, asOf, comparison, entries }: ReportContent): Content[] {
  const count = entries.length === 1 ? '1 entry' : `${entries.length} entries`;
  const moment = `${asOf.slice(0, 10)} ${asOf.slice(11, 16)} UTC`;
  return [
    { ...text(title), style: 'title' },
    {
      text: `${count}, checkpoint rule ${comparison.rule}, data as of ${moment}. Made with Transfer Lab.`,
      style: 'subtitle',
      margin: [0, 3, 0, 10],
    },
    table({
      widths: [92, '*', 74, 112, 30],
      header: [head('Entry', 'left'), head('Run', 'left'), head('Run id', 'left'), head('Recipe', 'left'), head('Seed')],
      rows: comparison.entries.map((entry, index) => [
        marked(`${labelOf(entries, index)}${index === comparison.base && entries.length > 1 ? ' (base)' : ''}`, index, true),
        text(`${entry.name}, phase ${entry.phase}`),
        text(entry.runId),
        text(entry.recipeId),
        number(String(entry.seed)),
      ]),
    }),
  ];
}

export function figuresSection({ comparison, entries }: ReportContent): Content[] {
  const titles = ['Epoch', 'Parameters', 'Trainable', 'Time', 'Per epoch', 'Val. loss', 'Val. acc.', 'Test loss', 'Test acc.'];
  const notes = comparison.entries.flatMap(({ testNote }, index) => (testNote === null ? [] : [`${labelOf(entries, index)}: ${testNote}`]));
  return [
    heading('Parameters, time and accuracy'),
    table({
      widths: ['*', ...titles.map(() => 'auto')],
      header: [head('Entry', 'left'), ...titles.map((title) => head(title))],
      rows: comparison.entries.map((entry, index) => [
        marked(labelOf(entries, index), index),
        number(entry.epoch === null ? '-' : `${entry.epoch} of ${entry.epochs}`),
        number(formatCount(entry.total)),
        number(formatCount(entry.trainable)),
        number(formatDuration(entry.seconds)),
        number(formatDuration(entry.secondsPerEpoch)),
        number(formatLoss(entry.validation?.loss)),
        number(formatPercent(entry.validation?.accuracy)),
        number(formatLoss(entry.test?.loss)),
        number(formatPercent(entry.test?.accuracy)),
      ]),
    }),
    note('Times are training without validation; the time per epoch is the median of the epochs after the first.'),
    ...notes.map(note),
    ...againstBase({ comparison, entries }),
  ];
}

const mostBars = 12;

export function barsSection({ comparison, entries }: ReportContent): Content[] {
  const chartWidth = (contentWidth - 15) / 2;
  return [
    heading('At a glance', Math.min(70, 9 + Math.ceil((barsHeight(Math.min(mostBars, entries.length), 2) * 0.75) / 8.42))),
    ...chunk(
      comparison.entries.map((entry, index) => ({ entry, index })),
      mostBars,
    ).flatMap((group) => {
      const named = group.map(({ index }) => ({ name: labelOf(entries, index), color: colorOf(index, 'light') }));
      const draw = (input: Pick<BarsInput, 'title' | 'axis' | 'unit'>, ...measures: BarMeasure[]): Content =>
        drawChart(
          barsOption({ ...input, entries: named, measures, theme: 'print', longestLabel: 18 }),
          chartWidth,
          barsHeight(group.length, measures.length) * 0.75,
        );
      const values = (read: (entry: ReportContent['comparison']['entries'][number]) => number | null | undefined): (number | null)[] =>
        group.map(({ entry }) => read(entry) ?? null);
      const parameters = draw(
        { title: 'Parameters', axis: 'Parameters', unit: 'count' },
        { name: 'total', values: values((entry) => entry.total) },
        { name: 'trainable', values: values((entry) => entry.trainable) },
      );
      const accuracy = draw(
        { title: 'Accuracy', axis: 'Accuracy (%)', unit: 'percent' },
        { name: 'validation', values: values((entry) => entry.validation?.accuracy) },
        { name: 'test', values: values((entry) => entry.test?.accuracy) },
      );
      const time = draw(
        { title: 'Training time', axis: 'Seconds', unit: 'duration' },
        { name: 'time', values: values((entry) => entry.seconds) },
      );
      const perEpoch = draw(
        { title: 'Training time per epoch', axis: 'Seconds', unit: 'duration' },
        { name: 'per epoch', values: values((entry) => entry.secondsPerEpoch) },
      );
      return [pair(parameters, accuracy), pair(time, perEpoch)];
    }),
  ];
}

/** Two charts side by side on one page. */
export function pair(left: Content, right: Content | undefined): Content {
  const empty: Content = { text: '' };
  return { columns: [left, right ?? empty], columnGap: 15, margin: [0, 4, 0, 6], unbreakable: true };
}

export function labelOf(entries: ReportContent['entries'], index: number): string {
  return entries[index]?.label ?? '';
}

function againstBase({ comparison, entries }: Pick<ReportContent, 'comparison' | 'entries'>): Content[] {
  const base = comparison.entries[comparison.base];
  if (base === undefined || comparison.entries.length < 2) return [];
  const ratio = (value: number | null, of: number | null): TableCell =>
    number(value === null || of === null || of === 0 ? '-' : `${(value / of).toFixed(2)} ×`);
  const others = comparison.entries.map((entry, index) => ({ entry, index })).filter(({ index }) => index !== comparison.base);
  const isComparable = others.every(({ entry }) => entry.testSet === base.testSet);
  return [
    { text: `Against the base ${labelOf(entries, comparison.base)}`, bold: true, fontSize: 9, margin: [0, 10, 0, 3], headlineLevel: 9 },
    table({
      widths: ['*', 90, 90, 90, 110],
      header: [head('Entry', 'left'), head('Trainable'), head('Time'), head('Time per epoch'), head('Test accuracy')],
      rows: others.map(({ entry, index }) => {
        const isSame = entry.testSet === base.testSet && entry.test !== null && base.test !== null;
        const difference = isSame ? (entry.test?.accuracy ?? 0) - (base.test?.accuracy ?? 0) : null;
        return [
          marked(labelOf(entries, index), index),
          ratio(entry.trainable, base.trainable),
          ratio(entry.seconds, base.seconds),
          ratio(entry.secondsPerEpoch, base.secondsPerEpoch),
          number(difference === null ? 'not comparable' : formatPercentDifference(difference)),
        ];
      }),
    }),
    ...(isComparable ? [] : [note('Accuracies are comparable only between entries that were tested on the same pictures and classes.')]),
  ];
}
