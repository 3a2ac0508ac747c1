import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { DatasetAnswer } from '../../shared/contract/answers.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { datasetIdSchema } from '../../shared/contract/schema.ts';
import { validate } from '../../shared/contract/validation.ts';

const bundledSchema = z.object({
  datasets: z.array(
    z.object({
      id: datasetIdSchema,
      name: z.string(),
      classes: z.array(z.string()),
      origin: z.string(),
      trainCount: z.int(),
      testCount: z.int(),
      shape: z.tuple([z.int(), z.int(), z.int()]),
      fingerprint: z.string(),
    }),
  ),
});

/** The datasets that come with the program; their pictures are unpacked into a workspace when they are first used. */
export function readBundledDatasets(resourcesFolder: string): DatasetAnswer[] {
  const path = join(resourcesFolder, 'datasets', 'bundled.json');
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new LabError('internal', `The list of bundled datasets ${path} cannot be read.`, { help: 'Install the program again.', cause });
  }
  return validate(bundledSchema, content, path, { code: 'internal' }).datasets.map((dataset) => {
    const { trainCount, testCount, shape } = dataset;
    const [height, width, channels] = shape;
    // A store holds one byte per channel and two per label.
    return { ...dataset, kind: 'idx', bytes: (trainCount + testCount) * (height * width * channels + 2) };
  });
}
