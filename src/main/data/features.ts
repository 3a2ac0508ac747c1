/**
 * Features of the frozen layers as rows of float32, one per sample: computed once, then served in any order.
 *
 * A table that fits `heldBytes` stays in memory; a larger one lies in a file that is read row by row, so memory stays at one batch.
 * The file belongs to one run on one machine: native byte order, removed by close().
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { LabError } from '../../shared/contract/errors.ts';
import type { BatchSource } from './batches.ts';
import { alignedBuffer, alignUp } from './buffers.ts';
import { createSchedule, type PassOrder } from './schedule.ts';

export interface FeatureTable {
  readonly count: number;
  /** Shape of one row without the batch dimension. */
  readonly shape: readonly number[];
  readonly rowLength: number;
  /** Phase labels in the order of the rows. */
  readonly labels: Int32Array;
  readonly isSpilled: boolean;
  /** Copies the rows numbered `rows` one after another to the front of `target`. */
  readRows(rows: Uint32Array, target: Float32Array): void;
  /** Frees the memory or removes the file. */
  close(): void;
}

export interface WriteFeaturesOptions {
  /** Used, and replaced, only when the table is larger than heldBytes. */
  readonly file: string;
  readonly shape: readonly number[];
  /** Pictures in their own order, each once; row i belongs to the source's sample i. */
  readonly source: BatchSource<Uint8Array>;
  /** Answers at least count rows; may be overwritten by the next call. */
  readonly extract: (pixels: Uint8Array, count: number) => Float32Array;
  readonly heldBytes: number;
  /** Awaited between batches; its rejection ends the work and removes the file. */
  readonly breathe?: () => Promise<void>;
}

/** Runs `extract` over all batches of the source and keeps the rows; throws `disk_full` when the file cannot grow. */
export async function writeFeatures(options: WriteFeaturesOptions): Promise<FeatureTable> {
  const { source, shape } = options;
  const rowLength = shape.reduce((product, size) => product * size, 1);
  const table = openTable(options, rowLength);
  try {
    for (let step = 0; step < source.steps; step++) {
      const batch = source.fill(0, step);
      const rows = options.extract(batch.input, batch.count);
      table.append(rows.subarray(0, batch.count * rowLength), batch.labels);
      await options.breathe?.();
    }
    if (table.written() !== source.sampleCount) {
      throw new LabError('internal', `${table.written()} rows of features were computed for ${source.sampleCount} pictures.`);
    }
  } catch (error) {
    table.close();
    throw error;
  }
  return table;
}

export interface FeatureSourceOptions {
  readonly table: FeatureTable;
  readonly batchSize: number;
  readonly order?: PassOrder;
  readonly stepsPerEpoch?: number | null;
}

/** Batches of rows under the same rules as createBatchSource; the table stays open for its life. */
export function createFeatureSource({ table, batchSize, ...options }: FeatureSourceOptions): BatchSource<Float32Array> {
  const schedule = createSchedule({ ...options, batchSize, count: table.count });
  const values = Math.min(batchSize, table.count) * table.rowLength;
  const second = alignUp(values * 4);
  const memory = alignedBuffer(second + values * 4);
  const makeSlot = (start: number) => ({ rows: new Float32Array(memory, start, values), labels: new Int32Array(batchSize) });
  const slots = [makeSlot(0), makeSlot(second)] as const;
  let isSecond = false;
  return {
    sampleShape: table.shape,
    sampleCount: table.count,
    steps: schedule.steps,
    samplesIn: (epoch) => schedule.samplesIn(epoch),
    fill(epoch, step) {
      const samples = schedule.locate(epoch, step);
      const slot = slots[isSecond ? 1 : 0];
      isSecond = !isSecond;
      table.readRows(samples, slot.rows);
      for (let row = 0; row < samples.length; row++) slot.labels[row] = table.labels[samples[row] ?? 0] ?? 0;
      const count = samples.length;
      return { count, input: slot.rows.subarray(0, count * table.rowLength), labels: slot.labels.subarray(0, count), samples };
    },
  };
}

interface GrowingTable extends FeatureTable {
  append(rows: Float32Array, labels: Int32Array): void;
  written(): number;
}

function openTable({ file, shape, source, heldBytes }: WriteFeaturesOptions, rowLength: number): GrowingTable {
  const count = source.sampleCount;
  const rowBytes = rowLength * 4;
  const isSpilled = count * rowBytes > heldBytes;
  const rows = isSpilled ? spilledRows(file, rowBytes) : heldRows(count * rowLength, rowLength);
  const labels = new Int32Array(count);
  let written = 0;
  return {
    count,
    shape,
    rowLength,
    labels,
    isSpilled,
    written: () => written,
    append(values, batchLabels) {
      if (values.length !== batchLabels.length * rowLength || written + batchLabels.length > count) {
        throw new LabError('internal', `The frozen layers gave ${values.length} numbers for ${batchLabels.length} pictures.`, {
          expected: `${batchLabels.length * rowLength} numbers`,
          received: String(values.length),
        });
      }
      rows.write(values, written);
      labels.set(batchLabels, written);
      written += batchLabels.length;
    },
    readRows: rows.read,
    close: rows.close,
  };
}

interface RowStore {
  readonly write: (values: Float32Array, firstRow: number) => void;
  readonly read: (rows: Uint32Array, target: Float32Array) => void;
  readonly close: () => void;
}

function heldRows(values: number, rowLength: number): RowStore {
  let held = new Float32Array(values);
  return {
    write: (rows, firstRow) => held.set(rows, firstRow * rowLength),
    read(rows, target) {
      for (let position = 0; position < rows.length; position++) {
        const start = (rows[position] ?? 0) * rowLength;
        target.set(held.subarray(start, start + rowLength), position * rowLength);
      }
    },
    close() {
      held = new Float32Array(0);
    },
  };
}

function spilledRows(file: string, rowBytes: number): RowStore {
  const descriptor = openSync(file, 'w+', 0o600);
  let isOpen = true;
  return {
    write(values, firstRow) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      let done = 0;
      while (done < bytes.length) done += writeChecked(descriptor, file, bytes.subarray(done), firstRow * rowBytes + done);
    },
    read(rows, target) {
      const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
      for (let position = 0; position < rows.length; position++) {
        readRow(descriptor, file, bytes.subarray(position * rowBytes, (position + 1) * rowBytes), (rows[position] ?? 0) * rowBytes);
      }
    },
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
      rmSync(file, { force: true });
    },
  };
}

function writeChecked(descriptor: number, file: string, bytes: Uint8Array, position: number): number {
  try {
    return writeSync(descriptor, bytes, 0, bytes.length, position);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    throw new LabError(
      code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'disk_error',
      `The features could not be written to ${file}.`,
      {
        expected: `room for ${bytes.length} more bytes`,
        received: cause instanceof Error ? cause.message : String(cause),
        help: 'Free space on this disk, or set cacheFeatures to false in the recipe, then resume the run.',
        cause,
      },
    );
  }
}

function readRow(descriptor: number, file: string, target: Uint8Array, position: number): void {
  let done = 0;
  while (done < target.length) {
    const received = readSync(descriptor, target, done, target.length - done, position + done);
    if (received === 0) {
      throw new LabError('disk_error', `The feature file ${file} became shorter while it was used.`, {
        expected: `${position + target.length} bytes`,
        received: `${position + done} bytes`,
        help: 'Resume the run: the features are computed again.',
      });
    }
    done += received;
  }
}
