// What a report says, as the core hands it to the report child: too long for a message, so it lies in a JSON file; predictions lie beside
// it, one JSON line per picture.
import { z } from 'zod';
import { machineSchema } from './answers.ts';
import { versionsSchema } from './events.ts';
import { comparisonSchema } from './methods/comparison.ts';
import { resultSchema } from './methods/results.ts';
import { publishedSchema } from './schema.ts';

const count = z.int().nonnegative();

/** One value per epoch in every list. */
const seriesSchema = z.strictObject({
  epoch: z.array(count),
  seconds: z.array(z.number()),
  learningRate: z.array(z.number()),
  trainLoss: z.array(z.number()),
  trainAccuracy: z.array(z.number()),
  validationLoss: z.array(z.number().nullable()),
  validationAccuracy: z.array(z.number().nullable()),
});

const resultShape = resultSchema.shape;

/** Of the weights that the phase kept. */
const reportResultSchema = z.strictObject({
  epoch: count,
  rule: z.string(),
  classes: z.array(z.string()),
  confusion: resultShape.confusion,
  perClass: resultShape.perClass,
  averages: resultShape.averages,
  cohensKappa: resultShape.cohensKappa,
  matthewsCorrelation: resultShape.matthewsCorrelation,
  /** Read from the predictions; null when they are not on the disk any more. */
  fromPredictions: z.strictObject({ logLoss: z.number(), calibrationError: z.number(), topK: resultShape.topK }).nullable(),
});
export type ReportResult = z.infer<typeof reportResultSchema>;

/** What stands behind an entry of the comparison, in its order. */
export const reportEntrySchema = z.strictObject({
  /** Short and unlike the labels of the other entries. */
  label: z.string(),
  recipeTitle: z.string(),
  document: z.string().nullable(),
  protocol: z.enum(['document', 'sound']),
  group: z.string().nullable(),
  state: z.string(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  plannedEpochs: count,
  stoppedBy: z.enum(['epochs', 'early-stopping']).nullable(),
  best: z.strictObject({ epoch: count, rule: z.string() }).nullable(),
  features: z.strictObject({ images: count, seconds: z.number() }).nullable(),
  series: seriesSchema,
  result: reportResultSchema.nullable(),
  /** Why figures of the test set are missing, for people. */
  resultNote: z.string().nullable(),
  published: z.array(publishedSchema),
  dataset: z.strictObject({ id: z.string(), fingerprint: z.string().nullable() }),
  split: z.strictObject({ train: count, validation: count, test: count, sha256: z.string() }).nullable(),
  /** SHA-256 of the recipe as compact JSON. */
  recipeSha256: z.string(),
  versions: versionsSchema.nullable(),
  machine: machineSchema.nullable(),
  device: z.string().nullable(),
  build: z.enum(['cpu', 'gpu']).nullable(),
});
export type ReportEntry = z.infer<typeof reportEntrySchema>;

/** The content lies in the file as JSON lines: this first, then one line per entry. */
export const reportHeadSchema = z.strictObject({
  title: z.string(),
  /** The newest moment of all entries; the report says nothing of when it was made, so that equal content gives equal bytes. */
  asOf: z.string(),
  comparison: comparisonSchema,
});
export type ReportHead = z.infer<typeof reportHeadSchema>;

export interface ReportContent extends ReportHead {
  readonly entries: readonly ReportEntry[];
}

/** One line of the predictions file. */
export const predictionLineSchema = z.strictObject({
  /** Position of the entry in the comparison. */
  entry: count,
  position: count,
  index: count,
  label: count,
  predicted: count,
  confidence: z.number(),
  probabilities: z.array(z.number()),
});
export type PredictionLine = z.infer<typeof predictionLineSchema>;
