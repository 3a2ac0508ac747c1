import type { z } from 'zod';
import { LabError, type ErrorCode } from './errors.ts';

/** `phases[0].epochs`, or `subject` itself for a problem of the whole value. */
export function fieldPath(path: readonly PropertyKey[], subject: string): string {
  if (path.length === 0) return subject;
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}

/** Parses, or throws one LabError that names the first wrong field and how many more there are. */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  subject: string,
  options: { code?: ErrorCode; help?: string } = {},
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first, ...others] = result.error.issues;
  const where = first === undefined ? subject : fieldPath(first.path, subject);
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new LabError(options.code ?? 'bad_input', `${subject}: the field ${where} is not valid${more}.`, {
    expected: first?.message ?? 'a valid value',
    ...(first === undefined ? {} : { received: describeReceived(value, first.path) }),
    help: options.help ?? 'Correct the field and try again.',
  });
}

function describeReceived(value: unknown, path: readonly PropertyKey[]): string {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null) return 'nothing';
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  const text = found === undefined ? 'nothing' : JSON.stringify(found);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
