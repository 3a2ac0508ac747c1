// dataset.json: the manifest of a stored dataset. images.bin holds packed uint8 pictures [height, width, channels], all training pictures
// first, then all test pictures; labels.bin holds one little-endian uint16 per picture in the same order.
import { z } from 'zod';
import { datasetIdSchema } from './schema.ts';

export const datasetKinds = ['idx', 'cifar', 'folders', 'csv'] as const;

export const datasetManifestSchema = z.strictObject({
  version: z.literal(1),
  id: datasetIdSchema,
  name: z.string().min(1),
  kind: z.enum(datasetKinds),
  classes: z.array(z.string()).min(2),
  trainCount: z.int().nonnegative(),
  testCount: z.int().nonnegative(),
  /** Pictures per class, [train, test]. */
  classCounts: z.array(z.tuple([z.int(), z.int()])),
  shape: z.tuple([z.int().positive(), z.int().positive(), z.union([z.literal(1), z.literal(3)])]),
  /** SHA-256 over shape, class names, pictures and labels. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** Where it came from, for people: file or folder names and their SHA-256 where a file was read. */
  origin: z.string(),
  sources: z.array(z.strictObject({ file: z.string(), sha256: z.string() })),
  licence: z.string().nullable(),
  bytes: z.int().nonnegative(),
  createdAt: z.string(),
});
export type DatasetManifest = z.infer<typeof datasetManifestSchema>;
