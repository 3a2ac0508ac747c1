// What a row of the api table is. Each area of the contract (methods/*.ts) is a table of such rows; api.ts joins them.
import { z } from 'zod';

export interface Method<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly input: Input;
  readonly output: Output;
  /** After this long the call is cancelled on both sides. */
  readonly deadlineMs: number;
  /** Methods that take paths of this machine are `local`: offered on the memory port and the local socket, never to a page. */
  readonly reach: 'any' | 'local';
}

export function method<Input extends z.ZodType, Output extends z.ZodType>(
  input: Input,
  output: Output,
  options: { deadlineMs?: number; reach?: 'any' | 'local' } = {},
): Method<Input, Output> {
  return { input, output, deadlineMs: options.deadlineMs ?? 10_000, reach: options.reach ?? 'any' };
}

export const nothing = z.strictObject({});
export const minutes = 60_000;
/** A run id, the beginning of one, or `last`. */
export const runReference = z.string().min(1).max(64);
export const runReferences = z.array(runReference).min(1).max(1000);
export const datasetReference = z.string().min(1).max(64);
/** Stands for a file or folder that the core showed or a person chose; only the core knows the path. */
export const fileToken = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/);
export const page = { offset: z.int().nonnegative().default(0), limit: z.int().positive().max(200).default(100) };

/** One phase of one run, counted from 0. */
export const entryReferenceSchema = z.strictObject({ run: runReference, phase: z.int().nonnegative().max(19) });
export type EntryReference = z.infer<typeof entryReferenceSchema>;
