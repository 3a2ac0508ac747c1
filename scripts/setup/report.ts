/** A failure that a person can act on: what happened, what was expected, and what to do. It is printed without a stack. */
export class SetupError extends Error {
  readonly help: string;

  constructor(what: string, help: string, options?: ErrorOptions) {
    super(what, options);
    this.name = 'SetupError';
    this.help = help;
  }
}

/** Says in one line what set-up is about to do. Standard error, because `lab --json` owns standard output. */
export type Report = (line: string) => void;

export const reportToPerson: Report = (line) => {
  process.stderr.write(`set-up: ${line}\n`);
};

/** Turns a failed file operation into a sentence; a full disk and missing rights are told apart from the rest. */
export function explainFileError(error: unknown, place: string): SetupError {
  if (error instanceof SetupError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SetupError(`The disk is full: writing to ${place} failed.`, 'Free some space or set XDG_CACHE_HOME to a larger disk.', {
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new SetupError(`${place} cannot be written: ${message}.`, 'Make it writable or set XDG_CACHE_HOME to a folder that is.', {
      cause: error,
    });
  }
  return new SetupError(`Set-up failed in ${place}: ${message}.`, 'Remove the cause and run it again; nothing half-done is kept.', {
    cause: error,
  });
}
