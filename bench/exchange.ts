// What run.ts and the two sides say to each other: a request file per process, one line of JSON as the answer. Both sides get the same
// starting weights, pictures, batch order and step counts from the same files.
import { z } from 'zod';
import { recipeSchema } from '../src/shared/contract/schema.ts';

const stepCount = z.int().positive();

/** Everything both sides have in common. */
export const workSchema = z.strictObject({
  recipe: recipeSchema,
  phase: z.int().nonnegative(),
  seed: z.int(),
  datasetFolder: z.string(),
  /** safetensors with all weights of the network, by path. */
  weightsFile: z.string(),
  /** Full batches before the clock; the partial last batch, if the epoch has one, follows them. */
  warmupSteps: stepCount,
  /** Null measures the whole epoch. */
  timedSteps: stepCount.nullable(),
});
export type Work = z.infer<typeof workSchema>;

export const ourRequestSchema = z.strictObject({
  do: z.enum(['prepare', 'measure']),
  work: workSchema,
  /** Scratch of one process: splits, cached features. */
  folder: z.string(),
  /** Milliseconds since 1970, when the process was started. */
  startedAt: z.number(),
});
export type OurRequest = z.infer<typeof ourRequestSchema>;

export const preparedSchema = z.strictObject({
  /** Pictures, batch size, steps and pictures of the partial last batch (0: none) of one epoch. */
  count: z.int(),
  batchSize: z.int(),
  steps: z.int(),
  partial: z.int(),
  /** Little-endian uint32 store positions: the order of the warm-up epoch, then that of the timed one. */
  orderFile: z.string(),
  shape: z.array(z.int()),
  hasDropout: z.boolean(),
});
export type Prepared = z.infer<typeof preparedSchema>;

export type Jit = 'auto' | 'false' | 'true';

/** How Keras runs a row. */
export interface KerasVariant {
  readonly jit: Jit;
  /** Full trains every layer, whatever the phase freezes. */
  readonly scope: 'phase' | 'full';
}

export const measuredSchema = z.strictObject({
  /** Wall time of the timed steps. */
  seconds: z.number().positive(),
  /** Processor time of all threads during the timed steps, and of the whole process. */
  cpuSeconds: z.number().nonnegative(),
  processCpuSeconds: z.number().nonnegative(),
  steps: z.int().positive(),
  /** Mean losses over the pictures of the warm-up and of the timed steps. */
  warmupLoss: z.number(),
  loss: z.number(),
  /** From the start of the process to the end of its first step. */
  firstStepSeconds: z.number().positive(),
  /** VmHWM of the process at its end. */
  peakBytes: z.number().positive(),
  /** Cached features of the frozen layers, computed before the first step. */
  features: z.strictObject({ seconds: z.number(), images: z.int(), bytes: z.number() }).nullable(),
  /** What Keras made of jit_compile; null on our side. */
  jitCompile: z.boolean().nullable(),
  versions: z.record(z.string(), z.string()),
});
export type Measured = z.infer<typeof measuredSchema>;

/** A Keras process that only shows how much memory one fit over the training pictures takes. */
export const memorySchema = z.strictObject({ peakBytes: z.number().positive() });
