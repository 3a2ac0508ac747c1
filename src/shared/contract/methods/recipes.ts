import { z } from 'zod';
import { recipeParametersSchema, recipesAnswerSchema } from '../answers.ts';
import { method, minutes, nothing } from '../method.ts';
import { previewAnswerSchema, previewWishSchema } from '../preview.ts';
import { recipeSchema } from '../schema.ts';

/** A template by its id, or the content of a recipe file. */
export const recipeSourceSchema = z.discriminatedUnion('from', [
  z.strictObject({ from: z.literal('template'), id: z.string().min(1).max(64) }),
  z.strictObject({ from: z.literal('content'), content: z.unknown() }),
]);
export type RecipeSource = z.infer<typeof recipeSourceSchema>;

const count = z.int().nonnegative();

export const preflightSchema = z.strictObject({
  phases: z.array(
    z.strictObject({
      name: z.string(),
      total: count,
      trainable: count,
      nonTrainable: count,
      train: count,
      validation: count,
      test: count,
      stepsPerEpoch: count,
      /** Estimates, in bytes: weights with gradients and optimizer slots, and activations of one training batch. */
      memory: z.strictObject({ weights: z.number(), activations: z.number() }),
      /** Bytes of the frozen layers' features, on the disk or in memory; null when the phase computes all layers in every step. */
      features: z.number().nullable(),
    }),
  ),
  /** Why the recipe cannot run; null when it can. */
  problem: z.strictObject({ layer: z.string().nullable(), message: z.string(), fix: z.string() }).nullable(),
});
export type Preflight = z.infer<typeof preflightSchema>;

export const calibrationSchema = z.strictObject({
  device: z.string(),
  phases: z.array(
    z.strictObject({
      name: z.string(),
      secondsPerStep: z.number(),
      /** Training steps of one epoch, without validation. */
      secondsPerEpoch: z.number(),
      /** Computing the frozen layers' features once; null when the phase does not cache. */
      featureSeconds: z.number().nullable(),
    }),
  ),
  /** A run was training meanwhile, so the times are too long. */
  isDisturbed: z.boolean(),
});
export type Calibration = z.infer<typeof calibrationSchema>;

const recipeOnDataset = z.strictObject({ recipe: recipeSourceSchema, datasetId: z.string().min(1).max(64).nullable().default(null) });

export const recipeMethods = {
  'recipes.list': method(nothing, recipesAnswerSchema),
  'recipes.show': method(z.strictObject({ id: z.string().min(1).max(64) }), recipeSchema),
  'recipes.parameters': method(z.strictObject({ recipe: recipeSourceSchema }), recipeParametersSchema),
  'recipes.preflight': method(recipeOnDataset, preflightSchema, { deadlineMs: minutes }),
  /**
   * Mean and standard deviation per channel of the training pictures after scaling, as ImageDataGenerator.fit; for `input.normalize`.
   * `std` holds the 1e-6 that Keras adds before it divides.
   */
  'recipes.fit': method(recipeOnDataset, z.strictObject({ mean: z.array(z.number()), std: z.array(z.number()), images: count }), {
    deadlineMs: 5 * minutes,
  }),
  /** Pictures as the augmentation of a phase changes them; the recipe need not be complete enough to run. */
  'recipes.previewAugmentation': method(recipeOnDataset.extend(previewWishSchema.shape), previewAnswerSchema, { deadlineMs: minutes }),
  /** Times a few real training steps of each phase. */
  'recipes.calibrate': method(recipeOnDataset, calibrationSchema, { deadlineMs: 5 * minutes }),
} as const;
