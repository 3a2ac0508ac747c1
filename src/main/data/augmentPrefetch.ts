/**
 * Augments the batches of the coming steps on worker threads while TensorFlow trains the present one.
 *
 * Owns a ring of shared memory, its threads and the guess that step s + 1 follows step s. The result of a step is a pure function of
 * (seed, pass, sample) and for mixes of (seed, epoch, step), so it is the same to the last bit with any number of threads and any timing. The loop uses the source as any
 * other: fill() answers synchronously, and makes the batch itself when no thread has begun it. Whoever creates it calls close().
 */
import { Worker } from 'node:worker_threads';
import { LabError } from '../../shared/contract/errors.ts';
import { createMixDrawer, pictureSizeOf, type AugmenterOptions } from './augment.ts';
import { mixLabels } from './augmentMix.ts';
import {
  type Ring,
  type RingSlot,
  allocateRing,
  controlField,
  createSlotWork,
  slotField,
  slotState,
  tryWork,
  viewRing,
} from './augmentRing.ts';
import type { BatchMix, BatchSource } from './batches.ts';

export interface PrefetchOptions extends AugmenterOptions {
  /** The file of augmentWorker.ts, bundled or not; only the entry of a program knows where its files lie. */
  readonly workerFile: URL;
  readonly threads?: number;
  /** Batches in memory: the present one, the one before it, and those made ahead. */
  readonly slots?: number;
}

export interface PrefetchedSource extends BatchSource<Float32Array> {
  /** Batches that fill() had to make itself because no thread had begun them. */
  readonly ownBatches: number;
  /** Ends the threads; the batches handed out stay readable. */
  close(): void;
}

interface Position {
  readonly epoch: number;
  readonly step: number;
}

const patienceMs = 30_000;

/** The augmented form of `source`; its memory is `slots` batches of bytes and float pixels. */
export function createPrefetcher(source: BatchSource<Uint8Array>, options: PrefetchOptions): PrefetchedSource {
  const prefetcher = new Prefetcher(source, options);
  return {
    sampleShape: source.sampleShape,
    sampleCount: source.sampleCount,
    steps: source.steps,
    samplesIn: (epoch) => source.samplesIn(epoch),
    fill: (epoch, step) => prefetcher.fill({ epoch, step }),
    get ownBatches() {
      return prefetcher.ownBatches;
    },
    close: () => prefetcher.close(),
  };
}

class Prefetcher {
  ownBatches = 0;
  readonly #source: BatchSource<Uint8Array>;
  readonly #passAt: (epoch: number, step: number) => number;
  readonly #batchSize: number;
  readonly #pictureSize: number;
  readonly #ring: Ring;
  readonly #labels: readonly Int32Array[];
  readonly #work: (slot: RingSlot) => void;
  readonly #drawRows: ReturnType<typeof createMixDrawer>;
  #failure: unknown = null;
  /** Positions on their way; the first lies in slot #first. */
  #queue: Position[] = [];
  #first = 0;

