// The shared memory between createPrefetcher and its threads: a ring of slots, each one batch on its way from bytes to float pixels.
// A slot's state is changed by one side at a time: the owner makes it empty and ready, whoever takes it ready makes it taken, then done.
import { createBatchAugmenter, createMixDrawer, type PhaseAugmentation } from './augment.ts';
import { alignUp } from './buffers.ts';

// The compiler's library for Node does not describe WebAssembly; this is the part used here.
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number; readonly shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

const PAGE_BYTES = 65_536;

/** What a thread needs to find its way in the memory. */
export interface RingLayout {
  readonly slotCount: number;
  readonly batchSize: number;
  /** Values of one picture. */
  readonly pictureSize: number;
}

export const slotState = { empty: 0, ready: 1, taken: 2, done: 3, failed: 4 } as const;
/** Positions in a slot's header, in this order. */
export const slotField = { state: 0, count: 1, pass: 2, epoch: 3, step: 4 } as const;
/** Positions in the ring's control words; `wake` counts what happened, `first` is the slot to be used next. */
export const controlField = { wake: 0, stop: 1, first: 2 } as const;

export interface RingSlot {
  readonly header: Int32Array<SharedArrayBuffer>;
  readonly samples: Uint32Array<SharedArrayBuffer>;
  readonly input: Uint8Array<SharedArrayBuffer>;
  readonly target: Float32Array<SharedArrayBuffer>;
}

export interface Ring {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly slots: readonly RingSlot[];
}

/** Zeroed shared memory on page boundaries, so that TensorFlow can use the float pixels in place. */
export function allocateRing(layout: RingLayout): SharedArrayBuffer {
  const pages = Math.ceil((64 + layout.slotCount * slotBytes(layout)) / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
}

/** Views of the parts, the same on every thread. */
export function viewRing(memory: SharedArrayBuffer, layout: RingLayout): Ring {
  const { batchSize, pictureSize } = layout;
  const batchPixels = batchSize * pictureSize;
  const slots = Array.from({ length: layout.slotCount }, (_, index) => {
    const start = 64 + index * slotBytes(layout);
    const samplesStart = start + 64;
    const inputStart = samplesStart + alignUp(batchSize * 4);
    return {
      header: new Int32Array(memory, start, Object.keys(slotField).length),
      samples: new Uint32Array(memory, samplesStart, batchSize),
      input: new Uint8Array(memory, inputStart, batchPixels),
      target: new Float32Array(memory, inputStart + alignUp(batchPixels), batchPixels),
    };
  });
  return { control: new Int32Array(memory, 0, 3), slots };
}

/** What is done with a taken slot, on a thread or by the owner; the mixing comes after the last row of the batch. */
export function createSlotWork(options: PhaseAugmentation): (slot: RingSlot) => void {
  const augment = createBatchAugmenter(options);
  const drawRows = createMixDrawer(options);
  return ({ header, samples, input, target }) => {
    const [, count = 0, pass = 0, epoch = 0, step = 0] = header;
    augment(input, samples.subarray(0, count), { pass, rows: drawRows(epoch, step, count) }, target);
  };
}

/** Takes the slot's batch if nobody else has; `work` fills its target. True when this caller did it. */
export function tryWork(slot: RingSlot, work: (slot: RingSlot) => void): boolean {
  if (Atomics.compareExchange(slot.header, slotField.state, slotState.ready, slotState.taken) !== slotState.ready) return false;
  let state: number = slotState.failed;
  try {
    work(slot);
    state = slotState.done;
  } finally {
    Atomics.store(slot.header, slotField.state, state);
    Atomics.notify(slot.header, slotField.state);
  }
  return true;
}

function slotBytes({ batchSize, pictureSize }: RingLayout): number {
  const batchPixels = batchSize * pictureSize;
  return 64 + alignUp(batchSize * 4) + alignUp(batchPixels) + alignUp(batchPixels * 4);
}
