// What the commands answer with --json (design page "Command line: the contract"). The api table answers with the same shapes, so the
// command line prints what it received. Fields may be added, never renamed or removed.
import { z } from 'zod';
import { datasetKinds } from './dataset.ts';
import { wireErrorSchema } from './errors.ts';
import { splitRecordSchema, versionsSchema } from './events.ts';
import { datasetIdSchema, recipeSchema, runIdSchema } from './schema.ts';

export const runStates = ['queued', 'running', 'paused', 'stopped', 'interrupted', 'failed', 'finished'] as const;
export const runStateSchema = z.enum(runStates);
export type RunStateName = z.infer<typeof runStateSchema>;

const metricPair = z.strictObject({ loss: z.number(), accuracy: z.number() });
const count = z.int().nonnegative();
const seconds = z.number().nonnegative();

export const problemSchema = z.strictObject({ what: z.string(), help: z.string() });
export type Problem = z.infer<typeof problemSchema>;

export const machineSchema = z.strictObject({
  host: z.string(),
  platform: z.string(),
  cpu: z.strictObject({ model: z.string(), cores: z.int(), features: z.array(z.string()) }),
  memoryBytes: z.number(),
});
export type Machine = z.infer<typeof machineSchema>;

export const doctorAnswerSchema = z.strictObject({
  ok: z.boolean(),
  versions: versionsSchema,
  native: z.strictObject({ library: z.string(), build: z.enum(['cpu', 'gpu']), path: z.string(), verified: z.boolean() }),
  cpu: machineSchema.shape.cpu,
  devices: z.array(z.string()),
  memory: z.strictObject({ totalBytes: z.number(), availableBytes: z.number() }),
  disk: z.strictObject({ folder: z.string(), totalBytes: z.number(), freeBytes: z.number() }),
  selfTest: z.strictObject({ ok: z.boolean(), seconds, message: z.string() }),
  problems: z.array(problemSchema),
});
export type DoctorAnswer = z.infer<typeof doctorAnswerSchema>;

export const datasetAnswerSchema = z.strictObject({
  id: datasetIdSchema,
  name: z.string(),
  kind: z.enum(datasetKinds),
  classes: z.array(z.string()),
  trainCount: count,
  testCount: count,
  shape: z.array(z.int()),
  fingerprint: z.string(),
  origin: z.string(),
  bytes: z.number(),
});
export type DatasetAnswer = z.infer<typeof datasetAnswerSchema>;

export const datasetsAnswerSchema = z.strictObject({
  datasets: z.array(datasetAnswerSchema),
  /** Those that come with the program and cannot be removed. */
  bundled: z.array(datasetIdSchema),
});
export const datasetImportAnswerSchema = datasetAnswerSchema.extend({
  rejected: z.array(z.strictObject({ file: z.string(), reason: z.string() })),
});
export type DatasetImportAnswer = z.infer<typeof datasetImportAnswerSchema>;
export const datasetDetailsSchema = datasetAnswerSchema.extend({
  perClass: z.array(z.strictObject({ name: z.string(), train: count, test: count })),
  licence: z.string().nullable(),
  sources: z.array(z.strictObject({ file: z.string(), sha256: z.string() })),
});
export type DatasetDetails = z.infer<typeof datasetDetailsSchema>;
export const datasetRemovedSchema = z.strictObject({
  removed: datasetIdSchema,
  /** Runs in the history that used it and can no longer be resumed. */
  usedBy: z.array(runIdSchema),
});

export const recipesAnswerSchema = z.strictObject({
  recipes: z.array(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      document: z.string().nullable(),
      dataset: z.string(),
      phases: z.array(z.string()),
      /** Starts from weights that do not come with the lab. */
      needsWeights: z.boolean(),
    }),
  ),
});

export const recipeParametersSchema = z.strictObject({
  id: z.string(),
  phases: z.array(z.strictObject({ name: z.string(), total: count, trainable: count, nonTrainable: count })),
  layers: z.array(
    z.strictObject({
      name: z.string(),
      type: z.string(),
      inputShape: z.array(z.int()),
      outputShape: z.array(z.int()),
      params: count,
      trainableParams: z.array(count),
    }),
  ),
  problem: z.strictObject({ layer: z.string(), message: z.string(), fix: z.string() }).optional(),
});
export type RecipeParameters = z.infer<typeof recipeParametersSchema>;

export const runPhaseSchema = z.strictObject({
  name: z.string(),
  epochs: count,
  seconds,
  secondsPerEpoch: seconds.nullable(),
  total: count,
  trainable: count,
  test: metricPair.nullable(),
});

