import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of all regular files below the folder; links are not followed, what vanishes meanwhile counts nothing. */
export async function measureFolder(folder: string, signal?: AbortSignal): Promise<number> {
  let bytes = 0;
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const files: string[] = [];
    try {
      for await (const entry of await opendir(next)) {
        signal?.throwIfAborted();
        const path = join(next, entry.name);
        if (entry.isDirectory()) waiting.push(path);
        else if (entry.isFile()) files.push(path);
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    bytes += await measureFiles(files, signal);
  }
  return bytes;
}

/** Bytes of the files; those that do not exist count nothing. */
export async function measureFiles(paths: readonly string[], signal?: AbortSignal): Promise<number> {
  let bytes = 0;
  for (const path of paths) {
    signal?.throwIfAborted();
    try {
      bytes += (await lstat(path)).size;
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return bytes;
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
