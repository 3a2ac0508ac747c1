// What a finished phase leaves for later lives of the trainer: its epochs and its report, as a small file in the folder of the run. A parent
// that missed the end hears it again, and a later phase learns which epoch was best.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { epochReportSchema, phaseReportSchema } from '../../shared/contract/worker.ts';
import { replaceFile } from './files.ts';

const storySchema = z.strictObject({ epochs: z.array(epochReportSchema), report: phaseReportSchema });
export type PhaseStory = z.infer<typeof storySchema>;

const storyFile = (runFolder: string, phase: number): string => join(runFolder, `phases/${phase + 1}/story.json`);

/** The story of phase `phase` (from 0); null when it has not finished. */
export function readStory(runFolder: string, phase: number): PhaseStory | null {
  const file = storyFile(runFolder, phase);
  return existsSync(file) ? storySchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : null;
}

/** The folder of the phase is there already. */
export function writeStory(runFolder: string, story: PhaseStory): void {
  replaceFile(storyFile(runFolder, story.report.phase), [new TextEncoder().encode(JSON.stringify(story))]);
}
