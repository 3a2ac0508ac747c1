import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LabError } from '../../shared/contract/errors.ts';

/** A file in a run folder as the history remembers it. */
export interface KeptFile {
  /** Absolute. */
  readonly path: string;
  readonly sha256: string;
}

/** The whole file; throws `not_found` when it is gone and `workspace_damaged` when it is not what the run wrote. */
export function readKeptFile({ path, sha256 }: KeptFile): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new LabError('not_found', `The file ${path} of the run cannot be read.`, {
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Restore the file from a backup, or train the run again.',
      cause,
    });
  }
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === sha256) return bytes;
  throw new LabError('workspace_damaged', `The file ${path} is not the one the run wrote.`, {
    expected: `SHA-256 ${sha256}`,
    received: `SHA-256 ${found}`,
    help: 'Restore the file from a backup, or train the run again.',
  });
}
