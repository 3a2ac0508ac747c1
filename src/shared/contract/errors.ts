// The closed list of error codes and the one error class that crosses every border.
// It owns wording rules (what, expected, received, help); it does not own exit codes of child processes (worker.ts).
import { z } from 'zod';

export const errorCodes = [
  'bad_usage',
  'bad_input',
  'bad_recipe',
  'not_found',
  'conflict',
  'dataset_missing',
  'dataset_changed',
  'weights_missing',
  'unsupported',
  'workspace_busy',
  'workspace_damaged',
  'workspace_newer',
  'disk_full',
  'disk_error',
  'native_missing',
  'training_failed',
  'training_diverged',
  'trainer_died',
  'stopped',
  'interrupted',
  'cancelled',
  'deadline_exceeded',
  'connection_lost',
  'limit_exceeded',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export const wireErrorSchema = z.strictObject({
  code: z.enum(errorCodes),
  message: z.string(),
  expected: z.string().optional(),
  received: z.string().optional(),
  help: z.string().optional(),
  incident: z.string().optional(),
});

export type WireError = z.infer<typeof wireErrorSchema>;

export interface ErrorDetails {
  readonly expected?: string;
  readonly received?: string;
  readonly help?: string;
  readonly cause?: unknown;
}

/** An error a person can act on: `message` says what happened, the details what was expected, received and what to do. */
export class LabError extends Error {
  readonly code: ErrorCode;
  readonly expected: string | undefined;
  readonly received: string | undefined;
  readonly help: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'LabError';
    this.code = code;
    this.expected = details.expected;
    this.received = details.received;
    this.help = details.help;
  }
}

/** The wire form carries no stack; a file error of the system becomes a disk problem, any other `internal`. */
export function toWire(error: unknown): WireError {
  if (error instanceof LabError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.expected === undefined ? {} : { expected: error.expected }),
      ...(error.received === undefined ? {} : { received: error.received }),
      ...(error.help === undefined ? {} : { help: error.help }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && 'code' in error ? diskProblems[String(error.code)] : undefined;
  return cause === undefined ? { code: 'internal', message } : { ...cause, message: `A file could not be used: ${message}.` };
}

const full = { code: 'disk_full', help: 'Free some space and try again.' } as const;
const forbidden = { code: 'disk_error', help: 'Check the rights of the folder and the disk.' } as const;
/** What the system's own codes mean for a person. */
const diskProblems: Readonly<Record<string, { readonly code: ErrorCode; readonly help: string }>> = {
  ENOSPC: full,
  EDQUOT: full,
  EACCES: forbidden,
  EPERM: forbidden,
  EROFS: forbidden,
  EIO: forbidden,
};

export function fromWire(wire: WireError): LabError {
  return new LabError(wire.code, wire.message, {
    ...(wire.expected === undefined ? {} : { expected: wire.expected }),
    ...(wire.received === undefined ? {} : { received: wire.received }),
    ...(wire.help === undefined ? {} : { help: wire.help }),
  });
}
