import type { Comparison } from '../../../shared/contract/methods/comparison.ts';
import type { ReportSummary } from '../../../shared/contract/methods/reports.ts';
import { labelsOf } from '../../stores/comparison/figures.ts';

const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const longestTitle = 120;

/** Date and time of this machine's zone. */
export function formatMoment(at: string): string {
  return moment.format(new Date(at));
}

export function nameEntries({ entries }: ReportSummary): string {
  const [first, second] = entries;
  if (entries.length === 2 && first !== undefined && second !== undefined) return `${first.phase} and ${second.phase}`;
  return entries.length === 1 ? (first?.phase ?? '') : `${entries.length} entries`;
}

/** What a person would write above the comparison; at most 120 characters. */
export function proposeTitle(comparison: Comparison): string {
  const labels = labelsOf(comparison);
  const names = new Set(comparison.entries.map(({ name }) => name));
  const [name] = names;
  const what = labels.length <= 3 ? labels.join(' against ') : `Comparison of ${labels.length} experiments`;
  const title = names.size === 1 && name !== undefined ? `${name}: ${what}` : what;
  return title.length <= longestTitle ? title : `${title.slice(0, longestTitle - 1)}…`;
}

/** What each file holds, for people who have not opened it. */
export const fileWords = {
  report: 'Figures, differences, curves, confusion matrices, machine and versions, on pages',
  runs: 'One line per entry: parameters, times, accuracies',
  epochs: 'One line per epoch: loss and accuracy of training and validation',
  perClass: 'Precision, recall and F1 of every class',
  predictions: 'The prediction for every test image',
} as const satisfies Readonly<Record<ReportSummary['files'][number]['kind'], string>>;
