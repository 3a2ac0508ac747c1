// Rows of float32 by number, in memory or in a file; in native byte order, because they serve one machine.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { LabError } from '../../shared/contract/errors.ts';

export interface RowReader {
  /** Copies the rows numbered `rows` one after another to the front of `target`. */
  readonly read: (rows: Uint32Array, target: Float32Array) => void;
  readonly close: () => void;
}

export interface RowStore extends RowReader {
  readonly write: (values: Float32Array, firstRow: number) => void;
}

/** Read and hashed at a time. */
const blockBytes = 4 * 2 ** 20;

export function heldRows(values: number, rowLength: number): RowStore {
  const held = new Float32Array(values);
  return { ...readerOf(held, rowLength), write: (rows, firstRow) => held.set(rows, firstRow * rowLength) };
}

function readerOf(values: Float32Array, rowLength: number): RowReader {
  let held = values;
  return {
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

/** Rows in a file of their own, which close() removes. */
export function spilledRows(file: string, rowBytes: number): RowStore {
  const descriptor = openSync(file, 'w+', 0o600);
  let isOpen = true;
  return {
    write: (values, firstRow) => writeAt(descriptor, file, bytesOf(values), firstRow * rowBytes),
    read: (rows, target) => readRows(descriptor, file, rowBytes, rows, target),
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
      rmSync(file, { force: true });
    },
  };
}

export interface VerifiedRows {
  readonly file: string;
  readonly rowBytes: number;
  readonly count: number;
  readonly sha256: string;
  /** Copied into memory while they are checked. */
  readonly isHeld: boolean;
  /** Awaited between blocks; its rejection closes the file. */
  readonly breathe: () => Promise<void>;
}

/** Rows of a finished file, every byte of it checked; throws `disk_error` when it is not what was written. close() leaves the file. */
export async function verifiedRows({ file, rowBytes, count, sha256, isHeld, breathe }: VerifiedRows): Promise<RowReader> {
  const bytes = rowBytes * count;
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    if (size !== bytes) throw damaged(file, `${bytes} bytes`, `${size} bytes`);
    const held = isHeld ? new Float32Array(bytes / 4) : null;
    const window = new Uint8Array(Math.min(blockBytes, bytes));
    const hash = createHash('sha256');
    for (let done = 0; done < bytes; done += blockBytes) {
      const length = Math.min(blockBytes, bytes - done);
      const block = held === null ? window.subarray(0, length) : bytesOf(held).subarray(done, done + length);
      readAt(descriptor, file, block, done);
      hash.update(block);
      await breathe();
    }
    const found = hash.digest('hex');
    if (found !== sha256) throw damaged(file, `SHA-256 ${sha256}`, `SHA-256 ${found}`);
    if (held === null) return openRows(descriptor, file, rowBytes);
    closeSync(descriptor);
    return readerOf(held, rowBytes / 4);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

export interface RowFile {
  append(values: Float32Array): void;
  /** Flushes the rows to the disk and closes the file. */
  finish(): { readonly bytes: number; readonly sha256: string };
  /** Closes what was not finished; the file stays. */
  abandon(): void;
}

/** A file that grows row by row, hashed on the way. Throws `disk_full` when it cannot grow. */
export function createRowFile(file: string): RowFile {
  const descriptor = openSync(file, 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  return {
    append(values) {
      const block = bytesOf(values);
      writeAt(descriptor, file, block, bytes);
      hash.update(block);
      bytes += block.length;
    },
    finish() {
      fsyncSync(descriptor);
      close();
      return { bytes, sha256: hash.digest('hex') };
    },
    abandon: close,
  };
}

function openRows(descriptor: number, file: string, rowBytes: number): RowReader {
  let isOpen = true;
  return {
    read: (rows, target) => readRows(descriptor, file, rowBytes, rows, target),
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function writeAt(descriptor: number, file: string, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeChecked(descriptor, file, bytes.subarray(done), position + done);
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

function readRows(descriptor: number, file: string, rowBytes: number, rows: Uint32Array, target: Float32Array): void {
  const bytes = bytesOf(target);
  for (let position = 0; position < rows.length; position++) {
    readAt(descriptor, file, bytes.subarray(position * rowBytes, (position + 1) * rowBytes), (rows[position] ?? 0) * rowBytes);
  }
}

function readAt(descriptor: number, file: string, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.length;) {
    const received = readSync(descriptor, target, done, target.length - done, position + done);
    if (received === 0) throw damaged(file, `${position + target.length} bytes`, `${position + done} bytes`);
    done += received;
  }
}

function damaged(file: string, expected: string, received: string): LabError {
  return new LabError('disk_error', `The feature file ${file} is not what was written.`, {
    expected,
    received,
    help: 'Resume the run: the features are computed again.',
  });
}
