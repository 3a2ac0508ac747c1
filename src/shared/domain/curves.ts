// ROC and precision-recall curves of one class against the rest, and their areas. Definitions are scikit-learn's; every distinct score is
// one threshold, so equal scores fall together.
import type { Predictions } from './metrics.ts';

interface Threshold {
  readonly score: number;
  readonly truePositives: number;
  readonly falsePositives: number;
}

export interface RocCurve {
  /** Descending; the first is Infinity, where nothing is called positive. */
  readonly thresholds: readonly number[];
  readonly falsePositiveRate: readonly number[];
  readonly truePositiveRate: readonly number[];
  /** By trapezoids. */
  readonly area: number;
}

export interface PrecisionRecallCurve {
  /** Descending, so recall rises. */
  readonly thresholds: readonly number[];
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  /** Average precision: precision summed over the steps of recall, without interpolation. */
  readonly area: number;
}

/** null when all pictures or none belong to the class: the curve is not defined then. */
export function rocCurve(isPositive: readonly boolean[], scores: ArrayLike<number>): RocCurve | null {
  const steps = countThresholds(isPositive, scores);
  const last = steps.at(-1);
  if (last === undefined || last.truePositives === 0 || last.falsePositives === 0) return null;
  const falsePositiveRate = [0, ...steps.map((step) => step.falsePositives / last.falsePositives)];
  const truePositiveRate = [0, ...steps.map((step) => step.truePositives / last.truePositives)];
  const area = falsePositiveRate.slice(1).reduce((total, rate, index) => {
    const height = ((truePositiveRate[index] ?? 0) + (truePositiveRate[index + 1] ?? 0)) / 2;
    return total + (rate - (falsePositiveRate[index] ?? 0)) * height;
  }, 0);
  return { thresholds: [Infinity, ...steps.map((step) => step.score)], falsePositiveRate, truePositiveRate, area };
}

/** null when no picture belongs to the class. */
export function precisionRecallCurve(isPositive: readonly boolean[], scores: ArrayLike<number>): PrecisionRecallCurve | null {
  const steps = countThresholds(isPositive, scores);
  const positives = steps.at(-1)?.truePositives ?? 0;
  if (positives === 0) return null;
  const precision = steps.map((step) => step.truePositives / (step.truePositives + step.falsePositives));
  const recall = steps.map((step) => step.truePositives / positives);
  const area = precision.reduce((total, value, index) => total + value * ((recall[index] ?? 0) - (recall[index - 1] ?? 0)), 0);
  return { thresholds: steps.map((step) => step.score), precision, recall, area };
}

function countThresholds(isPositive: readonly boolean[], scores: ArrayLike<number>): Threshold[] {
  const order = Uint32Array.from(isPositive, (_, index) => index).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const steps: Threshold[] = [];
  let truePositives = 0;
  let falsePositives = 0;
  for (const [position, index] of order.entries()) {
    if (isPositive[index] === true) truePositives += 1;
    else falsePositives += 1;
    const score = scores[index] ?? 0;
    const next = order[position + 1];
    if (next === undefined || scores[next] !== score) steps.push({ score, truePositives, falsePositives });
  }
  return steps;
}

export interface AreasUnderCurve {
  /** One per class; null where the curve is not defined. */
  readonly classes: readonly (number | null)[];
  /** Mean over the classes that have a curve; null without any. */
  readonly macro: number | null;
  /** The same, weighted with the pictures of each class. */
  readonly weighted: number | null;
}

/** Every class against the rest. */
export function areasUnderCurve({ labels, probabilities, classCount }: Predictions, kind: 'roc' | 'precisionRecall'): AreasUnderCurve {
  const areas = Array.from({ length: classCount }, (_, label) => {
    const isPositive = Array.from({ length: labels.length }, (_unused, row) => labels[row] === label);
    const scores = Float64Array.from({ length: labels.length }, (_unused, row) => probabilities[row * classCount + label] ?? 0);
    const curve = kind === 'roc' ? rocCurve(isPositive, scores) : precisionRecallCurve(isPositive, scores);
    return { area: curve?.area ?? null, support: isPositive.filter(Boolean).length };
  });
  const defined = areas.flatMap(({ area, support }) => (area === null ? [] : [{ area, support }]));
  const pictures = defined.reduce((total, { support }) => total + support, 0);
  const mean = (weightOf: (support: number) => number): number | null =>
    defined.length === 0 ? null : defined.reduce((total, { area, support }) => total + area * weightOf(support), 0);
  return {
    classes: areas.map(({ area }) => area),
    macro: mean(() => 1 / defined.length),
    weighted: mean((support) => support / pictures),
  };
}