export const runSummarySchema = z.strictObject({
  runId: runIdSchema,
  name: z.string(),
  recipeId: z.string(),
  seed: z.int(),
  group: z.string().nullable(),
  state: runStateSchema,
  createdAt: z.iso.datetime(),
  seconds,
  phases: z.array(runPhaseSchema),
});
export type RunSummary = z.infer<typeof runSummarySchema>;
export const runsAnswerSchema = z.strictObject({ runs: z.array(runSummarySchema) });

export const selectionRules = ['last', 'best-val-loss', 'best-val-accuracy'] as const;
const stored = z.strictObject({ file: z.string(), sha256: z.string() });
export const epochAnswerSchema = z.strictObject({
  phase: z.string(),
  epoch: z.int().positive(),
  seconds,
  train: metricPair,
  validation: metricPair.nullable(),
  learningRate: z.number(),
});
export type EpochAnswer = z.infer<typeof epochAnswerSchema>;

export const runDetailsSchema = runSummarySchema.extend({
  phases: z.array(
    runPhaseSchema.extend({
      nonTrainable: count,
      plannedEpochs: count,
      stoppedBy: z.enum(['epochs', 'early-stopping']).nullable(),
      best: z.strictObject({ epoch: z.int(), rule: z.enum(selectionRules) }).nullable(),
      features: z.strictObject({ images: z.int(), seconds }).nullable(),
      weights: stored.nullable(),
      predictions: stored.nullable(),
      confusion: z.array(z.array(z.int())).nullable(),
    }),
  ),
  recipe: recipeSchema,
  protocol: z.enum(['document', 'sound']),
  dataset: z.strictObject({ id: datasetIdSchema, fingerprint: z.string().nullable(), isPresent: z.boolean() }),
  splits: z.array(splitRecordSchema),
  versions: versionsSchema.nullable(),
  machine: machineSchema.nullable(),
  device: z.string().nullable(),
  build: z.enum(['cpu', 'gpu']).nullable(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  trashedAt: z.iso.datetime().nullable(),
  archivedAt: z.iso.datetime().nullable(),
  tags: z.array(z.string()),
  notes: z.string(),
  error: wireErrorSchema.nullable(),
  log: z.array(z.strictObject({ at: z.iso.datetime(), level: z.enum(['info', 'warning', 'error']), text: z.string() })),
  epochs: z.array(epochAnswerSchema).optional(),
});
export type RunDetails = z.infer<typeof runDetailsSchema>;

export const runStateAnswerSchema = z.strictObject({ runId: runIdSchema, state: runStateSchema });
export const runsDeletedSchema = z.strictObject({ deleted: z.array(runIdSchema) });
export const runsRestoredSchema = z.strictObject({ restored: z.array(runIdSchema) });

const phaseResult = {
  phase: z.string(),
  epochs: count,
  seconds,
  secondsPerEpoch: seconds,
  stoppedBy: z.enum(['epochs', 'early-stopping']),
  best: z.strictObject({ epoch: z.int().positive(), rule: z.enum(selectionRules) }),
  test: metricPair.nullable(),
};
const runId = runIdSchema;

/** One line of `run --json` and `resume --json`. */
export const runLineSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('run.started'),
    runId,
    recipeId: z.string(),
    seed: z.int(),
    phases: z.array(z.strictObject({ name: z.string(), total: count, trainable: count, epochs: count })),
  }),
  z.strictObject({ type: z.literal('phase.started'), runId, phase: z.string() }),
  z.strictObject({ type: z.literal('features.computed'), runId, phase: z.string(), images: count, seconds }),
  z.strictObject({ type: z.literal('epoch.finished'), runId, ...epochAnswerSchema.shape }),
  z.strictObject({ type: z.literal('phase.finished'), runId, ...phaseResult }),
  z.strictObject({
    type: z.literal('run.finished'),
    runId,
    state: z.literal('finished'),
    seconds,
    phases: z.array(z.strictObject({ ...phaseResult, total: count, trainable: count })),
  }),
  z.strictObject({
    type: z.literal('run.failed'),
    runId,
    state: z.enum(['failed', 'interrupted', 'stopped']),
    error: wireErrorSchema,
  }),
  z.strictObject({
    type: z.literal('group.finished'),
    group: z.string(),
    runs: z.array(runId),
    test: z.strictObject({
      accuracy: z.strictObject({ mean: z.number().nullable(), sd: z.number().nullable(), n: count }),
    }),
  }),
]);
export type RunLine = z.infer<typeof runLineSchema>;

/** The one line on standard error when a command with --json fails. */
export const errorAnswerSchema = z.strictObject({ error: wireErrorSchema });
