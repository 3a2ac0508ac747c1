// The base of a network: one of the published networks, without its top, cut behind a layer, with the weights it starts from. Layers are
// made from it in domain/zoo; a recipe holds the choice and not the layers.
import { z } from 'zod';

export const zooNetworks = ['VGG16', 'VGG19', 'MobileNet', 'EfficientNetLite0'] as const;
export type ZooNetwork = (typeof zooNetworks)[number];

/** `random`, or the id of weights in the lab (`weights list`). */
export const weightsIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'An id of weights has lower-case letters, digits and "-" only.');

export const baseSchema = z.strictObject({
  network: z.enum(zooNetworks),
  /** Width multiplier of MobileNet; 1 for every other network. */
  alpha: z.number().min(0.05).max(4).default(1),
  /** The last layer that is kept, by its Keras name; null keeps all of the network without top. */
  cutAt: z.string().min(1).max(80).nullable().default(null),
  weights: weightsIdSchema.default('random'),
  /** SHA-256 of those weights, set when a run is made; a run refuses to go on with others. */
  weightsFingerprint: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable()
    .default(null),
});
export type Base = z.infer<typeof baseSchema>;
