// Which pictures train, validate and test: pure functions from labels and a split definition to lists of positions in the dataset (training
// pictures first, then test pictures). Every list is ascending; the order in which an epoch visits them is `epochOrder`.
import { LabError } from '../contract/errors.ts';
import type { Holdout, Split } from '../contract/schema.ts';
import { createStream } from './rng.ts';

export interface SplitRequest {
  /** One class per picture, training pictures first. */
  readonly labels: Uint16Array;
  readonly trainCount: number;
  readonly testCount: number;
  readonly classCount: number;
  readonly split: Split;
}

export interface SplitLists {
  readonly train: Uint32Array;
  /** Equals `test` when the recipe watches its test set while training. */
  readonly validation: Uint32Array;
  readonly test: Uint32Array;
}

/** Throws LabError bad_recipe when the dataset cannot give what the split asks for. */
export function makeSplit(request: SplitRequest): SplitLists {
  const { labels, split } = request;
  const test = selectTest(request);
  const isTest = new Set(test);
  const pool = everyIndex(split.test.type === 'ownTestSet' ? request.trainCount : labels.length).filter((index) => !isTest.has(index));
  const validation = split.validation.type === 'testSet' ? test : selectValidation(request, pool, split.validation);
  const isHeldOut = new Set(validation);
  const remaining = pool.filter((index) => !isHeldOut.has(index));
  if (remaining.length === 0) {
    throw splitError('The split leaves no picture to train with.', `fewer than ${pool.length} held out`, String(validation.length));
  }
  const train = split.trainLimit === null ? remaining : limitTrain(request, remaining, split.trainLimit);
  refuseEmptyClass(request, pool, train);
  return { train, validation, test };
}

/** For a phase that trains on the validation pictures too. Throws LabError bad_recipe when these are the test pictures. */
export function joinValidation({ train, validation, test }: SplitLists): SplitLists {
  if (validation === test && test.length > 0) {
    throw splitError(
      'A phase would train on the test pictures, because the split uses them for validation.',
      'validation pictures of their own, or trainOn train',
      'trainOn trainAndValidation',
    );
  }
  return { train: Uint32Array.from([...train, ...validation]).sort(), validation: new Uint32Array(0), test };
}

function selectTest({ labels, trainCount, testCount, split }: SplitRequest): Uint32Array {
  if (split.test.type === 'ownTestSet') {
    if (testCount === 0) {
      throw splitError('The dataset has no test pictures of its own.', "a split whose test is a 'fraction' or a 'count'", 'ownTestSet');
    }
    return everyIndex(testCount).map((index) => trainCount + index);
  }
  const all = everyIndex(labels.length);
  const count = split.test.type === 'count' ? split.test.count : Math.round(split.test.fraction * all.length);
  refuseImpossibleCount('test', count, all.length);
  const order = shuffle(all, split.seed, 'split/test');
  return split.test.stratified ? takePerClass(order, labels, count) : order.slice(0, count).sort();
}

function selectValidation({ labels, split }: SplitRequest, pool: Uint32Array, holdout: Exclude<Holdout, { type: 'testSet' }>): Uint32Array {
  const shuffled = (): Uint32Array => shuffle(pool, split.seed, 'split/validation');
  switch (holdout.type) {
    case 'none':
      return new Uint32Array(0);
    case 'fraction':
    case 'count': {
      const count = holdout.type === 'count' ? holdout.count : Math.round(holdout.fraction * pool.length);
      refuseImpossibleCount('validation', count, pool.length);
      const position = holdout.type === 'count' ? holdout.position : 'random';
      const order = position === 'random' ? shuffled() : position === 'first' ? pool : pool.slice().reverse();
      return holdout.stratified ? takePerClass(order, labels, count) : order.slice(0, count).sort();
    }
    case 'fold':
      return selectFold(shuffled(), labels, holdout);
    case 'indices':
      return checkIndices(holdout.indices, labels.length, pool);
  }
}

/** Deals the shuffled pictures to the folds in turn, class after class when stratified, so sizes differ by at most one. */
function selectFold(order: Uint32Array, labels: Uint16Array, holdout: Extract<Holdout, { type: 'fold' }>): Uint32Array {
  if (holdout.fold >= holdout.folds) {
    throw splitError(
      'The split asks for a fold that does not exist.',
      `a fold from 0 to ${holdout.folds - 1}, because folds count from 0`,
      String(holdout.fold),
    );
  }
  if (holdout.folds > order.length) {
    throw splitError('The split has more folds than pictures.', `at most ${order.length} folds`, String(holdout.folds));
  }
  const dealt = holdout.stratified ? groupByClass(order, labels).flatMap((group) => group) : [...order];
  return Uint32Array.from(dealt.filter((_, position) => position % holdout.folds === holdout.fold)).sort();
}