  constructor(source: BatchSource<Uint8Array>, options: PrefetchOptions) {
    const { augmentation, shape, seed, phase, batchSize, threads = 1, slots: slotCount = 4 } = options;
    if (slotCount < 3) throw new LabError('internal', `A prefetcher needs at least 3 slots, not ${slotCount}.`);
    this.#source = source;
    this.#passAt = options.passAt ?? ((epoch) => epoch);
    this.#batchSize = batchSize;
    this.#pictureSize = pictureSizeOf(shape);
    const layout = { slotCount, batchSize, pictureSize: this.#pictureSize };
    const memory = allocateRing(layout);
    this.#ring = viewRing(memory, layout);
    this.#labels = this.#ring.slots.map(() => new Int32Array(batchSize));
    this.#work = createSlotWork(options);
    this.#drawRows = createMixDrawer(options);
    for (let thread = 0; thread < threads; thread++) {
      const worker = new Worker(options.workerFile, { workerData: { memory, layout, augmentation, shape, seed, phase } });
      worker.on('error', (error: unknown) => {
        this.#failure = error;
      });
      // A trainer that ends must not be held up by a thread that waits for work.
      worker.unref();
    }
  }

  fill(wanted: Position): ReturnType<BatchSource<Float32Array>['fill']> {
    if (this.#failure !== null) throw new LabError('internal', 'A thread that prepares pictures failed.', { cause: this.#failure });
    const expected = this.#queue[0];
    if (expected !== undefined && (expected.epoch !== wanted.epoch || expected.step !== wanted.step)) this.#discard();
    if (this.#queue.length === 0) this.#enqueue(wanted);
    // One slot stays out: the batch handed out last, which the caller may still be using.
    while (this.#queue.length < this.#ring.slots.length - 1) this.#enqueue(this.#following());
    const { slot, labels } = this.#slotAt(0);
    if (tryWork(slot, this.#work)) this.ownBatches += 1;
    else if (!waitUntilMade(slot)) this.#work(slot);
    this.#queue.shift();
    this.#first = (this.#first + 1) % this.#ring.slots.length;
    Atomics.store(this.#ring.control, controlField.first, this.#first);
    const count = slot.header[slotField.count] ?? 0;
    return {
      count,
      input: slot.target.subarray(0, count * this.#pictureSize),
      labels: labels.subarray(0, count),
      samples: slot.samples.subarray(0, count),
      mix: this.#mix(wanted, labels.subarray(0, count)),
    };
  }

  /** Drawn here once more: cheaper than a place in the shared memory. */
  #mix({ epoch, step }: Position, labels: Int32Array): BatchMix | null {
    const rows = this.#drawRows(epoch, step, labels.length);
    return rows === null ? null : mixLabels(labels, rows);
  }

  close(): void {
    Atomics.store(this.#ring.control, controlField.stop, 1);
    this.#wake();
  }

  #enqueue(position: Position): void {
    const { slot, labels } = this.#slotAt(this.#queue.length);
    const batch = this.#source.fill(position.epoch, position.step);
    if (batch.count > this.#batchSize)
      throw new LabError('internal', `A batch of ${batch.count} pictures came to a prefetcher made for ${this.#batchSize}.`);
    slot.input.set(batch.input);
    slot.samples.set(batch.samples);
    labels.set(batch.labels);
    slot.header[slotField.count] = batch.count;
    slot.header[slotField.pass] = this.#passAt(position.epoch, position.step);
    slot.header[slotField.epoch] = position.epoch;
    slot.header[slotField.step] = position.step;
    Atomics.store(slot.header, slotField.state, slotState.ready);
    this.#queue.push(position);
    this.#wake();
  }

  #following(): Position {
    const last = this.#queue.at(-1) ?? { epoch: 0, step: -1 };
    return last.step + 1 < this.#source.steps ? { epoch: last.epoch, step: last.step + 1 } : { epoch: last.epoch + 1, step: 0 };
  }

  /** Forgets the queue after a jump; a slot that a thread works on has to be waited for before it may be filled anew. */
  #discard(): void {
    for (let index = 0; index < this.#queue.length; index++) {
      const { slot } = this.#slotAt(index);
      const { ready, empty } = slotState;
      if (Atomics.compareExchange(slot.header, slotField.state, ready, empty) !== ready) waitUntilMade(slot);
    }
    this.#queue = [];
  }

  #slotAt(ahead: number): { readonly slot: RingSlot; readonly labels: Int32Array } {
    const index = (this.#first + ahead) % this.#ring.slots.length;
    const slot = this.#ring.slots[index];
    const labels = this.#labels[index];
    if (slot === undefined || labels === undefined) throw new LabError('internal', `The prefetch ring has no slot ${index}.`);
    return { slot, labels };
  }

  #wake(): void {
    Atomics.add(this.#ring.control, controlField.wake, 1);
    Atomics.notify(this.#ring.control, controlField.wake);
  }
}

/** Blocks until the thread that took the slot has finished; false when it failed. */
function waitUntilMade({ header }: RingSlot): boolean {
  while (Atomics.load(header, slotField.state) === slotState.taken) {
    if (Atomics.wait(header, slotField.state, slotState.taken, patienceMs) === 'timed-out')
      throw new LabError('internal', `A thread that prepares pictures did not answer for ${patienceMs / 1000} seconds.`);
  }
  return Atomics.load(header, slotField.state) === slotState.done;
}
