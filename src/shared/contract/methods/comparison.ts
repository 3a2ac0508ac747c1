// Entries side by side, all read by one checkpoint rule. `lab compare` prints this answer.
import { z } from 'zod';
import { entryReferenceSchema, method, minutes } from '../method.ts';
import { runIdSchema } from '../schema.ts';

export const checkpointRuleSchema = z.union([
  z.enum(['last', 'best-val-loss', 'best-val-accuracy']),
  z.templateLiteral(['epoch=', z.int().positive()]).refine((rule) => Number(rule.slice('epoch='.length)) >= 1, 'Epochs count from 1.'),
]);

const metricPair = z.strictObject({ loss: z.number(), accuracy: z.number() });
const count = z.int().nonnegative();

export const comparedEntrySchema = z.strictObject({
  runId: runIdSchema,
  /** The phase's name. */
  phase: z.string(),
  phaseIndex: count,
  name: z.string(),
  recipeId: z.string(),
  seed: z.int(),
  /** The epoch that speaks for the entry; null when the rule finds none. */
  epoch: count.nullable(),
  epochs: count,
  total: count,
  trainable: count,
  nonTrainable: count,
  seconds: z.number(),
  secondsPerEpoch: z.number().nullable(),
  train: metricPair.nullable(),
  validation: metricPair.nullable(),
  /** Read from the weights the phase kept; null when the rule speaks for another epoch. */
  test: metricPair.nullable(),
  /** Why `test` is null, for people. */
  testNote: z.string().nullable(),
  /** Classes, protocol and test set: entries with equal text were tested on the same pictures. */
  testSet: z.string(),
});
export type ComparedEntry = z.infer<typeof comparedEntrySchema>;

const setting = z.strictObject({ path: z.string(), values: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])) });

export const comparisonSchema = z.strictObject({
  rule: checkpointRuleSchema,
  /** Position of the base entry. */
  base: count,
  entries: z.array(comparedEntrySchema),
  /** Settings that are not the same in all entries. */
  differences: z.array(setting),
  /** Every setting, the same ones included. */
  settings: z.array(setting),
});
export type Comparison = z.infer<typeof comparisonSchema>;

export const comparisonRequestSchema = z.strictObject({
  entries: z.array(entryReferenceSchema).min(1).max(100),
  /** One of the entries; the first when null. */
  base: entryReferenceSchema.nullable().default(null),
  rule: checkpointRuleSchema.default('last'),
});
export type ComparisonRequest = z.infer<typeof comparisonRequestSchema>;

export const comparisonMethods = {
  'comparison.show': method(comparisonRequestSchema, comparisonSchema, { deadlineMs: minutes }),
} as const;
