// Which pictures a phase trains on and in which batch each of them comes: by the same split, class selection, order and schedule as the
// training. Knows no pixels.
import type { ViewerRequest } from '../../shared/contract/viewer.ts';
import { epochOrder, joinValidation, makeSplit, selectClasses } from '../../shared/domain/split.ts';
import { createSchedule, type BatchSchedule } from '../data/schedule.ts';
import type { OpenStore } from './stores.ts';

/** One phase of a recipe on one dataset. */
export interface PhaseView {
  /** Dataset positions of the samples; the place in it is the sample's number. */
  readonly indices: Uint32Array;
  readonly schedule: BatchSchedule;
}

export type PhaseRequest = Pick<ViewerRequest<'augmented'>, 'fingerprint' | 'split' | 'phase' | 'position' | 'seed'>;

const mostViews = 4;
const mostOrders = 12;

/** Views are remembered, because sliders ask for the same phase again and again; throws `bad_recipe` where the training would. */
export function createPhaseShelf(): (open: OpenStore, request: PhaseRequest) => PhaseView {
  const views = new Map<string, PhaseView>();
  return (open, request) => {
    const { classes, trainOn, batchSize, stepsPerEpoch } = request.phase;
    const key = JSON.stringify([
      request.fingerprint,
      request.split,
      classes,
      trainOn,
      batchSize,
      stepsPerEpoch,
      request.position,
      request.seed,
    ]);
    return remember(views, key, mostViews, () => makeView(open, request));
  };
}

function makeView({ store, labels }: OpenStore, { split, phase, position, seed }: PhaseRequest): PhaseView {
  const { trainCount, testCount, classes } = store.manifest;
  const lists = makeSplit({ labels, trainCount, testCount, classCount: classes.length, split });
  const used = phase.trainOn === 'trainAndValidation' ? joinValidation(lists) : lists;
  const { indices } = selectClasses(used.train, labels, phase.classes);
  const orders = new Map<number, Uint32Array>();
  const order = (pass: number): Uint32Array =>
    remember(orders, pass, mostOrders, () => epochOrder(indices.length, seed, pass + 1, position));
  const { batchSize, stepsPerEpoch } = phase;
  const schedule = createSchedule({ count: Math.max(1, indices.length), batchSize, order, stepsPerEpoch });
  return { indices, schedule };
}

/** The value of the key, made when it is not among the last `most` that were used. */
export function remember<Key, Value>(known: Map<Key, Value>, key: Key, most: number, make: () => Value): Value {
  const value = known.get(key) ?? make();
  known.delete(key);
  known.set(key, value);
  const [oldest] = known.keys();
  if (known.size > most && oldest !== undefined) known.delete(oldest);
  return value;
}
