// Entry of a prefetch thread: augments whatever slot of the ring is ready, oldest first, and sleeps when there is none. It loads neither
// TensorFlow nor files; everything it needs comes with workerData. createPrefetcher starts it and ends it through the control words.
import { workerData } from 'node:worker_threads';
import type { Augmentation } from '../../shared/contract/augmentation.ts';
import type { PictureShape } from '../../shared/domain/augment.ts';
import { type RingLayout, controlField, createSlotWork, tryWork, viewRing } from './augmentRing.ts';

export interface PrefetchThreadData {
  readonly memory: SharedArrayBuffer;
  readonly layout: RingLayout;
  readonly augmentation: Augmentation;
  readonly shape: PictureShape;
  readonly seed: number;
  readonly phase: number;
}

run(workerData as PrefetchThreadData);

function run(data: PrefetchThreadData): void {
  const { control, slots } = viewRing(data.memory, data.layout);
  const work = createSlotWork(data);
  while (Atomics.load(control, controlField.stop) === 0) {
    const seen = Atomics.load(control, controlField.wake);
    const first = Atomics.load(control, controlField.first);
    const oldestFirst = [...slots.slice(first), ...slots.slice(0, first)];
    const hasWorked = oldestFirst.some((slot) => tryWork(slot, work));
    if (!hasWorked) Atomics.wait(control, controlField.wake, seen);
  }
}
