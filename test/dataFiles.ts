// Small files in the formats that the data readers take, and folders to put them in.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished } from 'vitest';
import { LabError } from '../src/shared/contract/errors.ts';

export interface IdxPictures {
  readonly magic?: number;
  readonly count?: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: Uint8Array;
}

/** An IDX file of pictures; `count` and `magic` can lie. */
export function idxPictures({ magic = 2051, count, height, width, pixels }: IdxPictures): Buffer {
  const head = Buffer.alloc(16);
  [magic, count ?? pixels.length / (height * width), height, width].forEach((value, index) => head.writeUInt32BE(value, index * 4));
  return Buffer.concat([head, pixels]);
}

/** An IDX file of labels; `count` and `magic` can lie. */
export function idxLabels(labels: readonly number[], { magic = 2049, count = labels.length } = {}): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(magic, 0);
  head.writeUInt32BE(count, 4);
  return Buffer.concat([head, Uint8Array.from(labels)]);
}

/** Bytes that depend on their position, so that a moved or repeated row is noticed. */
export function patternedPixels(bytes: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + Math.floor(index / 7) * 17 + seed * 101) % 256);
}

/** A new folder that goes when the running test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lab-data-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes named files into a folder and answers their paths in the same order. */
export async function putFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<string[]> {
  const paths: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content);
    paths.push(join(folder, name));
  }
  return paths;
}

export { gzipSync as gzip };

export interface ExpectedError {
  readonly code: string;
  readonly message: RegExp;
  readonly expected: RegExp;
  readonly received: RegExp;
}

/** The same bytes with the byte at `position` (from the end when negative) turned over. */
export function damaged(bytes: Uint8Array, position: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = position < 0 ? copy.length + position : position;
  copy[at] = 255 - copy.readUInt8(at);
  return copy;
}

/** Asserts that `work` fails with a LabError whose parts match, and that `emptyFolder` (if given) holds nothing or is gone. */
export async function expectLabError(work: Promise<unknown>, error: ExpectedError, emptyFolder?: string): Promise<void> {
  const thrown: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(thrown instanceof LabError)) throw new Error('It was not refused with a LabError.', { cause: thrown });
  expect(thrown.code).toBe(error.code);
  expect(thrown.message).toMatch(error.message);
  expect(thrown.expected ?? '').toMatch(error.expected);
  expect(thrown.received ?? '').toMatch(error.received);
  expect(thrown.help ?? '').not.toBe('');
  if (emptyFolder !== undefined) expect(await readdir(emptyFolder).catch(() => [])).toEqual([]);
}
