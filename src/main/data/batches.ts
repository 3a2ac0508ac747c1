/**
 * Batch assembly: copies the pictures of one step from the store into one of two aligned buffers, as packed uint8.
 *
 * Owns the order of samples within an epoch (through schedule.ts), labels of the phase and the buffers. No arithmetic happens per
 * picture: scaling is part of the graph, size and colour were settled once by derive.ts. The trainer's loop calls fill() per step.
 */
import { LabError } from '../../shared/contract/errors.ts';
import { alignedBuffer, alignUp } from './buffers.ts';
import { createSchedule, type PassOrder } from './schedule.ts';
import type { DatasetStore } from './store.ts';

/** Labels of a batch whose pictures were mixed: a row's target is shares[row] of its own label and the rest of labels[row]. */
export interface BatchMix {
  /** Label of the phase of each row's partner. */
  readonly labels: Int32Array;
  /** 0 .. 1; 1 leaves the row's own label alone. */
  readonly shares: Float32Array;
}

/** One step's input. Both arrays are views of a buffer that the second-next fill() overwrites. */
export interface Batch<Input extends Uint8Array | Float32Array = Uint8Array | Float32Array> {
  readonly count: number;
  /** `count` samples of the source's sampleShape, packed. */
  readonly input: Input;
  readonly labels: Int32Array;
  /** Positions within the `indices` the source was made with: names a sample whatever the order. */
  readonly samples: Uint32Array;
  /** Null or left out unless mixup or cutmix made the input. */
  readonly mix?: BatchMix | null;
}

export interface BatchSource<Input extends Uint8Array | Float32Array = Uint8Array | Float32Array> {
  readonly sampleShape: readonly number[];
  readonly sampleCount: number;
  /** Steps of one epoch. */
  readonly steps: number;
  samplesIn(epoch: number): number;
  /** Assembles the batch of `step` in `epoch`, both from 0, in any order of calls; the last batch of a pass may be smaller. */
  fill(epoch: number, step: number): Batch<Input>;
}

/** Pictures of a store in one pass or order, whose content and labels are known without reading any. */
export interface PictureSource extends BatchSource<Uint8Array> {
  /** Store positions; sample i is the picture at indices[i]. */
  readonly indices: Uint32Array;
  /** Phase labels by sample. */
  readonly labels: Int32Array;
  /** Pictures of a full batch. */
  readonly batchSize: number;
}

/** Turns packed uint8 pictures into float pixels (0..255) of the same shape, written into memory that it owns. */
export type BatchTransform = (batch: Batch<Uint8Array>, epoch: number, step: number) => Pick<Batch<Float32Array>, 'input' | 'mix'>;

export interface BatchSourceOptions {
  readonly store: DatasetStore;
  /** Store positions of the samples, in the order an evaluation follows. */
  readonly indices: Uint32Array;
  /** Dataset label -> label of the phase; -1 for classes the phase does not use. */
  readonly labelMap: ArrayLike<number>;
  readonly batchSize: number;
  /** Left out, every pass follows `indices`. */
  readonly order?: PassOrder;
  readonly stepsPerEpoch?: number | null;
}

interface Slot {
  readonly pixels: Uint8Array;
  readonly labels: Int32Array;
  readonly positions: Uint32Array;
}

/** Makes the source of one phase's pictures; its memory is two batches. Throws when an index has no label in the phase. */
export function createBatchSource(options: BatchSourceOptions): PictureSource {
  const { store, indices, batchSize } = options;
  const sampleLabels = phaseLabels(store, indices, options.labelMap);
  const schedule = createSchedule({ ...options, count: indices.length });
  const largest = Math.min(batchSize, indices.length);
  const slots = makeSlots(largest, store.pictureBytes);
  let isSecond = false;
  return {
    indices,
    labels: sampleLabels,
    batchSize: largest,
    sampleShape: store.manifest.shape,
    sampleCount: indices.length,
    steps: schedule.steps,
    samplesIn: (epoch) => schedule.samplesIn(epoch),
    fill(epoch, step) {
      const samples = schedule.locate(epoch, step);
      const slot = slots[isSecond ? 1 : 0];
      isSecond = !isSecond;
      const count = samples.length;
      for (let row = 0; row < count; row++) {
        const sample = samples[row] ?? 0;
        slot.positions[row] = indices[sample] ?? 0;
        slot.labels[row] = sampleLabels[sample] ?? 0;
      }
      store.readPictures(slot.positions.subarray(0, count), slot.pixels);
      return {
        count,
        input: slot.pixels.subarray(0, count * store.pictureBytes),
        labels: slot.labels.subarray(0, count),
        samples,
        mix: null,
      };
    },
  };
}

/** The same source with each batch passed through `transform`; labels and samples stay those of the picture batch. */
export function transformBatches(source: BatchSource<Uint8Array>, transform: BatchTransform): BatchSource<Float32Array> {
  return {
    sampleShape: source.sampleShape,
    sampleCount: source.sampleCount,
    steps: source.steps,
    samplesIn: (epoch) => source.samplesIn(epoch),
    fill(epoch, step) {
      const batch = source.fill(epoch, step);
      return { ...batch, ...transform(batch, epoch, step) };
    },
  };
}

function phaseLabels(store: DatasetStore, indices: Uint32Array, labelMap: ArrayLike<number>): Int32Array {
  const storeLabels = store.readLabels();
  const labels = new Int32Array(indices.length);
  for (let sample = 0; sample < indices.length; sample++) {
    const storeLabel = storeLabels[indices[sample] ?? -1];
    const label = storeLabel === undefined ? undefined : labelMap[storeLabel];
    if (label === undefined || label < 0) {
      throw new LabError('internal', `Picture ${String(indices[sample])} has no label in this phase.`, {
        expected: `a position below ${store.count} whose class the phase uses`,
        received: `class ${String(storeLabel)}`,
      });
    }
    labels[sample] = label;
  }
  return labels;
}

function makeSlots(count: number, pictureBytes: number): readonly [Slot, Slot] {
  const bytes = count * pictureBytes;
  const second = alignUp(bytes);
  const memory = alignedBuffer(second + bytes);
  const makeSlot = (start: number): Slot => ({
    pixels: new Uint8Array(memory, start, bytes),
    labels: new Int32Array(count),
    positions: new Uint32Array(count),
  });
  return [makeSlot(0), makeSlot(second)];
}
