// Everything that happens in the lab, as one union. Durable events are committed with a sequence number before anyone sees them;
// volatile ones are coalesced, may be dropped and are never needed to be right.
import { z } from 'zod';
import { weightsIdSchema } from './base.ts';
import { wireErrorSchema } from './errors.ts';
import { datasetIdSchema, keepRules, runIdSchema } from './schema.ts';

const happened = { seq: z.int().nonnegative(), at: z.iso.datetime() };
const inRun = { ...happened, runId: runIdSchema };
const metricPair = z.strictObject({ loss: z.number(), accuracy: z.number() });
const phase = z.int().nonnegative();

export const versionsSchema = z.strictObject({ app: z.string(), node: z.string(), tensorflow: z.string(), sqlite: z.string() });
export type Versions = z.infer<typeof versionsSchema>;

export const splitRecordSchema = z.strictObject({
  phase,
  train: z.int(),
  validation: z.int(),
  test: z.int(),
  file: z.string(),
  sha256: z.string(),
});
export type SplitRecord = z.infer<typeof splitRecordSchema>;

const durable = [
  z.strictObject({
    type: z.literal('run.created'),
    ...inRun,
    recipeId: z.string(),
    name: z.string(),
    seed: z.int(),
    group: z.string().nullable(),
  }),
  /** A stopped or interrupted run waits for the trainer again. */
  z.strictObject({ type: z.literal('run.queued'), ...inRun }),
  z.strictObject({ type: z.literal('run.started'), ...inRun, attempt: z.int().positive() }),
  z.strictObject({
    type: z.literal('run.prepared'),
    ...inRun,
    versions: versionsSchema,
    device: z.string(),
    build: z.enum(['cpu', 'gpu']),
    split: z.array(splitRecordSchema),
  }),
  /** `epochs`: that it trains at most, where this is known. */
  z.strictObject({ type: z.literal('run.phaseStarted'), ...inRun, phase, epochs: z.int().positive().optional() }),
  z.strictObject({
    type: z.literal('run.featuresComputed'),
    ...inRun,
    phase,
    images: z.int(),
    seconds: z.number(),
    bytes: z.number(),
  }),
  z.strictObject({
    type: z.literal('run.epochFinished'),
    ...inRun,
    phase,
    epoch: z.int().positive(),
    seconds: z.number(),
    train: metricPair,
    validation: metricPair.nullable(),
    learningRate: z.number(),
  }),
  z.strictObject({
    type: z.literal('run.phaseFinished'),
    ...inRun,
    phase,
    epochs: z.int().nonnegative(),
    seconds: z.number(),
    secondsPerEpoch: z.number(),
    stoppedBy: z.enum(['epochs', 'early-stopping']),
    best: z.strictObject({ epoch: z.int().positive(), rule: z.enum(keepRules) }),
    test: metricPair.nullable(),
  }),
  z.strictObject({ type: z.literal('run.paused'), ...inRun }),
  z.strictObject({ type: z.literal('run.continued'), ...inRun }),
  z.strictObject({ type: z.literal('run.finished'), ...inRun, seconds: z.number() }),
  z.strictObject({ type: z.literal('run.stopped'), ...inRun, seconds: z.number() }),
  z.strictObject({ type: z.literal('run.interrupted'), ...inRun, seconds: z.number(), error: wireErrorSchema }),
  z.strictObject({ type: z.literal('run.failed'), ...inRun, seconds: z.number(), error: wireErrorSchema }),
  z.strictObject({ type: z.literal('run.logged'), ...inRun, level: z.enum(['info', 'warning', 'error']), text: z.string() }),
  z.strictObject({ type: z.literal('run.trashed'), ...inRun }),
  z.strictObject({ type: z.literal('run.restored'), ...inRun }),
  z.strictObject({ type: z.literal('run.edited'), ...inRun, name: z.string(), notes: z.string(), tags: z.array(z.string()) }),
  z.strictObject({ type: z.literal('run.archived'), ...inRun }),
  z.strictObject({ type: z.literal('run.unarchived'), ...inRun }),
  /** The order in which waiting runs will train. */
  z.strictObject({ type: z.literal('queue.changed'), ...happened, queued: z.array(runIdSchema) }),
  z.strictObject({ type: z.literal('settings.changed'), ...happened }),
  z.strictObject({ type: z.literal('report.created'), ...happened, reportId: z.string() }),
  z.strictObject({ type: z.literal('report.removed'), ...happened, reportId: z.string() }),
  /** Trashed runs were deleted for good. */
  z.strictObject({ type: z.literal('runs.purged'), ...happened, runs: z.array(runIdSchema) }),
  z.strictObject({ type: z.literal('dataset.imported'), ...happened, datasetId: datasetIdSchema }),
  z.strictObject({ type: z.literal('dataset.removed'), ...happened, datasetId: datasetIdSchema }),
  z.strictObject({ type: z.literal('weights.imported'), ...happened, weightsId: weightsIdSchema }),
  z.strictObject({ type: z.literal('weights.removed'), ...happened, weightsId: weightsIdSchema }),
] as const;

/** Their `seq` is that of the last durable event before them. */
const volatile = [
  z.strictObject({
    type: z.literal('run.progress'),
    ...inRun,
    phase,
    epoch: z.int(),
    step: z.int(),
    steps: z.int(),
    loss: z.number(),
    accuracy: z.number(),
    imagesPerSecond: z.number(),
    remainingSeconds: z.number().nullable(),
  }),
  /** What the training process uses; `processor` is the share of all cores, 0..1. */
  z.strictObject({
    type: z.literal('run.resources'),
    ...inRun,
    processor: z.number(),
    residentBytes: z.number(),
    availableBytes: z.number(),
  }),
  z.strictObject({ type: z.literal('dataset.progress'), ...happened, name: z.string(), done: z.int(), total: z.int() }),
] as const;

export const durableEventSchema = z.discriminatedUnion('type', [...durable]);
export type DurableEvent = z.infer<typeof durableEventSchema>;
export const volatileEventSchema = z.discriminatedUnion('type', [...volatile]);
export type VolatileEvent = z.infer<typeof volatileEventSchema>;
export const labEventSchema = z.discriminatedUnion('type', [...durable, ...volatile]);
export type LabEvent = z.infer<typeof labEventSchema>;

export type RunEvent = Extract<DurableEvent, { type: `run.${string}` }>;

export function isVolatile(event: LabEvent): event is VolatileEvent {
  return event.type === 'run.progress' || event.type === 'run.resources' || event.type === 'dataset.progress';
}
