// How good predictions are: from labels and probabilities (row after row, one row of `classCount` numbers per picture) or from a confusion
// matrix (rows are true classes, columns predicted ones). Definitions are scikit-learn's. Curves are in curves.ts, comparisons of two runs
// in significance.ts.

/** Float32's machine epsilon: scikit-learn keeps this distance from 0 before taking the logarithm of a float32 probability. */
const smallestProbability = 2 ** -23;

export type ConfusionMatrix = readonly (readonly number[])[];

/** One row of probabilities per label. */
export interface Predictions {
  readonly labels: ArrayLike<number>;
  readonly probabilities: ArrayLike<number>;
  readonly classCount: number;
}

/** The class with the highest probability, the first one among equals. */
export function predictClasses({ labels, probabilities, classCount }: Predictions): Uint16Array {
  return Uint16Array.from({ length: labels.length }, (_, row) => {
    let best = 0;
    for (let column = 1; column < classCount; column += 1) {
      if (at(probabilities, row * classCount + column) > at(probabilities, row * classCount + best)) best = column;
    }
    return best;
  });
}

export function countConfusion(labels: ArrayLike<number>, predicted: ArrayLike<number>, classCount: number): number[][] {
  const matrix = Array.from({ length: classCount }, () => Array.from({ length: classCount }, () => 0));
  for (let index = 0; index < labels.length; index += 1) {
    const row = matrix[at(labels, index)];
    const column = at(predicted, index);
    if (row !== undefined) row[column] = (row[column] ?? 0) + 1;
  }
  return matrix;
}

/** Share of the pictures on the diagonal; 0 without pictures. */
export function accuracyOf(confusion: ConfusionMatrix): number {
  return divide(sum(diagonal(confusion)), sum(confusion.map(sum)));
}

export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Pictures of the class. */
  readonly support: number;
}

export interface ClassReport {
  readonly classes: readonly ClassScores[];
  /** Over all pictures together; equal to the accuracy when every picture has exactly one class. */
  readonly micro: ClassScores;
  /** Mean over the classes. */
  readonly macro: ClassScores;
  /** Mean over the classes, weighted with their support. */
  readonly weighted: ClassScores;
}

/** A score whose denominator is 0 (a class that never occurs or is never predicted) is 0. */
export function reportClasses(confusion: ConfusionMatrix): ClassReport {
  const predicted = confusion.map((_, column) => sum(confusion.map((row) => row[column] ?? 0)));
  const classes = confusion.map((row, label) => {
    const hits = row[label] ?? 0;
    const support = sum(row);
    const precision = divide(hits, predicted[label] ?? 0);
    const recall = divide(hits, support);
    return { precision, recall, f1: divide(2 * hits, support + (predicted[label] ?? 0)), support };
  });
  const total = sum(classes.map((scores) => scores.support));
  const accuracy = accuracyOf(confusion);
  const average = (weightOf: (scores: ClassScores) => number): ClassScores => ({
    precision: sum(classes.map((scores) => scores.precision * weightOf(scores))),
    recall: sum(classes.map((scores) => scores.recall * weightOf(scores))),
    f1: sum(classes.map((scores) => scores.f1 * weightOf(scores))),
    support: total,
  });
  return {
    classes,
    micro: { precision: accuracy, recall: accuracy, f1: accuracy, support: total },
    macro: average(() => divide(1, classes.length)),
    weighted: average((scores) => divide(scores.support, total)),
  };
}

/** Share of pictures with fewer than k classes more probable than the true one; classes as probable do not count, as in tf.math.in_top_k. */
export function topKAccuracy({ labels, probabilities, classCount }: Predictions, k: number): number {
  let hits = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const own = at(probabilities, row * classCount + at(labels, row));
    let better = 0;
    for (let column = 0; column < classCount; column += 1) {
      if (at(probabilities, row * classCount + column) > own) better += 1;
    }
    if (better < k) hits += 1;
  }
  return divide(hits, labels.length);
}

/** Mean of -ln(probability of the true class), in natural units. */
export function logLoss({ labels, probabilities, classCount }: Predictions): number {
  let total = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const own = at(probabilities, row * classCount + at(labels, row));
    total -= Math.log(Math.min(Math.max(own, smallestProbability), 1 - smallestProbability));
  }
  return divide(total, labels.length);
}

/** Expected calibration error: mean distance of confidence and accuracy over bins (low, high] of equal width, weighted with their pictures. */
export function calibrationError(predictions: Predictions, binCount = 15): number {
  const bins = Array.from({ length: binCount }, () => ({ pictures: 0, confidence: 0, hits: 0 }));
  for (const [row, label] of predictClasses(predictions).entries()) {
    const confidence = at(predictions.probabilities, row * predictions.classCount + label);
    const bin = bins[Math.min(binCount, Math.ceil(confidence * binCount)) - 1];
    if (bin === undefined) continue;
    bin.pictures += 1;
    bin.confidence += confidence;
    bin.hits += label === at(predictions.labels, row) ? 1 : 0;
  }
  return divide(sum(bins.map((bin) => Math.abs(bin.hits - bin.confidence))), predictions.labels.length);
}

/** Agreement beyond chance (Cohen 1960); null when chance alone agrees always, as with a single class. */
export function cohensKappa(confusion: ConfusionMatrix): number | null {
  const { total, hits, rows, columns } = margins(confusion);
  const chance = sum(rows.map((count, label) => count * (columns[label] ?? 0)));
  return total === 0 || chance === total * total ? null : (hits * total - chance) / (total * total - chance);
}

/** Matthews correlation for several classes (Gorodkin 2004); 0 when one side has a single class. */
export function matthewsCorrelation(confusion: ConfusionMatrix): number {
  const { total, hits, rows, columns } = margins(confusion);
  const covariance = (first: readonly number[], second: readonly number[]): number =>
    total * total - sum(first.map((count, label) => count * (second[label] ?? 0)));
  const numerator = hits * total - sum(rows.map((count, label) => count * (columns[label] ?? 0)));
  return divide(numerator, Math.sqrt(covariance(rows, rows) * covariance(columns, columns)));
}

function margins(confusion: ConfusionMatrix) {
  const rows = confusion.map(sum);
  const columns = confusion.map((_, column) => sum(confusion.map((row) => row[column] ?? 0)));
  return { total: sum(rows), hits: sum(diagonal(confusion)), rows, columns };
}

function diagonal(confusion: ConfusionMatrix): number[] {
  return confusion.map((row, label) => row[label] ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function divide(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? 0;
}
