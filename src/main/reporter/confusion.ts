// Confusion matrices of the weights that the phases kept, with the measures that follow from them.
import type { Content } from 'pdfmake/interfaces.js';
import type { ReportContent, ReportResult } from '../../shared/contract/reportContent.ts';
import { confusionOption } from '../../shared/domain/charts/confusion.ts';
import { shortName } from '../../shared/domain/charts/theme.ts';
import { formatCount, formatLoss, formatPercent } from '../../shared/domain/numbers.ts';
import { drawChart } from './chartImage.ts';
import { chunk, contentWidth, head, heading, marked, note, number, table } from './look.ts';
import { pair } from './summary.ts';

/** Larger matrices get the whole width. */
const mostSideBySide = 6;
const mostReadable = 40;
/** What fits above a matrix of half the width, beside the epoch. */
const longestTitle = 24;

interface Tested {
  readonly index: number;
  readonly label: string;
  readonly result: ReportResult;
}

export function confusionSection({ entries }: ReportContent): Content[] {
  const tested = entries.flatMap(({ label, result }, index): Tested[] => (result === null ? [] : [{ index, label, result }]));
  if (tested.length === 0) return [];
  const small = tested.filter(({ result }) => result.classes.length <= mostSideBySide);
  const large = tested.filter(({ result }) => result.classes.length > mostSideBySide && result.classes.length <= mostReadable);
  const left = tested.filter(({ result }) => result.classes.length > mostReadable);
  return [
    heading('Test set'),
    measuresTable(tested),
    note('Read from the weights that each phase kept; the macro F1 is the mean over the classes.'),
    ...entries.flatMap(({ label, resultNote }) => (resultNote === null ? [] : [note(`${label}: ${resultNote}`)])),
    ...chunk(small, 2).map(([first, second]) =>
      pair(first === undefined ? { text: '' } : drawMatrix(first, half), second === undefined ? undefined : drawMatrix(second, half)),
    ),
    ...large.map((one): Content => ({ stack: [drawMatrix(one, contentWidth * 0.82)], margin: [0, 6, 0, 6], unbreakable: true })),
    ...left.map(({ label, result }) =>
      note(`The matrix of ${label} has ${result.classes.length} classes; the CSV files hold it per class.`),
    ),
  ];
}

const half = (contentWidth - 15) / 2;

function drawMatrix({ label, result }: Tested, width: number): Content {
  const { classes, confusion, epoch, rule } = result;
  const title = `${shortName(label, longestTitle)}: epoch ${epoch} (${rule})`;
  return drawChart(confusionOption({ title, classes, confusion, show: 'counts', theme: 'print' }), width, width * 0.9);
}

function measuresTable(tested: readonly Tested[]): Content {
  const titles = ['Epoch', 'Pictures', 'Accuracy', 'Macro F1', 'Kappa', 'MCC', 'Log loss', 'Calibration error', 'Top 3'];
  return table({
    widths: ['*', ...titles.map(() => 'auto')],
    header: [head('Entry', 'left'), ...titles.map((title) => head(title))],
    rows: tested.map(({ index, label, result }) => [
      marked(label, index),
      number(String(result.epoch)),
      number(formatCount(result.averages.macro.support)),
      number(formatPercent(result.averages.micro.f1)),
      number(formatLoss(result.averages.macro.f1)),
      number(formatLoss(result.cohensKappa)),
      number(formatLoss(result.matthewsCorrelation)),
      number(formatLoss(result.fromPredictions?.logLoss)),
      number(formatLoss(result.fromPredictions?.calibrationError)),
      number(formatPercent(result.fromPredictions?.topK.find(({ k }) => k === 3)?.accuracy)),
    ]),
  });
}
