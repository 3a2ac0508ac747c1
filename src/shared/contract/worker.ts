// Messages between the core and its child processes: the trainer (one per run) and the importer. Sent over Node's IPC channel.
// The core validates reports; a child validates commands. Paths appear only here, never in contract/api.
import { z } from 'zod';
import { zooNetworks } from './base.ts';
import { wireErrorSchema } from './errors.ts';
import { exportFormats, weightsMatchSchema } from './methods/weights.ts';
import { laidOutReportSchema, layOutCommandSchema } from './reporter.ts';
import { recipeSchema } from './schema.ts';

/** Exit codes of a child process; anything else, or a signal, is a death. */
export const exitCodes = { done: 0, failed: 1, stopped: 10, diskFull: 11, badInput: 12 } as const;

const metricPair = z.strictObject({ loss: z.number(), accuracy: z.number() });
export type MetricPair = z.infer<typeof metricPair>;

/** Safetensors file with the weights of a base by `layer/weight`: absolute path and SHA-256. */
const baseWeightsSchema = z.strictObject({ path: z.string(), sha256: z.string() });
export type BaseWeights = z.infer<typeof baseWeightsSchema>;

export const trainCommandSchema = z.strictObject({
  type: z.literal('train'),
  runId: z.string(),
  /** Absolute folder of this run: checkpoints, kept weights and predictions go there. */
  runFolder: z.string(),
  /** Absolute folder of the dataset store (dataset.json, images.bin, labels.bin). */
  datasetFolder: z.string(),
  /** Absolute folder for what only this run needs while it trains, such as resized pictures. */
  cacheFolder: z.string(),
  /** Absolute folder of features that runs share; the trainer adds to it and never removes what another may read. */
  featuresFolder: z.string(),
  /** What the base of the network starts from; null when it is random or there is no base. */
  baseWeights: baseWeightsSchema.nullable(),
  recipe: recipeSchema,
  seed: z.int(),
  /** Continue from the newest checkpoint that verifies; without one start from the beginning. */
  resume: z.boolean(),
  /** Phases that the history already holds as finished; the trainer does not report them again. */
  finishedPhases: z.int().nonnegative(),
  featureCacheBytes: z.int().positive(),
});
export type TrainCommand = z.infer<typeof trainCommandSchema>;

export const importCommandSchema = z.strictObject({
  type: z.literal('import'),
  paths: z.array(z.string()).min(1),
  kind: z.enum(['idx', 'cifar', 'folders', 'csv']).nullable(),
  name: z.string().nullable(),
  /** Side length pictures are resized to; null keeps the first picture's size when all agree. */
  size: z.int().positive().max(1024).nullable(),
  /** Absolute path of a folder that does not exist yet; the core renames it into place when it is complete. */
  targetFolder: z.string(),
});
export type ImportCommand = z.infer<typeof importCommandSchema>;

/** Turns a dataset that comes with the program into a dataset store. */
export const materializeCommandSchema = z.strictObject({
  type: z.literal('materialize'),
  id: z.string(),
  /** Absolute folder with bundled.json and the files it names. */
  resourcesFolder: z.string(),
  /** Absolute path of a folder that does not exist yet; the core renames it into place when it is complete. */
  targetFolder: z.string(),
});
export type MaterializeCommand = z.infer<typeof materializeCommandSchema>;

/** Predicts pictures of a person with the weights that a finished phase kept. */
export const predictCommandSchema = z.strictObject({
  type: z.literal('predict'),
  recipe: recipeSchema,
  phase: z.int().nonnegative(),
  /** Of the dataset the run was trained on. */
  dataset: z.strictObject({
    shape: z.tuple([z.int().positive(), z.int().positive(), z.union([z.literal(1), z.literal(3)])]),
    classCount: z.int().positive(),
  }),
  /** Absolute path and SHA-256. */
  weights: z.strictObject({ path: z.string(), sha256: z.string() }),
  /** Absolute paths. */
  pictures: z.array(z.string()).min(1),
  isInverted: z.boolean(),
});
export type PredictCommand = z.infer<typeof predictCommandSchema>;

