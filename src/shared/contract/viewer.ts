// Messages between the core and its viewer child, which stays warm and answers many requests. The core validates answers; the child
// validates requests. To add a request, add a row to `viewerCalls` and a handler in main/viewer/requests.ts.
import { z } from 'zod';
import { wireErrorSchema } from './errors.ts';
import { predictionSchema, predictionsRequestSchema, resultSchema } from './methods/results.ts';
import { previewContentSchema, previewPicturesSchema } from './preview.ts';
import { inputSchema, phaseSchema, splitSchema } from './schema.ts';

const index = z.int().nonnegative();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes');
/** A dataset store; the fingerprint must be the one of its manifest. */
const store = { folder: z.string(), fingerprint: z.string() };
const filter = { split: z.enum(['all', 'train', 'test']), classes: z.array(index).nullable() };

function call<Request extends z.ZodType, Reply extends z.ZodType>(request: Request, answer: Reply) {
  return { request, answer };
}

const png = z.strictObject({ png: bytes });
/** A file of a run as the history remembers it: absolute path and SHA-256. */
const keptFile = z.strictObject({ path: z.string(), sha256: z.string() });
const classScores = resultSchema.shape.averages.shape.micro;

export const viewerCalls = {
  browse: call(
    z.strictObject({ ...store, ...filter, offset: index, limit: index }),
    z.strictObject({ total: index, pictures: z.array(z.strictObject({ index, label: index })) }),
  ),
  /** A page of the sprite sheets of domain/pictures. */
  sheet: call(z.strictObject({ ...store, ...filter, page: index }), png),
  picture: call(z.strictObject({ ...store, index }), png),
  mean: call(z.strictObject({ ...store, ...filter }), png),
  pixels: call(z.strictObject({ ...store, index }), z.strictObject({ label: index, pixels: bytes })),
  /** How good the stored predictions of a phase are. */
  measures: call(
    z.strictObject({ predictions: keptFile }),
    resultSchema
      .pick({
        images: true,
        topK: true,
        logLoss: true,
        calibrationError: true,
        cohensKappa: true,
        matthewsCorrelation: true,
        confusion: true,
        averages: true,
      })
      .extend({ perClass: z.array(classScores) }),
  ),
  predictions: call(
    predictionsRequestSchema.omit({ run: true, phase: true }).extend({ predictions: keptFile, split: keptFile }),
    z.strictObject({ total: index, predictions: z.array(predictionSchema) }),
  ),
  /** Pictures of each list of classes (null: all) after the split; fails with `bad_recipe` as training would. */
  splitSizes: call(
    z.strictObject({ ...store, split: splitSchema, phases: z.array(z.array(index).nullable()) }),
    z.strictObject({ phases: z.array(z.strictObject({ train: index, validation: index, test: index })) }),
  ),
  /** Pictures as a phase's augmentation changes them, on one sheet named after its content. */
  augmented: call(
    z.strictObject({
      ...store,
      split: splitSchema,
      input: inputSchema.pick({ size: true, colorMode: true, resize: true }),
      phase: phaseSchema.pick({ classes: true, trainOn: true, batchSize: true, stepsPerEpoch: true, augmentation: true }),
      /** Position of the phase in the recipe. */
      position: index,
      seed: index,
      pictures: previewPicturesSchema,
      extremes: z.boolean(),
    }),
    previewContentSchema.extend({ png: bytes, sha256: z.string() }),
  ),
  /** Statistics per channel of the training pictures as `input` gives them to the network, without its `normalize`. */
  fit: call(
    z.strictObject({ ...store, split: splitSchema, input: inputSchema }),
    z.strictObject({ mean: z.array(z.number()), std: z.array(z.number()), images: index }),
  ),
} as const;

export type ViewerCalls = typeof viewerCalls;
export type ViewerCall = keyof ViewerCalls;
export type ViewerRequest<Call extends ViewerCall> = z.output<ViewerCalls[Call]['request']>;
export type ViewerAnswer<Call extends ViewerCall> = z.output<ViewerCalls[Call]['answer']>;

export const viewerMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ask'), id: index, call: z.string(), request: z.unknown() }),
  /** The answer is no longer wanted; the child answers `failed` all the same. */
  z.strictObject({ type: z.literal('cancel'), id: index }),
]);
export type ViewerMessage = z.infer<typeof viewerMessageSchema>;

export const viewerReplySchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('answer'), id: index, answer: z.unknown() }),
  z.strictObject({ type: z.literal('failed'), id: index, error: wireErrorSchema }),
]);
export type ViewerReply = z.infer<typeof viewerReplySchema>;
