// Reports: a comparison laid out as PDF and CSV by a child process and kept in the workspace. Pages download the files by URL.
import { z } from 'zod';
import { fileToken, method, minutes, nothing } from '../method.ts';
import { comparisonRequestSchema } from './comparison.ts';

export const reportFormats = ['pdf', 'csv'] as const;
export const reportFileKinds = ['report', 'runs', 'epochs', 'perClass', 'predictions'] as const;

const content = comparisonRequestSchema.extend({
  title: z.string().trim().min(1).max(120).default('Comparison of experiments'),
  formats: z.array(z.enum(reportFormats)).min(1).default(['pdf', 'csv']),
});

const file = z.strictObject({
  kind: z.enum(reportFileKinds),
  format: z.enum(reportFormats),
  name: z.string(),
  bytes: z.int().nonnegative(),
});

export const reportSummarySchema = z.strictObject({
  reportId: fileToken,
  title: z.string(),
  createdAt: z.iso.datetime(),
  entries: z.array(z.strictObject({ runId: z.string(), phase: z.string(), name: z.string() })),
  files: z.array(file),
});
export type ReportSummary = z.infer<typeof reportSummarySchema>;

export const exportAnswerSchema = z.strictObject({
  files: z.array(
    z.strictObject({ kind: z.enum(reportFileKinds), format: z.enum(reportFormats), path: z.string(), bytes: z.int().nonnegative() }),
  ),
});

export const reportMethods = {
  /** The files lie at `/report/<reportId>/<name>`. */
  'reports.create': method(content, reportSummarySchema, { deadlineMs: 5 * minutes }),
  'reports.list': method(nothing, z.strictObject({ reports: z.array(reportSummarySchema) })),
  'reports.remove': method(z.strictObject({ reportId: fileToken }), nothing),
  /** Writes the files into a folder of this machine instead of keeping them. */
  'reports.export': method(content.extend({ folder: z.string().min(1) }), exportAnswerSchema, { deadlineMs: 5 * minutes, reach: 'local' }),
} as const;