/** Times a few real steps of every phase; nothing of it is kept. */
export const calibrateCommandSchema = z.strictObject({
  type: z.literal('calibrate'),
  recipe: recipeSchema,
  datasetFolder: z.string(),
  /** Absolute folder for resized pictures and features, removed by the core afterwards. */
  cacheFolder: z.string(),
  baseWeights: baseWeightsSchema.nullable(),
  featureCacheBytes: z.int().positive(),
});
export type CalibrateCommand = z.infer<typeof calibrateCommandSchema>;

/** Reads a weights file of Keras and keeps what the base of a network needs of it. */
export const importWeightsCommandSchema = z.strictObject({
  type: z.literal('importWeights'),
  /** Absolute. */
  path: z.string(),
  network: z.enum(zooNetworks),
  alpha: z.number(),
  /** Absolute path of a folder that exists; weights.safetensors appears in it. */
  targetFolder: z.string(),
});
export type ImportWeightsCommand = z.infer<typeof importWeightsCommandSchema>;

/** Writes the weights that a finished phase kept in a format that Python reads. */
export const exportWeightsCommandSchema = z.strictObject({
  type: z.literal('exportWeights'),
  recipe: recipeSchema,
  phase: z.int().nonnegative(),
  /** Of the dataset the run was trained on, with the class names in the order of the phase's labels. */
  dataset: z.strictObject({
    shape: z.tuple([z.int().positive(), z.int().positive(), z.union([z.literal(1), z.literal(3)])]),
    classes: z.array(z.string()).min(1),
  }),
  runId: z.string(),
  /** Absolute path and SHA-256. */
  weights: z.strictObject({ path: z.string(), sha256: z.string() }),
  format: z.enum(exportFormats),
  /** A SavedModel as one `.tar` instead of a folder. */
  isPacked: z.boolean(),
  /** Absolute path of what is written, which does not exist yet. */
  target: z.string(),
});
export type ExportWeightsCommand = z.infer<typeof exportWeightsCommandSchema>;

/** Trains a tiny network for 50 steps and compares its losses with stored ones. */
export const selfTestCommandSchema = z.strictObject({ type: z.literal('selfTest') });

export const controlCommandSchema = z.strictObject({ type: z.enum(['pause', 'continue', 'stop']) });
export const commandSchema = z.discriminatedUnion('type', [
  trainCommandSchema,
  importCommandSchema,
  materializeCommandSchema,
  selfTestCommandSchema,
  predictCommandSchema,
  calibrateCommandSchema,
  importWeightsCommandSchema,
  exportWeightsCommandSchema,
  layOutCommandSchema,
  controlCommandSchema,
]);
export type Command = z.infer<typeof commandSchema>;

/** After a resume, epochs of the unfinished phase that a checkpoint holds are reported again: the core keeps each epoch once. */
export const epochReportSchema = z.strictObject({
  type: z.literal('epochFinished'),
  phase: z.int().nonnegative(),
  epoch: z.int().positive(),
  /** Training time without validation. */
  seconds: z.number(),
  train: metricPair,
  validation: metricPair.nullable(),
  learningRate: z.number(),
});
export type EpochReport = z.infer<typeof epochReportSchema>;

export const phaseReportSchema = z.strictObject({
  type: z.literal('phaseFinished'),
  phase: z.int().nonnegative(),
  epochs: z.int().nonnegative(),
  seconds: z.number(),
  secondsPerEpoch: z.number(),
  stoppedBy: z.enum(['epochs', 'early-stopping']),
  best: z.strictObject({ epoch: z.int().positive(), rule: z.enum(['last', 'bestValLoss', 'bestValAccuracy']) }),
  test: metricPair.nullable(),
  /** File names inside the run folder with their SHA-256. */
  weights: z.strictObject({ file: z.string(), sha256: z.string() }),
  predictions: z.strictObject({ file: z.string(), sha256: z.string() }).nullable(),
  confusion: z.array(z.array(z.int())).nullable(),
});
export type PhaseReport = z.infer<typeof phaseReportSchema>;

