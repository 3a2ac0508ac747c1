// The predictions that finished phases kept, for people: measures over the whole test set and pages of single predictions. A file is read
// and verified once; the last few stay in memory, so that turning a page costs milliseconds.
import { z } from 'zod';
import { LabError } from '../../shared/contract/errors.ts';
import type { Prediction } from '../../shared/contract/methods/results.ts';
import { validate } from '../../shared/contract/validation.ts';
import type { ViewerAnswer, ViewerRequest } from '../../shared/contract/viewer.ts';
import {
  calibrationError,
  cohensKappa,
  countConfusion,
  logLoss,
  matthewsCorrelation,
  predictClasses,
  reportClasses,
  topKAccuracy,
  type Predictions,
} from '../../shared/domain/metrics.ts';
import { readKeptFile, type KeptFile } from '../data/keptFile.ts';
import { decodeTensors } from '../engine/safetensors.ts';

export interface ResultShelf {
  measure(request: ViewerRequest<'measures'>): ViewerAnswer<'measures'>;
  list(request: ViewerRequest<'predictions'>): ViewerAnswer<'predictions'>;
}

const mostHeld = 6;
const rankings = [1, 3, 5];
/** Enough digits to tell any two float32 numbers apart, at half the length of a double. */
const float32Digits = 9;

export function createResultShelf(): ResultShelf {
  const predictions = createShelf(openPredictions);
  const testSets = createShelf(readTestSet);
  return {
    measure: (request) => predictions(request.predictions).measure(),
    list: (request) => listPredictions(predictions(request.predictions), testSets(request.split), request),
  };
}

/** Remembers what was made of the last few files by their content. */
function createShelf<Content>(open: (file: KeptFile) => Content): (file: KeptFile) => Content {
  const held = new Map<string, Content>();
  return (file) => {
    const found = held.get(file.sha256) ?? open(file);
    held.delete(file.sha256);
    held.set(file.sha256, found);
    const [oldest] = held.keys();
    if (held.size > mostHeld && oldest !== undefined) held.delete(oldest);
    return found;
  };
}

type Order = ViewerRequest<'predictions'>['order'];

interface OpenPredictions extends Predictions {
  readonly labels: Int32Array;
  readonly predicted: Uint16Array;
  measure(): ViewerAnswer<'measures'>;
  /** Rows in the order asked for, equal ones by position; shared, so not to be written to. */
  rows(order: Order): Uint32Array;
}

function openPredictions(file: KeptFile): OpenPredictions {
  const given = readPredictions(file);
  const predicted = predictClasses(given);
  const rowsByOrder = new Map<Order, Uint32Array>();
  let measures: ViewerAnswer<'measures'> | undefined;
  return {
    ...given,
    predicted,
    measure: () => (measures ??= measurePredictions(given, predicted)),
    rows(order) {
      const found = rowsByOrder.get(order) ?? sortRows(given, predicted, order);
      rowsByOrder.set(order, found);
      return found;
    },
  };
}

function readPredictions(file: KeptFile): Predictions & { readonly labels: Int32Array } {
  const { tensors } = decodeTensors(readKeptFile(file), file.path);
  const labels = tensors.find((tensor) => tensor.name === 'labels');
  const probabilities = tensors.find((tensor) => tensor.name === 'probabilities');
  const [images, classCount] = probabilities?.shape ?? [];
  if (!(labels?.data instanceof Int32Array) || probabilities === undefined || classCount === undefined || images !== labels.data.length) {
    throw damaged(
      file.path,
      'labels [n] and probabilities [n, classes]',
      tensors.map(({ name, shape }) => `${name} [${shape.join(', ')}]`),
    );
  }
  return { labels: labels.data, probabilities: probabilities.data, classCount };
}

function measurePredictions(given: Predictions, predicted: Uint16Array): ViewerAnswer<'measures'> {
  const { labels, classCount } = given;
  const confusion = countConfusion(labels, predicted, classCount);
  const { classes, micro, macro, weighted } = reportClasses(confusion);
  return {
    images: labels.length,
    topK: rankings.filter((k) => classCount > k).map((k) => ({ k, accuracy: topKAccuracy(given, k) })),
    logLoss: logLoss(given),
    calibrationError: calibrationError(given),
    cohensKappa: cohensKappa(confusion),
    matthewsCorrelation: matthewsCorrelation(confusion),
    confusion,
    perClass: [...classes],
    averages: { micro, macro, weighted },
  };
}

function sortRows({ labels, probabilities, classCount }: Predictions, predicted: Uint16Array, order: Order): Uint32Array {
  const rows = Uint32Array.from(predicted.keys());
  if (order === 'position') return rows;
  // Ascending: the least certain true class first, or the most certain answer.
  const keys = Float64Array.from(rows, (row) => {
    const wanted = order === 'surprise' ? labels[row] : predicted[row];
    const probability = probabilities[row * classCount + (wanted ?? 0)] ?? 0;
    return order === 'surprise' ? probability : -probability;
  });
  return rows.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
}

const splitFileSchema = z.object({ test: z.array(z.int().nonnegative()) });

/** Pictures of the dataset in the order of the predictions. */
function readTestSet(file: KeptFile): readonly number[] {
  const content: unknown = JSON.parse(new TextDecoder().decode(readKeptFile(file)));
  return validate(splitFileSchema, content, file.path, { code: 'workspace_damaged' }).test;
}

function listPredictions(
  open: OpenPredictions,
  testSet: readonly number[],
  request: ViewerRequest<'predictions'>,
): ViewerAnswer<'predictions'> {
  if (testSet.length !== open.labels.length) {
    throw damaged(request.split.path, `${open.labels.length} test pictures`, [String(testSet.length)]);
  }
  const chosen = open.rows(request.order).filter((row) => fits(open, row, request));
  const shown = chosen.subarray(request.offset, request.offset + request.limit);
  return { total: chosen.length, predictions: Array.from(shown, (row) => describeRow(open, testSet[row] ?? 0, row)) };
}

function fits(
  { labels, predicted }: OpenPredictions,
  row: number,
  { outcome, label, predicted: answer }: ViewerRequest<'predictions'>,
): boolean {
  const isRight = labels[row] === predicted[row];
  if (outcome !== 'all' && isRight !== (outcome === 'right')) return false;
  return (label === null || labels[row] === label) && (answer === null || predicted[row] === answer);
}

function describeRow({ labels, predicted, probabilities, classCount }: OpenPredictions, index: number, row: number): Prediction {
  const own = Array.from({ length: classCount }, (_, column) =>
    Number((probabilities[row * classCount + column] ?? 0).toPrecision(float32Digits)),
  );
  const answer = predicted[row] ?? 0;
  return { position: row, index, label: labels[row] ?? 0, predicted: answer, confidence: own[answer] ?? 0, probabilities: own };
}

function damaged(path: string, expected: string, received: readonly string[]): LabError {
  return new LabError('workspace_damaged', `The file ${path} does not hold the predictions of this phase.`, {
    expected,
    received: received.join(', '),
    help: 'Train the run again.',
  });
}
