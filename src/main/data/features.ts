/**
 * Features of the frozen layers as rows of float32, one per sample: computed once, then served in any order.
 *
 * A table that fits `heldBytes` stays in memory; a larger one lies in a file that is read row by row, so memory stays at one batch.
 * The file is a run's own (writeFeatures, removed by close()) or one that runs share (writeFeatureFile, then openFeatureFile).
 */
import { LabError } from '../../shared/contract/errors.ts';
import type { BatchSource } from './batches.ts';
import { alignedBuffer, alignUp } from './buffers.ts';
import { createRowFile, heldRows, spilledRows, verifiedRows } from './featureRows.ts';
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
  /** Frees the memory, and removes a file that is the table's own. */
  close(): void;
}

export interface ExtractOptions {
  readonly file: string;
  readonly shape: readonly number[];
  /** Pictures in their own order, each once; row i belongs to the source's sample i. */
  readonly source: BatchSource<Uint8Array>;
  /** Answers at least count rows; may be overwritten by the next call. */
  readonly extract: (pixels: Uint8Array, count: number) => Float32Array;
  /** Awaited between batches; its rejection ends the work. */
  readonly breathe?: () => Promise<void>;
}

export interface WriteFeaturesOptions extends ExtractOptions {
  /** The file is used, and replaced, only when the table is larger. */
  readonly heldBytes: number;
}

/** Runs `extract` over all batches of the source and keeps the rows; throws `disk_full` when the file cannot grow. */
export async function writeFeatures(options: WriteFeaturesOptions): Promise<FeatureTable> {
  const table = openTable(options, countValues(options.shape));
  try {
    await extractRows(options, (rows, labels) => table.append(rows, labels));
  } catch (error) {
    table.close();
    throw error;
  }
  return table;
}

/** Runs `extract` over all batches of the source into a file that must not exist yet; it is on the disk when this resolves. */
export async function writeFeatureFile(options: ExtractOptions): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const rows = createRowFile(options.file);
  try {
    await extractRows(options, (values) => rows.append(values));
    return rows.finish();
  } finally {
    rows.abandon();
  }
}

export interface OpenFeaturesOptions {
  readonly file: string;
  readonly shape: readonly number[];
  readonly labels: Int32Array;
  readonly sha256: string;
  readonly heldBytes: number;
  /** Awaited while the file is checked; its rejection ends the work. */
  readonly breathe: () => Promise<void>;
}

/** The rows of a finished file, one per label; throws `disk_error` when any byte of it is not what was written. */
export async function openFeatureFile({ file, shape, labels, sha256, heldBytes, breathe }: OpenFeaturesOptions): Promise<FeatureTable> {
  const count = labels.length;
  const rowLength = countValues(shape);
  const isSpilled = count * rowLength * 4 > heldBytes;
  const rows = await verifiedRows({ file, rowBytes: rowLength * 4, count, sha256, isHeld: !isSpilled, breathe });
  return { count, shape, rowLength, labels, isSpilled, readRows: rows.read, close: rows.close };
}

/** Hands over the rows of every batch in order; throws when they are not one row per picture. */
async function extractRows(options: ExtractOptions, take: (rows: Float32Array, labels: Int32Array) => void): Promise<void> {
  const { source } = options;
  const rowLength = countValues(options.shape);
  let written = 0;
  for (let step = 0; step < source.steps; step++) {
    const batch = source.fill(0, step);
    const rows = options.extract(batch.input, batch.count).subarray(0, batch.count * rowLength);
    written += batch.count;
    if (rows.length !== batch.count * rowLength || written > source.sampleCount) {
      throw new LabError('internal', `The frozen layers gave ${rows.length} numbers for ${batch.count} pictures.`, {
        expected: `${batch.count * rowLength} numbers`,
        received: String(rows.length),
      });
    }
    take(rows, batch.labels);
    await options.breathe?.();
  }
  if (written === source.sampleCount) return;
  throw new LabError('internal', `${written} rows of features were computed for ${source.sampleCount} pictures.`);
}

function countValues(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
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
      return { count, input: slot.rows.subarray(0, count * table.rowLength), labels: slot.labels.subarray(0, count), samples, mix: null };
    },
  };
}

interface GrowingTable extends FeatureTable {
  append(rows: Float32Array, labels: Int32Array): void;
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
    append(values, batchLabels) {
      rows.write(values, written);
      labels.set(batchLabels, written);
      written += batchLabels.length;
    },
    readRows: rows.read,
    close: rows.close,
  };
}
