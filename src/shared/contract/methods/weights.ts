// Weights for the bases of networks: those that come with the lab and imported files of Keras; and trained weights written for Keras.
import { z } from 'zod';
import { weightsIdSchema, zooNetworks } from '../base.ts';
import { fileToken, method, minutes, nothing, runReference } from '../method.ts';

export const weightsEntrySchema = z.strictObject({
  id: weightsIdSchema,
  network: z.enum(zooNetworks),
  /** Width multiplier of MobileNet; 1 for every other network. */
  alpha: z.number(),
  /** Where they come from: `bundled with the lab`, or the name of the imported file. */
  source: z.string(),
  /** SHA-256 of the imported file, or of the bundled one. */
  fileFingerprint: z.string(),
  /** SHA-256 of the weights as the lab keeps them; recipes name this one. */
  fingerprint: z.string(),
  /** official: the file is, byte for byte, one that Keras's sources name; bundled: checked by the lab; unverified: only known by its fingerprint. */
  verified: z.enum(['official', 'bundled', 'unverified']),
  /** In words, such as "official ImageNet weights, verified". */
  description: z.string(),
  licence: z.string().nullable(),
  bytes: z.number().nonnegative(),
});
export type WeightsEntry = z.infer<typeof weightsEntrySchema>;

/** How the layers of a file and those of the network met. */
export const weightsMatchSchema = z.strictObject({
  matchedLayers: z.int().nonnegative(),
  matchedWeights: z.int().nonnegative(),
  parameters: z.int().nonnegative(),
  /** Layers of the file that the network without top does not have, such as its classifier. */
  unused: z.array(z.string()),
  /** `order`: the file does not name its layers, so those of a kind were taken in the network's order. */
  matchedBy: z.enum(['name', 'order']),
});

const importOptions = {
  network: z.enum(zooNetworks),
  alpha: z.number().min(0.05).max(4).default(1),
  /** Becomes the id; the file's name when left out. */
  name: z.string().min(1).max(60).nullable().default(null),
};
const imported = z.strictObject({ weights: weightsEntrySchema, match: weightsMatchSchema });

export const exportFormats = ['keras-h5', 'saved-model'] as const;
const exportOptions = {
  run: runReference,
  /** Counted from 0. */
  phase: z.int().nonnegative().max(19),
  format: z.enum(exportFormats),
};

export const weightsMethods = {
  'weights.list': method(nothing, z.strictObject({ weights: z.array(weightsEntrySchema) })),
  'weights.import': method(z.strictObject({ path: z.string().min(1), ...importOptions }), imported, {
    deadlineMs: 10 * minutes,
    reach: 'local',
  }),
  'weights.importFile': method(z.strictObject({ token: fileToken, ...importOptions }), imported, { deadlineMs: 10 * minutes }),
  /** Bundled weights cannot be removed; runs that began with removed ones keep what they learned. */
  'weights.remove': method(z.strictObject({ id: weightsIdSchema }), z.strictObject({ removed: weightsIdSchema })),
  /** Writes the kept weights of a finished phase for Keras: a `.h5` weights file, or a folder with a SavedModel of constants. */
  'weights.export': method(
    z.strictObject({ ...exportOptions, out: z.string().min(1) }),
    z.strictObject({ path: z.string(), bytes: z.number(), sha256: z.string().nullable() }),
    { deadlineMs: 10 * minutes, reach: 'local' },
  ),
  /** The same for a page: the file at the answer's address is kept until four later ones were prepared, a SavedModel as `.tar`. */
  'weights.prepareExport': method(z.strictObject(exportOptions), z.strictObject({ url: z.string(), name: z.string(), bytes: z.number() }), {
    deadlineMs: 10 * minutes,
  }),
} as const;
