// Messages between the core and its report child, which lays out one report and ends; worker.ts holds them with those of the other
// children. What the report says is reportContent.ts.
import { z } from 'zod';
import { reportFileKinds, reportFormats } from './methods/reports.ts';

export const layOutCommandSchema = z.strictObject({
  type: z.literal('layOut'),
  /** Absolute paths: a ReportHead and ReportEntries as JSON lines, PredictionLines (null when there are none), and an existing folder for the files. */
  contentFile: z.string(),
  predictionsFile: z.string().nullable(),
  targetFolder: z.string(),
  formats: z.array(z.enum(reportFormats)).min(1),
});
export type LayOutCommand = z.infer<typeof layOutCommandSchema>;

export const reportedFileSchema = z.strictObject({
  kind: z.enum(reportFileKinds),
  format: z.enum(reportFormats),
  /** File name inside the target folder. */
  name: z.string(),
  bytes: z.int().nonnegative(),
});
export type ReportedFile = z.infer<typeof reportedFileSchema>;

export const laidOutReportSchema = z.strictObject({ type: z.literal('laidOut'), files: z.array(reportedFileSchema) });
