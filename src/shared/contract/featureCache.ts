// The folder of features that runs share: one folder per entry, named by what decides its numbers, with features.f32 (rows of float32 in
// the machine's byte order) and manifest.json. Trainers add and read entries; the core lists and removes them.
import { z } from 'zod';

export const featureRowsFile = 'features.f32';
export const featureManifestFile = 'manifest.json';
/** Folders whose names begin with it are not, or no longer, entries. */
export const temporaryPrefix = '.';
export const featureKeyPattern = /^[0-9a-f]{64}$/;

export const featureManifestSchema = z.strictObject({
  version: z.literal(1),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  madeBy: z.string(),
  /** For people: title of that run's recipe, its base, and the last of the layers that were computed. */
  recipe: z.string(),
  base: z.string().nullable(),
  layer: z.string(),
  dataset: z.string(),
  /** What the pictures were to that run. */
  part: z.enum(['train', 'validation', 'test']),
  images: z.int().positive(),
  /** Of one picture's features, float32. */
  shape: z.array(z.int().positive()),
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type FeatureManifest = z.infer<typeof featureManifestSchema>;

/** A file of this name in an entry says that a process reads it; it counts while that process lives. */
export function nameUse(pid: number, token: string): string {
  return `in-use-${pid}-${token}`;
}

/** The process that uses or makes what is called so; null for any other name. */
export function readUser(name: string): number | null {
  const pid = /^(?:in-use|\.making)-(\d+)-/.exec(name)?.[1];
  return pid === undefined ? null : Number(pid);
}
