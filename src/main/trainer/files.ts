// Durable writing for the trainer: a file or folder appears whole or not at all, and a damaged one is recognised by its SHA-256.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface WrittenFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes all chunks and flushes them to the disk; the caller owns the path. */
export function writeFlushed(path: string, chunks: readonly Uint8Array[]): WrittenFile {
  const hash = createHash('sha256');
  const file = openSync(path, 'w', 0o644);
  let bytes = 0;
  try {
    for (const chunk of chunks) {
      hash.update(chunk);
      for (let offset = 0; offset < chunk.length;) offset += writeSync(file, chunk, offset, chunk.length - offset);
      bytes += chunk.length;
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Renames and flushes the parent folder, after which the new name survives a power cut. */
export function renameFlushed(from: string, to: string): void {
  renameSync(from, to);
  flushFolder(dirname(to));
}

/** Windows cannot open folders; its rename is durable enough by journal. */
export function flushFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Replaces `path` in one step. */
export function replaceFile(path: string, chunks: readonly Uint8Array[]): WrittenFile {
  const temporary = `${path}.writing`;
  const written = writeFlushed(temporary, chunks);
  renameFlushed(temporary, path);
  return written;
}
