// The measures of a result in the order they are read, each with one sentence for people who have not met it before, and with what the
// document of the template says.
import type { Result } from '../../../shared/contract/methods/results.ts';
import { formatLoss, formatPercent, formatPercentDifference } from '../../../shared/domain/numbers.ts';

export interface Measure {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
  /** One per published result that has it, with the difference of the run from it. */
  readonly published: readonly { readonly value: string; readonly difference: string; readonly note: string | null }[];
}

const absent = 'not defined';

export function listMeasures(result: Result): Measure[] {
  const { accuracy, loss, averages } = result;
  return [
    {
      name: 'Accuracy',
      value: formatPercent(accuracy),
      meaning: 'How many of the test images got their true class as the most probable one.',
      published: comparePublished(result, (one) => one.accuracy, accuracy, formatPercent, formatPercentDifference),
    },
    {
      name: 'Loss',
      value: formatLoss(loss),
      meaning: 'What training made small, as a mean over the test images; lower is better.',
      published: comparePublished(result, (one) => one.loss, loss, formatLoss, formatLossDifference),
    },
    ...result.topK
      .filter(({ k }) => k > 1)
      .map(({ k, accuracy: share }) => ({
        name: `Top-${k} accuracy`,
        value: formatPercent(share),
        meaning: `How many of the test images have their true class among the ${k} most probable ones.`,
        published: [],
      })),
    {
      name: 'Macro F1',
      value: formatPercent(averages.macro.f1),
      meaning: 'The mean over classes of F1, which balances precision and recall; every class counts the same, however rare.',
      published: [],
    },
    {
      name: 'Log loss',
      value: formatLoss(result.logLoss),
      meaning: 'Mean of −ln of the probability given to the true class; confident mistakes cost most; lower is better.',
      published: [],
    },
    {
      name: 'Calibration error (ECE)',
      value: formatPercent(result.calibrationError),
      meaning: 'How far stated probabilities are from how often they come true, on average; 0 % means they can be taken at their word.',
      published: [],
    },
    {
      name: "Cohen's kappa",
      value: result.cohensKappa === null ? absent : formatLoss(result.cohensKappa),
      meaning: 'Agreement with the labels beyond what chance gives: 1 is perfect, 0 is guessing.',
      published: [],
    },
    {
      name: 'Matthews correlation',
      value: formatLoss(result.matthewsCorrelation),
      meaning: 'Correlation of predicted and true classes, fair to rare classes: 1 is perfect, 0 is guessing.',
      published: [],
    },
  ];
}

type Published = Result['published'][number];

function comparePublished(
  { published }: Result,
  pick: (one: Published) => number | undefined,
  own: number,
  format: (value: number) => string,
  formatDifference: (value: number) => string,
): Measure['published'] {
  return published.flatMap((one) => {
    const value = pick(one);
    if (value === undefined) return [];
    return [{ value: format(value), difference: formatDifference(own - value), note: one.note ?? null }];
  });
}

/** With its sign, four decimals. */
function formatLossDifference(difference: number): string {
  const text = formatLoss(Math.abs(difference));
  const sign = Number(text) === 0 ? '±' : difference > 0 ? '+' : '−';
  return sign + text;
}

export interface Confusion {
  readonly label: number;
  readonly predicted: number;
  readonly images: number;
  /** Of all images of the class. */
  readonly share: number;
}

/** Pairs of classes that are taken for one another most often, most frequent first. */
export function listConfusions(confusion: Result['confusion'], most: number): Confusion[] {
  const wrong = confusion.flatMap((row, label) => {
    const total = row.reduce((sum, images) => sum + images, 0);
    return row.map((images, predicted) => ({ label, predicted, images, share: images / Math.max(1, total) }));
  });
  return wrong
    .filter(({ label, predicted, images }) => label !== predicted && images > 0)
    .sort((first, second) => second.images - first.images)
    .slice(0, most);
}

/** The rules by which a phase keeps one of its epochs, in words that follow "epoch 4". */
export const ruleWords: Readonly<Record<string, string>> = {
  last: 'the last one',
  bestValLoss: 'of the best validation loss',
  bestValAccuracy: 'of the best validation accuracy',
};
