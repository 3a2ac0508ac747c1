// What was set up differently, and what the documents of the templates published beside what was measured here.
import type { Content, TableCell } from 'pdfmake/interfaces.js';
import type { ReportContent } from '../../shared/contract/reportContent.ts';
import { formatCount, formatDuration, formatLoss, formatPercent } from '../../shared/domain/numbers.ts';
import { chunk, head, heading, ink, marked, note, table, text } from './look.ts';
import { labelOf } from './summary.ts';

/** More columns than this cannot be read. */
const mostColumns = 4;
const longestValue = 160;

export function differencesSection({ comparison, entries }: ReportContent): Content[] {
  if (entries.length < 2) return [];
  const { differences, settings } = comparison;
  if (differences.length === 0) return [heading('Differences in the set-up'), note(`All ${settings.length} settings are the same.`)];
  const groups = chunk(
    entries.map((_, index) => index),
    mostColumns,
  );
  return [
    heading('Differences in the set-up'),
    ...groups.map((members) => differenceTable({ comparison, entries }, members)),
    note(`${differences.length} of ${settings.length} settings differ; the others are the same in all entries.`),
  ];
}

function differenceTable({ comparison, entries }: Pick<ReportContent, 'comparison' | 'entries'>, members: readonly number[]): Content {
  const rows = comparison.differences.map(({ path, values }): TableCell[] => [
    text(path),
    ...members.map((index) => text(describe(path, values[index] ?? null))),
  ]);
  const { header, widths } = { header: members.map((index) => marked(labelOf(entries, index), index)), widths: members.map(() => '*') };
  return { stack: [table({ widths: [140, ...widths], header: [head('Setting', 'left'), ...header], rows })], margin: [0, 0, 0, 8] };
}

function describe(path: string, value: string | number | boolean | null): string {
  if (value === null) return '-';
  if (path.endsWith('Pictures') && typeof value === 'number') return formatCount(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  const words = String(value);
  return words.length <= longestValue ? words : `${words.slice(0, longestValue - 1)}…`;
}

/** What the documents say beside what was measured here; nothing when no template published anything. */
export function publishedSection({ comparison, entries }: ReportContent): Content[] {
  const rows = entries.flatMap((entry, index) =>
    entry.published.flatMap((published) => {
      const source = `document ${entry.document ?? '-'}${published.note === undefined ? '' : `, ${published.note}`}`;
      const label: Content = { stack: [marked(entry.label, index), { ...text(source, { color: ink.faint }), margin: [10, 0, 0, 0] }] };
      const measures = compareMeasures(published, comparison.entries[index]);
      const column = (place: 0 | 1 | 2): TableCell => ({
        stack: measures.map((measure) => measure[place]),
        alignment: place === 0 ? 'left' : 'right',
      });
      return measures.length === 0 ? [] : [[label, column(0), column(1), column(2)]];
    }),
  );
  if (rows.length === 0) return [];
  return [
    heading('Published and measured'),
    table({ widths: ['*', 140, 90, 90], header: [head('Entry', 'left'), head('Measure', 'left'), head('Published'), head('Here')], rows }),
    note('Published times were measured on other machines; published accuracies may speak for another epoch or data than chosen here.'),
  ];
}

type Published = ReportContent['entries'][number]['published'][number];
type Compared = ReportContent['comparison']['entries'][number];

/** Measure, published and measured value, for what was published. */
function compareMeasures(published: Published, ours: Compared | undefined): [string, string, string][] {
  const measures = [
    ['Test accuracy', published.accuracy, ours?.test?.accuracy, formatPercent],
    ['Test loss', published.loss, ours?.test?.loss, formatLoss],
    ['Validation accuracy', published.validationAccuracy, ours?.validation?.accuracy, formatPercent],
    ['Validation loss', published.validationLoss, ours?.validation?.loss, formatLoss],
    ['Time', published.seconds, ours?.seconds, formatDuration],
    ['Time per epoch', published.secondsPerEpoch, ours?.secondsPerEpoch, formatDuration],
  ] as const;
  return measures.flatMap(([name, theirs, own, format]) => (theirs === undefined ? [] : [[name, format(theirs), format(own)]]));
}