export const predictedReportSchema = z.strictObject({
  type: z.literal('predicted'),
  /** Of the pixels, [height, width, channels]. */
  shape: z.array(z.int()).length(3),
  /** In the order of the command; a picture that could not be read has a problem instead. */
  pictures: z.array(
    z.union([
      z.strictObject({
        probabilities: z.array(z.number()),
        pixels: z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes'),
      }),
      z.strictObject({ problem: z.string() }),
    ]),
  ),
});
export type PredictedReport = z.infer<typeof predictedReportSchema>;

export const calibratedReportSchema = z.strictObject({
  type: z.literal('calibrated'),
  device: z.string(),
  phases: z.array(
    z.strictObject({
      name: z.string(),
      secondsPerStep: z.number(),
      secondsPerEpoch: z.number(),
      /** For all pictures of the phase; null when it does not cache. */
      featureSeconds: z.number().nullable(),
    }),
  ),
});
export type CalibratedReport = z.infer<typeof calibratedReportSchema>;

export const weightsImportedReportSchema = z.strictObject({
  type: z.literal('weightsImported'),
  /** SHA-256 of the file that was read. */
  fileFingerprint: z.string(),
  /** SHA-256 of weights.safetensors. */
  fingerprint: z.string(),
  bytes: z.number(),
  /** The file is, byte for byte, one whose checksum Keras's sources publish. */
  isOfficial: z.boolean(),
  match: weightsMatchSchema,
});
export type WeightsImportedReport = z.infer<typeof weightsImportedReportSchema>;

export const weightsExportedReportSchema = z.strictObject({
  type: z.literal('weightsExported'),
  bytes: z.number(),
  /** Null for a folder. */
  sha256: z.string().nullable(),
});
export type WeightsExportedReport = z.infer<typeof weightsExportedReportSchema>;

export const reportSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('ready'),
    versions: z.strictObject({ node: z.string(), tensorflow: z.string() }),
    device: z.string(),
    build: z.enum(['cpu', 'gpu']),
    split: z.array(
      z.strictObject({ phase: z.int(), train: z.int(), validation: z.int(), test: z.int(), file: z.string(), sha256: z.string() }),
    ),
  }),
  z.strictObject({ type: z.literal('log'), level: z.enum(['info', 'warning', 'error']), text: z.string() }),
  z.strictObject({
    type: z.literal('progress'),
    phase: z.int(),
    epoch: z.int(),
    step: z.int(),
    steps: z.int(),
    loss: z.number(),
    accuracy: z.number(),
    imagesPerSecond: z.number(),
    remainingSeconds: z.number().nullable(),
  }),
  /** `epochs`: that it trains at most, which an earlier phase may decide. */
  z.strictObject({ type: z.literal('phaseStarted'), phase: z.int(), epochs: z.int().positive().optional() }),
  z.strictObject({ type: z.literal('featuresComputed'), phase: z.int(), images: z.int(), seconds: z.number(), bytes: z.number() }),
  epochReportSchema,
  phaseReportSchema,
  z.strictObject({ type: z.literal('paused') }),
  z.strictObject({ type: z.literal('continued') }),
  z.strictObject({ type: z.literal('stopped') }),
  z.strictObject({ type: z.literal('finished') }),
  z.strictObject({ type: z.literal('failed'), error: wireErrorSchema }),
  /** A sign of life between other reports, at most one per second. */
  z.strictObject({ type: z.literal('heartbeat') }),
  z.strictObject({
    type: z.literal('selfTest'),
    ok: z.boolean(),
    seconds: z.number(),
    message: z.string(),
    devices: z.array(z.string()).optional(),
  }),
  z.strictObject({ type: z.literal('importProgress'), done: z.int(), total: z.int() }),
  z.strictObject({
    type: z.literal('imported'),
    rejected: z.array(z.strictObject({ file: z.string(), reason: z.string() })),
  }),
  laidOutReportSchema,
  predictedReportSchema,
  calibratedReportSchema,
  weightsImportedReportSchema,
  weightsExportedReportSchema,
]);
export type Report = z.infer<typeof reportSchema>;