function checkIndices(indices: readonly number[], pictureCount: number, pool: Uint32Array): Uint32Array {
  const chosen = new Set(indices);
  if (chosen.size !== indices.length) {
    const repeated = indices.find((value, position) => indices.indexOf(value) !== position);
    throw splitError('The validation list names a picture twice.', 'every position once', String(repeated));
  }
  const outside = indices.find((index) => index >= pictureCount);
  if (outside !== undefined) {
    throw splitError(
      'The validation list names a picture that does not exist.',
      `positions from 0 to ${pictureCount - 1}`,
      String(outside),
    );
  }
  const allowed = new Set(pool);
  const shared = indices.find((index) => !allowed.has(index));
  if (shared !== undefined) {
    throw splitError('The validation list names a picture of the test set.', 'positions of training pictures', String(shared));
  }
  return Uint32Array.from(indices).sort();
}

function limitTrain({ labels, classCount, split }: SplitRequest, train: Uint32Array, limit: number): Uint32Array {
  if (limit > train.length) {
    throw splitError('trainLimit is larger than the training set.', `at most ${train.length} pictures`, String(limit));
  }
  if (limit < groupByClass(train, labels).length) {
    throw splitError('trainLimit would leave a class without pictures.', `at least ${classCount}, one per class`, String(limit));
  }
  return takePerClass(shuffle(train, split.seed, 'split/trainLimit'), labels, limit);
}

function refuseEmptyClass({ labels, classCount }: SplitRequest, pool: Uint32Array, train: Uint32Array): void {
  const before = countClasses(pool, labels, classCount);
  const after = countClasses(train, labels, classCount);
  const empty = after.findIndex((count, label) => count === 0 && (before[label] ?? 0) > 0);
  if (empty >= 0) {
    throw splitError(
      `The split leaves class ${empty} without a picture to train with.`,
      'at least one training picture of every class',
      `${String(before[empty])} pictures of class ${empty}, all held out or left out`,
    );
  }
}

/** The first pictures of `order` from each class, as many as the class's share of `count` (largest remainder); ascending. */
function takePerClass(order: Uint32Array, labels: Uint16Array, count: number): Uint32Array {
  const groups = groupByClass(order, labels);
  const quotas = apportion(
    groups.map((group) => group.length),
    count,
  );
  return Uint32Array.from(groups.flatMap((group, index) => group.slice(0, quotas[index] ?? 0))).sort();
}

/** Whole shares of `total` in proportion to the sizes: rounded down, the rest to the largest remainders, earlier ones first when equal. */
export function apportion(sizes: readonly number[], total: number): number[] {
  const sum = sizes.reduce((left, right) => left + right, 0);
  const shares = sizes.map((size) => Math.floor((size * total) / sum));
  const missing = total - shares.reduce((left, right) => left + right, 0);
  const order = sizes
    .map((size, index) => ({ index, remainder: (size * total) % sum }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of order.slice(0, missing)) shares[index] = (shares[index] ?? 0) + 1;
  return shares;
}

/** Groups of classes that occur, in the order of their labels, each in the order given. */
function groupByClass(order: Uint32Array, labels: Uint16Array): number[][] {
  const groups = new Map<number, number[]>();
  for (const index of order) {
    const label = labels[index] ?? 0;
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [index]);
    else group.push(index);
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group);
}

function countClasses(indices: Uint32Array, labels: Uint16Array, classCount: number): number[] {
  const counts = Array.from({ length: classCount }, () => 0);
  for (const index of indices) {
    const label = labels[index] ?? 0;
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
}

function everyIndex(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

function shuffle(indices: Uint32Array, seed: number, purpose: string): Uint32Array {
  return createStream(seed, purpose)
    .permutation(indices.length)
    .map((position) => indices[position] ?? 0);
}

function refuseImpossibleCount(part: 'test' | 'validation', count: number, available: number): void {
  if (count >= 1 && count < available) return;
  throw splitError(
    `The ${part} set cannot be held out of ${available} pictures.`,
    `from 1 to ${available - 1} pictures, so that some remain for training`,
    String(count),
  );
}

function splitError(message: string, expected: string, received: string): LabError {
  return new LabError('bad_recipe', message, { expected, received, help: 'Change the split of the recipe, or choose another dataset.' });
}

export interface ClassSelection {
  /** The given positions whose class the phase uses, in the given order. */
  readonly indices: Uint32Array;
  /** The new label of each of them. */
  readonly labels: Uint16Array;
  /** Dataset label to new label; labels that are not used have no entry. */
  readonly labelMap: ReadonlyMap<number, number>;
}

/** Relabels classes 0.. in the order of the list; null keeps every picture and its label. */
export function selectClasses(indices: Uint32Array, labels: Uint16Array, classes: readonly number[] | null): ClassSelection {
  const occurring = classes ?? [...new Set(labels)].sort((a, b) => a - b);
  const labelMap = new Map(occurring.map((label, position) => [label, classes === null ? label : position]));
  const kept = indices.filter((index) => labelMap.has(labels[index] ?? 0));
  const relabelled = Uint16Array.from(kept, (index) => labelMap.get(labels[index] ?? 0) ?? 0);
  return { indices: kept, labels: relabelled, labelMap };
}

/** Order in which epoch `epoch` (from 1) of phase `phase` (from 0) visits `count` pictures; the same arguments give the same order. */
export function epochOrder(count: number, seed: number, epoch: number, phase: number): Uint32Array {
  return createStream(seed, 'epochOrder', phase, epoch).permutation(count);
}
