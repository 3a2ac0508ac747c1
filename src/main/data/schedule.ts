// Which samples make up step `step` of epoch `epoch`, both counted from 0. Shared by picture and feature batches, so the two follow one rule.
import { LabError } from '../../shared/contract/errors.ts';

/** Answers the order of one pass over the data: a permutation of 0 .. count - 1, a pure function of the pass number. */
export type PassOrder = (pass: number) => Uint32Array;

export interface ScheduleOptions {
  readonly count: number;
  readonly batchSize: number;
  /** Without it the samples come in their own order, as for an evaluation. */
  readonly order?: PassOrder;
  /**
   * Steps drawn per epoch as from a Keras generator: passes follow one another regardless of epochs, each with its own order
   * and its own partial last batch. Null or left out means that an epoch is one pass.
   */
  readonly stepsPerEpoch?: number | null;
}

export interface BatchSchedule {
  /** Steps of one epoch. */
  readonly steps: number;
  /** Samples of one epoch; with stepsPerEpoch it can differ between epochs by the partial batches. */
  samplesIn(epoch: number): number;
  /** Sample numbers of one batch: a view that stays valid until another pass is asked for. */
  locate(epoch: number, step: number): Uint32Array;
  /** The pass over the data that a batch belongs to, from 0. */
  passAt(epoch: number, step: number): number;
  /** The batch of a pass that shows the sample, and its row there. */
  find(pass: number, sample: number): { readonly epoch: number; readonly step: number; readonly row: number };
}

/** Makes the schedule; the order of the current pass is kept, so a step costs no more than a view. */
export function createSchedule({ count, batchSize, order, stepsPerEpoch }: ScheduleOptions): BatchSchedule {
  if (count < 1 || batchSize < 1)
    throw new LabError('internal', `A batch schedule needs samples and a batch size, not ${count} and ${batchSize}.`);
  const batchesPerPass = Math.ceil(count / batchSize);
  const steps = stepsPerEpoch ?? batchesPerPass;
  const sequence = Uint32Array.from({ length: count }, (_, index) => index);
  let currentPass = -1;
  let current: Uint32Array = sequence;
  const passOrder = (pass: number): Uint32Array => {
    if (order === undefined) return sequence;
    if (pass !== currentPass) {
      current = order(pass);
      if (current.length !== count)
        throw new LabError('internal', `The order of pass ${pass} has ${current.length} entries for ${count} samples.`);
      currentPass = pass;
    }
    return current;
  };
  const passAt = (epoch: number, step: number): number => Math.floor((epoch * steps + step) / batchesPerPass);
  const sizeOf = (batch: number): number => Math.min(batchSize, count - (batch % batchesPerPass) * batchSize);
  return {
    steps,
    samplesIn(epoch) {
      let samples = 0;
      for (let step = 0; step < steps; step++) samples += sizeOf(epoch * steps + step);
      return samples;
    },
    locate(epoch, step) {
      const batch = epoch * steps + step;
      const start = (batch % batchesPerPass) * batchSize;
      return passOrder(passAt(epoch, step)).subarray(start, start + sizeOf(batch));
    },
    passAt,
    find(pass, sample) {
      const place = passOrder(pass).indexOf(sample);
      const batch = pass * batchesPerPass + Math.floor(place / batchSize);
      return { epoch: Math.floor(batch / steps), step: batch % steps, row: place % batchSize };
    },
  };
}
