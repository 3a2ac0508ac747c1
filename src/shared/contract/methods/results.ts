// Results of one entry (run and phase) on its test set, and predictions for a person's own pictures.
import { z } from 'zod';
import { entryReferenceSchema, fileToken, method, minutes, page } from '../method.ts';
import { publishedSchema, runIdSchema } from '../schema.ts';

const rate = z.number();
const count = z.int().nonnegative();
const scores = { precision: rate, recall: rate, f1: rate, support: count };

export const resultSchema = z.strictObject({
  runId: runIdSchema,
  phase: count,
  phaseName: z.string(),
  /** Of the phase, in the order of its labels. */
  classes: z.array(z.string()),
  /** Fingerprint of the dataset, for picture URLs. */
  fingerprint: z.string(),
  isDatasetPresent: z.boolean(),
  images: count,
  /** The epoch whose weights the phase kept, and by which rule. */
  epoch: count,
  rule: z.string(),
  loss: rate,
  accuracy: rate,
  topK: z.array(z.strictObject({ k: z.int(), accuracy: rate })),
  logLoss: rate,
  calibrationError: rate,
  cohensKappa: rate.nullable(),
  matthewsCorrelation: rate,
  /** Rows are true classes, columns predicted ones. */
  confusion: z.array(z.array(count)),
  perClass: z.array(z.strictObject({ name: z.string(), ...scores })),
  averages: z.strictObject({ micro: z.strictObject(scores), macro: z.strictObject(scores), weighted: z.strictObject(scores) }),
  /** What the document of the template says about this phase. */
  published: z.array(publishedSchema),
});
export type Result = z.infer<typeof resultSchema>;

export const predictionSchema = z.strictObject({
  /** Position in the test set of the phase. */
  position: count,
  /** Picture of the dataset, for its URL. */
  index: count,
  label: count,
  predicted: count,
  /** Probability of the predicted class. */
  confidence: rate,
  probabilities: z.array(rate),
});
export type Prediction = z.infer<typeof predictionSchema>;

export const triedPictureSchema = z.strictObject({
  name: z.string(),
  /** Probabilities by class; null when the picture could not be read. */
  probabilities: z.array(rate).nullable(),
  problem: z.string().nullable(),
  /** What the network saw: [height, width, channels] and base64 of unsigned bytes before scaling; null beyond the room of one answer. */
  input: z.strictObject({ shape: z.array(z.int()).length(3), pixels: z.string() }).nullable(),
});
export type TriedPicture = z.infer<typeof triedPictureSchema>;

export const predictionsRequestSchema = entryReferenceSchema.extend({
  outcome: z.enum(['all', 'right', 'wrong']).default('all'),
  label: count.nullable().default(null),
  predicted: count.nullable().default(null),
  /** `surprise`: the least probable true class first; `confidence`: the most certain answer first. */
  order: z.enum(['position', 'confidence', 'surprise']).default('position'),
  ...page,
});

export const resultMethods = {
  'results.show': method(entryReferenceSchema, resultSchema, { deadlineMs: minutes }),
  'results.predictions': method(predictionsRequestSchema, z.strictObject({ total: count, predictions: z.array(predictionSchema) }), {
    deadlineMs: minutes,
  }),
  /** Predicts own pictures with the kept weights of the entry; `isInverted` turns dark on light into light on dark. */
  'results.try': method(
    entryReferenceSchema.extend({ tokens: z.array(fileToken).min(1).max(50), isInverted: z.boolean().default(false) }),
    z.strictObject({ classes: z.array(z.string()), pictures: z.array(triedPictureSchema) }),
    { deadlineMs: 2 * minutes },
  ),
} as const;
