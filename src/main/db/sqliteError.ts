import { LabError } from '../../shared/contract/errors.ts';

/** A failure of the database or its files as an error with a next step; `place` is the file. Anything without a code is `internal`. */
export function explainSqliteError(error: unknown, place: string): LabError {
  if (error instanceof LabError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const received = error instanceof Error ? error.message : String(error);
  if (code === '') return new LabError('internal', received, { cause: error });
  const details = { received, cause: error };
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return new LabError('disk_full', `The disk with ${place} is full.`, { ...details, help: 'Free some space and run the command again.' });
  }
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT_')) {
    return new LabError('workspace_damaged', `The history ${place} is damaged.`, {
      ...details,
      expected: 'a history written by this program',
      help: 'Copy the workspace aside, then put the newest file of its folder backups in place of the damaged one.',
    });
  }
  if (code === 'SQLITE_BUSY') {
    return new LabError('workspace_busy', `The history ${place} is in use by another program.`, {
      ...details,
      help: 'Close the other program.',
    });
  }
  return new LabError('disk_error', `The file ${place} cannot be used.`, {
    ...details,
    expected: 'a file that can be read and written',
    help: 'Check the rights of the folder and the disk, or choose another folder with --workspace.',
  });
}
