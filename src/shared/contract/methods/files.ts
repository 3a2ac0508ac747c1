// Files of this machine, for pages: a page never sends a path. It browses folders that the person allowed, asks for a native dialog, or
// uploads, and receives tokens that only the core can turn back into paths.
import { z } from 'zod';
import { fileToken, method, minutes, nothing } from '../method.ts';

export const fileEntrySchema = z.strictObject({
  token: fileToken,
  name: z.string(),
  kind: z.enum(['folder', 'file']),
  /** Of a file; null for a folder. */
  bytes: z.number().nullable(),
});
export type FileEntry = z.infer<typeof fileEntrySchema>;

export const fileMethods = {
  /** The folders in which browsing begins and ends. */
  'files.places': method(nothing, z.strictObject({ places: z.array(fileEntrySchema) })),
  /** Folders first, then files, by name; links that lead outside the places are left out. */
  'files.browse': method(
    z.strictObject({
      token: fileToken,
      offset: z.int().nonnegative().default(0),
      limit: z.int().positive().max(1000).default(500),
    }),
    z.strictObject({
      /** From the place down to this folder. */
      trail: z.array(fileEntrySchema),
      total: z.int().nonnegative(),
      entries: z.array(fileEntrySchema),
    }),
  ),
  /** A native dialog; `unsupported` where the host has none, an empty list when the person cancelled. */
  'files.choose': method(
    z.strictObject({ purpose: z.enum(['dataset', 'datasetFolder', 'weights', 'workspace']) }),
    z.strictObject({ chosen: z.array(fileEntrySchema) }),
    { deadlineMs: 60 * minutes },
  ),
  /** Announces files that are then sent with PUT to `/upload/<uploadId>/<position>`; the token stands for all of them together. */
  'uploads.open': method(
    z.strictObject({ fileCount: z.int().positive().max(200_000), totalBytes: z.int().nonnegative() }),
    z.strictObject({ uploadId: fileToken, token: fileToken }),
  ),
  /** Names of the announced files from a position on, as `folder/picture.png`; a file is sent after it was named. */
  'uploads.name': method(
    z.strictObject({ uploadId: fileToken, from: z.int().nonnegative(), names: z.array(z.string().min(1).max(1000)).min(1).max(1000) }),
    nothing,
  ),
  'uploads.discard': method(z.strictObject({ uploadId: fileToken }), nothing),
} as const;
