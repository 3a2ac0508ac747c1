import { z } from 'zod';
import { datasetDetailsSchema, datasetImportAnswerSchema, datasetRemovedSchema, datasetsAnswerSchema } from '../answers.ts';
import { datasetKinds } from '../dataset.ts';
import { datasetReference, fileToken, method, minutes, nothing } from '../method.ts';

const importOptions = {
  name: z.string().min(1).max(120).nullable().default(null),
  size: z.int().positive().max(1024).nullable().default(null),
  kind: z.enum(datasetKinds).nullable().default(null),
};
const long = { deadlineMs: 360 * minutes };

export const pictureSplits = ['all', 'train', 'test'] as const;

export const datasetMethods = {
  'datasets.list': method(nothing, datasetsAnswerSchema),
  'datasets.show': method(z.strictObject({ datasetId: datasetReference }), datasetDetailsSchema, { deadlineMs: minutes }),
  'datasets.import': method(
    z.strictObject({ paths: z.array(z.string().min(1)).min(1).max(1000), ...importOptions }),
    datasetImportAnswerSchema,
    { ...long, reach: 'local' },
  ),
  /** As `datasets.import`, for files that the core gave tokens for; uploads are removed afterwards. */
  'datasets.importFiles': method(
    z.strictObject({ tokens: z.array(fileToken).min(1).max(1000), ...importOptions }),
    datasetImportAnswerSchema,
    long,
  ),
  'datasets.remove': method(z.strictObject({ datasetId: datasetReference }), datasetRemovedSchema, { deadlineMs: minutes }),
  /** Labels of the pictures that a filter leaves, in the dataset's order; pictures themselves are fetched by URL (domain/pictures). */
  'datasets.browse': method(
    z.strictObject({
      datasetId: datasetReference,
      split: z.enum(pictureSplits).default('all'),
      /** Class indices; null means every class. */
      classes: z.array(z.int().nonnegative()).max(1000).nullable().default(null),
      offset: z.int().nonnegative().default(0),
      limit: z.int().positive().max(2000).default(500),
    }),
    z.strictObject({
      total: z.int().nonnegative(),
      /** `index` counts all pictures of the dataset, training pictures first. */
      pictures: z.array(z.strictObject({ index: z.int(), label: z.int() })),
    }),
    { deadlineMs: minutes },
  ),
  'datasets.picture': method(
    z.strictObject({ datasetId: datasetReference, index: z.int().nonnegative() }),
    z.strictObject({
      index: z.int(),
      split: z.enum(['train', 'test']),
      label: z.int(),
      /** [height, width, channels]. */
      shape: z.array(z.int()).length(3),
      /** Base64 of the unsigned bytes, row by row, channels innermost. */
      pixels: z.string(),
    }),
    { deadlineMs: minutes },
  ),
} as const;
