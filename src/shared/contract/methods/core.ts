// The lab itself: who owns the workspace, what it holds, its settings, and what works on this machine.
import { z } from 'zod';
import { doctorAnswerSchema } from '../answers.ts';
import { fileToken, method, minutes, nothing } from '../method.ts';
import { runIdSchema } from '../schema.ts';

export const ownerSchema = z.strictObject({ pid: z.int(), host: z.string(), kind: z.string(), since: z.iso.datetime() });
export type Owner = z.infer<typeof ownerSchema>;

export const settingsSchema = z.strictObject({
  /** Processor threads a training may use; null uses every core. */
  threads: z.int().positive().max(1024).nullable(),
  /** Memory for cached features of one run, in bytes; null lets the lab choose from what is free. */
  featureCacheBytes: z
    .int()
    .min(2 ** 20)
    .max(2 ** 40)
    .nullable(),
});
export type Settings = z.infer<typeof settingsSchema>;

const bytes = z.number().nonnegative();

export const workspaceAnswerSchema = z.strictObject({
  /** For people to read; never sent back. */
  folder: z.string(),
  bytes: z.strictObject({ history: bytes, datasets: bytes, runs: bytes, caches: bytes, features: bytes, reports: bytes, trash: bytes }),
  runs: z.strictObject({ active: z.int(), archived: z.int(), trashed: z.int() }),
  freeBytes: bytes,
});
export type WorkspaceAnswer = z.infer<typeof workspaceAnswerSchema>;

export const featureEntrySchema = z.strictObject({
  id: z.string(),
  /** Title of the recipe that they were first computed for. */
  recipe: z.string(),
  /** The base of that recipe with its weights, in words. */
  base: z.string().nullable(),
  /** The last of the layers that were computed. */
  layer: z.string(),
  dataset: z.string(),
  part: z.enum(['train', 'validation', 'test']),
  images: z.int(),
  bytes,
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  /** A training reads them, so they stay. */
  isUsed: z.boolean(),
});
export type FeatureEntry = z.infer<typeof featureEntrySchema>;

export const hostSchema = z.strictObject({
  /** desktop, browser or command; tests have their own. */
  kind: z.string(),
  /** Native dialogs exist: `files.choose` works. */
  hasDialogs: z.boolean(),
  canOpenWorkspace: z.boolean(),
  version: z.string(),
});
export type Host = z.infer<typeof hostSchema>;

export const coreMethods = {
  'core.status': method(
    nothing,
    z.strictObject({
      owner: ownerSchema,
      running: z.array(runIdSchema),
      queued: z.array(runIdSchema),
      /** The folder, for people and to notice another workspace. */
      workspace: z.string(),
      /** What this answer says holds up to this event. */
      latest: z.int().nonnegative(),
    }),
  ),
  'core.host': method(nothing, hostSchema),
  'doctor.check': method(z.strictObject({ deep: z.boolean().default(false) }), doctorAnswerSchema, { deadlineMs: 15 * minutes }),
  'settings.show': method(nothing, settingsSchema),
  /** Fields left out keep their value; holds for runs that start afterwards. */
  'settings.update': method(settingsSchema.partial(), settingsSchema),
  'workspace.show': method(nothing, workspaceAnswerSchema, { deadlineMs: minutes }),
  /**
   * `trash` deletes trashed runs for good; `caches` removes what ended runs left and uploads that nothing uses; `features` removes features
   * of frozen layers that no training reads.
   */
  'workspace.clean': method(
    z.strictObject({ what: z.enum(['caches', 'features', 'trash']) }),
    z.strictObject({ freedBytes: bytes, removed: z.int() }),
    {
      deadlineMs: 5 * minutes,
    },
  ),
  /** Features of frozen layers that runs share, last used first. */
  'features.list': method(nothing, z.strictObject({ entries: z.array(featureEntrySchema) })),
  /** The host closes this workspace, with the work of its runs saved, and opens the folder; connections end and come back. */
  'workspace.open': method(z.strictObject({ token: fileToken }), nothing, { deadlineMs: minutes }),
} as const;
