import { z } from 'zod';
import {
  epochAnswerSchema,
  runDetailsSchema,
  runsAnswerSchema,
  runsDeletedSchema,
  runsRestoredSchema,
  runStateAnswerSchema,
  runStateSchema,
  runSummarySchema,
} from '../answers.ts';
import { method, minutes, nothing, page, runReference, runReferences } from '../method.ts';
import { weightsIdSchema } from '../base.ts';
import { datasetIdSchema, runIdSchema } from '../schema.ts';
import { recipeSourceSchema } from './recipes.ts';

export const runRequestSchema = z.strictObject({
  recipe: recipeSourceSchema,
  datasetId: z.string().min(1).max(64).nullable().default(null),
  settings: z
    .array(z.strictObject({ path: z.string().min(1).max(200), json: z.string().max(100_000) }))
    .max(200)
    .default([]),
  seeds: z.array(z.int().min(0).max(0x7fffffff)).min(1).max(100).nullable().default(null),
  protocol: z.enum(['document', 'sound']).nullable().default(null),
  /** Weights of the base: an id, or `random`; null keeps those of the recipe. */
  weights: weightsIdSchema.nullable().default(null),
  name: z.string().min(1).max(120).nullable().default(null),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

const runCreatedSchema = z.strictObject({
  group: z.string().nullable(),
  runs: z.array(runSummarySchema),
  /** Follow the events after this one to see everything that happens to these runs. */
  since: z.int().nonnegative(),
});

/** Columns that every run has; any value of its recipe is `recipe.` and the path, such as `recipe.phases[0].batchSize`. */
export const runFields = [
  'name',
  'recipeId',
  'state',
  'createdAt',
  'seconds',
  'seed',
  'group',
  'datasetId',
  'epochs',
  'total',
  'trainable',
  'secondsPerEpoch',
  'testAccuracy',
  'testLoss',
  'bestValidationAccuracy',
  'tags',
] as const;
export type RunField = (typeof runFields)[number];
const field = z.string().regex(/^(?:[a-zA-Z]{1,40}|recipe\.[a-zA-Z0-9_.[\]]{1,120})$/);
const value = z.union([z.string().max(200), z.number(), z.boolean()]);

export const runFilterSchema = z.strictObject({
  field,
  /** `contains` compares text without regard to case; for tags it asks for the whole tag. */
  operator: z.enum(['=', '!=', '<', '<=', '>', '>=', 'contains']),
  value,
});
export type RunFilter = z.infer<typeof runFilterSchema>;

export const runQuerySchema = z.strictObject({
  view: z.enum(['active', 'archived', 'trash']).default('active'),
  /** Found in name, id, recipe, notes or tags. */
  text: z.string().max(200).default(''),
  filters: z.array(runFilterSchema).max(20).default([]),
  /** The first decides; runs without the value come last. Newest first when empty. */
  sort: z
    .array(z.strictObject({ field, isDescending: z.boolean() }))
    .max(4)
    .default([]),
  /** Recipe fields to answer besides the fixed ones. */
  columns: z.array(field).max(30).default([]),
  ...page,
});
export type RunQuery = z.input<typeof runQuerySchema>;

export const runRowSchema = runSummarySchema.extend({
  datasetId: datasetIdSchema,
  tags: z.array(z.string()),
  /** The beginning, at most 1000 characters; `runs.show` has all. */
  notes: z.string(),
  archivedAt: z.iso.datetime().nullable(),
  trashedAt: z.iso.datetime().nullable(),
  /** Of the last finished phase with a test set. */
  testAccuracy: z.number().nullable(),
  testLoss: z.number().nullable(),
  /** The highest of the last phase with validated epochs. */
  bestValidationAccuracy: z.number().nullable(),
  /** The phase being trained and its finished epochs. */
  currentPhase: z.int().nullable(),
  currentEpoch: z.int(),
  /** Of all phases. */
  plannedEpochs: z.int().nonnegative(),
  /** Values of the asked recipe fields; null where the recipe has none. */
  values: z.record(z.string(), value.nullable()),
});
export type RunRow = z.infer<typeof runRowSchema>;

export const tagSchema = z.string().trim().min(1).max(40);

export const seriesMetrics = ['seconds', 'learningRate', 'trainLoss', 'trainAccuracy', 'validationLoss', 'validationAccuracy'] as const;
export type SeriesMetric = (typeof seriesMetrics)[number];

const series = z.strictObject({
  runId: runIdSchema,
  phase: z.int(),
  /**
   * At most `maxPoints`, fewer where the answer would be too long for a message, with the highest and lowest of what is left out kept.
   * Every list has one value per point, with six significant digits; a metric that was not asked for has an empty list.
   */
  epoch: z.array(z.int()),
  seconds: z.array(z.number()),
  learningRate: z.array(z.number()),
  trainLoss: z.array(z.number()),
  trainAccuracy: z.array(z.number()),
  validationLoss: z.array(z.number().nullable()),
  validationAccuracy: z.array(z.number().nullable()),
});
export type RunSeries = z.infer<typeof series>;

export const runMethods = {
  'runs.create': method(runRequestSchema, runCreatedSchema, { deadlineMs: 30_000 }),
  /** Several recipes that belong together, such as the rungs of a ladder: all become runs of one group, or none does. */
  'runs.createGroup': method(z.strictObject({ requests: z.array(runRequestSchema).min(1).max(20) }), runCreatedSchema, {
    deadlineMs: 30_000,
  }),
  /** With the archive, without the trash. */
  'runs.list': method(
    z.strictObject({
      state: runStateSchema.nullable().default(null),
      recipeId: z.string().nullable().default(null),
      limit: z.int().positive().max(200).default(100),
      /** Continue a list after this run. */
      after: runIdSchema.nullable().default(null),
    }),
    runsAnswerSchema,
  ),
  'runs.query': method(runQuerySchema, z.strictObject({ total: z.int(), rows: z.array(runRowSchema) })),
  /** Recipe fields that occur in the history and can be filtered, sorted and shown. */
  'runs.fields': method(
    nothing,
    z.strictObject({ fields: z.array(z.strictObject({ field: z.string(), kind: z.enum(['number', 'text', 'boolean']) })) }),
  ),
  'runs.tags': method(nothing, z.strictObject({ tags: z.array(z.strictObject({ tag: z.string(), runs: z.int() })) })),
  'runs.show': method(z.strictObject({ run: runReference }), runDetailsSchema),
  'runs.epochs': method(
    z.strictObject({ run: runReference, offset: z.int().nonnegative().default(0), limit: z.int().positive().max(1000).default(1000) }),
    z.strictObject({ epochs: z.array(epochAnswerSchema) }),
  ),
  /** Every phase of each run that has epochs. */
  'runs.series': method(
    z.strictObject({
      runs: z.array(runReference).min(1).max(100),
      maxPoints: z.int().min(10).max(2000).default(500),
      /** Many runs at once are read finer when only what is shown is asked for. */
      metrics: z
        .array(z.enum(seriesMetrics))
        .min(1)
        .max(seriesMetrics.length)
        .default([...seriesMetrics]),
    }),
    z.strictObject({ series: z.array(series) }),
  ),
  'runs.edit': method(
    z.strictObject({
      run: runReference,
      name: z.string().trim().min(1).max(120).optional(),
      notes: z.string().max(20_000).optional(),
      tags: z.array(tagSchema).max(30).optional(),
    }),
    z.strictObject({ runId: runIdSchema, name: z.string(), notes: z.string(), tags: z.array(z.string()) }),
  ),
  'runs.archive': method(z.strictObject({ runs: runReferences }), z.strictObject({ archived: z.array(runIdSchema) })),
  'runs.unarchive': method(z.strictObject({ runs: runReferences }), z.strictObject({ unarchived: z.array(runIdSchema) })),
  /** Moves a queued run before another queued run, or to the end; answers the queue. */
  'runs.reorder': method(
    z.strictObject({ run: runReference, before: runReference.nullable() }),
    z.strictObject({ queued: z.array(runIdSchema) }),
  ),
  'runs.resume': method(z.strictObject({ run: runReference }), z.strictObject({ run: runSummarySchema, since: z.int().nonnegative() }), {
    deadlineMs: minutes,
  }),
  'runs.pause': method(z.strictObject({ run: runReference }), runStateAnswerSchema, { deadlineMs: 10 * minutes }),
  'runs.stop': method(z.strictObject({ run: runReference }), runStateAnswerSchema, { deadlineMs: 10 * minutes }),
  'runs.delete': method(z.strictObject({ runs: runReferences }), runsDeletedSchema),
  'runs.restore': method(z.strictObject({ runs: runReferences }), runsRestoredSchema),
} as const;
