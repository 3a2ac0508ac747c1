// The recipe: complete definition of an experiment as versioned JSON (product.md section 1 and 2).
// Owns field names, ranges and defaults; what a recipe means is computed in domain/. Unknown keys are errors.
import { z } from 'zod';
import { augmentationSchema } from './augmentation.ts';
import { baseSchema } from './base.ts';
import { layerSchema } from './layers.ts';

const positive = z.int().positive();
const fraction = z.number().gt(0).lt(1);
const identifier = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'An id has lower-case letters, digits and "-" only.');
const seed = z.int().min(0).max(0x7fffffff);

export const runIdSchema = z
  .string()
  .regex(/^[a-z0-9-]{4,40}$/)
  .brand<'RunId'>();
export type RunId = z.infer<typeof runIdSchema>;
export const datasetIdSchema = identifier.brand<'DatasetId'>();
export type DatasetId = z.infer<typeof datasetIdSchema>;

export const inputSchema = z.strictObject({
  /** [height, width]; null keeps the dataset's own size. */
  size: z.tuple([positive, positive]).nullable().default(null),
  colorMode: z.enum(['grayscale', 'rgb']).nullable().default(null),
  resize: z.enum(['bilinear', 'nearest']).default('bilinear'),
  /** unit: x/255; minusOneToOne: x/127.5 - 1 (MobileNet); caffe: BGR minus the ImageNet means (VGG); none: 0..255. */
  scaling: z.enum(['unit', 'minusOneToOne', 'caffe', 'none']).default('unit'),
  /** ImageDataGenerator's samplewise standardisation, after scaling and for every split alike; normalising the deviation includes centring. */
  standardization: z
    .strictObject({ samplewiseCenter: z.boolean().default(false), samplewiseStdNormalization: z.boolean().default(false) })
    .nullable()
    .default(null),
  /** Per-channel (x - mean) / std after scaling: featurewise standardisation, with values that were fitted before or are given. */
  normalize: z
    .strictObject({ mean: z.array(z.number()).min(1), std: z.array(z.number().positive()).min(1) })
    .nullable()
    .default(null),
});
export type InputPipeline = z.infer<typeof inputSchema>;

/** How many images are held out. Positions refer to the dataset's own order; `random` draws with the split's seed. */
const holdoutSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('testSet') }),
  z.strictObject({ type: z.literal('fraction'), fraction, stratified: z.boolean().default(true) }),
  z.strictObject({
    type: z.literal('count'),
    count: positive,
    position: z.enum(['first', 'last', 'random']).default('random'),
    stratified: z.boolean().default(false),
  }),
  z.strictObject({ type: z.literal('fold'), folds: z.int().min(2).max(50), fold: z.int().min(0), stratified: z.boolean().default(true) }),
  z.strictObject({ type: z.literal('indices'), indices: z.array(z.int().nonnegative()).min(1) }),
]);
export type Holdout = z.infer<typeof holdoutSchema>;

export const splitSchema = z.strictObject({
  /** ownTestSet: the dataset's test images; otherwise held out from all images first. */
  test: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('ownTestSet') }),
      z.strictObject({ type: z.literal('fraction'), fraction, stratified: z.boolean().default(true) }),
      z.strictObject({ type: z.literal('count'), count: positive, stratified: z.boolean().default(true) }),
    ])
    .default({ type: 'ownTestSet' }),
  /** testSet means that the document watched its test set while training. */
  validation: holdoutSchema.default({ type: 'none' }),
  seed: seed.default(0),
  /** Use only this many training images (after the split, stratified); null uses all. */
  trainLimit: positive.nullable().default(null),
});
export type Split = z.infer<typeof splitSchema>;

const learningRate = z.number().positive();
export const optimizerSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('SGD'),
    learningRate: learningRate.default(0.01),
    momentum: z.number().min(0).max(1).default(0),
    nesterov: z.boolean().default(false),
  }),
  z.strictObject({
    type: z.literal('RMSprop'),
    learningRate: learningRate.default(0.001),
    rho: z.number().min(0).max(1).default(0.9),
    momentum: z.number().min(0).max(1).default(0),
    epsilon: z.number().positive().default(1e-7),
    centered: z.boolean().default(false),
  }),
  z.strictObject({
    type: z.literal('Adam'),
    learningRate: learningRate.default(0.001),
    beta1: z.number().min(0).lt(1).default(0.9),
    beta2: z.number().min(0).lt(1).default(0.999),
    epsilon: z.number().positive().default(1e-7),
    amsgrad: z.boolean().default(false),
  }),
  z.strictObject({
    type: z.literal('AdamW'),
    learningRate: learningRate.default(0.001),
    weightDecay: z.number().min(0).default(0.004),
    beta1: z.number().min(0).lt(1).default(0.9),
    beta2: z.number().min(0).lt(1).default(0.999),
    epsilon: z.number().positive().default(1e-7),
    amsgrad: z.boolean().default(false),
  }),
  z.strictObject({
    type: z.literal('Adadelta'),
    learningRate: learningRate.default(0.001),
    rho: z.number().min(0).max(1).default(0.95),
    epsilon: z.number().positive().default(1e-7),
  }),
  z.strictObject({
    type: z.literal('Adagrad'),
    learningRate: learningRate.default(0.001),
    initialAccumulatorValue: z.number().nonnegative().default(0.1),
    epsilon: z.number().positive().default(1e-7),
  }),
]);
export type Optimizer = z.infer<typeof optimizerSchema>;

/** The optimizer's learningRate is the base value; warmupSteps ramps linearly from 0 to it before the schedule begins. */
export const scheduleSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('constant'), warmupSteps: z.int().nonnegative().default(0) }),
  /** Keras 2's `decay`: lr / (1 + decay * step). */
  z.strictObject({ type: z.literal('timeBased'), decay: z.number().nonnegative(), warmupSteps: z.int().nonnegative().default(0) }),
  /** Multiply by factor after every given number of epochs. */
  z.strictObject({
    type: z.literal('step'),
    everyEpochs: positive,
    factor: z.number().positive(),
    warmupSteps: z.int().nonnegative().default(0),
  }),
  /** keras.optimizers.schedules.ExponentialDecay. */
  z.strictObject({
    type: z.literal('exponential'),
    decaySteps: positive,
    decayRate: z.number().positive(),
    staircase: z.boolean().default(false),
    warmupSteps: z.int().nonnegative().default(0),
  }),
  /** keras.optimizers.schedules.CosineDecay; decaySteps null means the whole phase. */
  z.strictObject({
    type: z.literal('cosine'),
    decaySteps: positive.nullable().default(null),
    alpha: z.number().min(0).max(1).default(0),
    warmupSteps: z.int().nonnegative().default(0),
  }),
  /** keras.callbacks.ReduceLROnPlateau. */
  z.strictObject({
    type: z.literal('reduceOnPlateau'),
    monitor: z.enum(['valLoss', 'valAccuracy', 'loss', 'accuracy']).default('valLoss'),
    factor: z.number().gt(0).lt(1).default(0.1),
    patience: z.int().nonnegative().default(10),
    minDelta: z.number().nonnegative().default(0.0001),
    cooldown: z.int().nonnegative().default(0),
    minLearningRate: z.number().nonnegative().default(0),
    warmupSteps: z.int().nonnegative().default(0),
  }),
]);
export type Schedule = z.infer<typeof scheduleSchema>;

export const trainableSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('all') }),
  z.strictObject({ type: z.literal('none') }),
  /** Freezes this layer and every layer before it in the list. */
  z.strictObject({ type: z.literal('freezeUpTo'), layer: z.string() }),
  /** Trains only the last `count` layers that have weights. */
  z.strictObject({ type: z.literal('lastLayers'), count: positive }),
  z.strictObject({ type: z.literal('layers'), names: z.array(z.string()).min(1) }),
]);
export type Trainable = z.infer<typeof trainableSchema>;

export const earlyStoppingSchema = z.strictObject({
  monitor: z.enum(['valLoss', 'valAccuracy', 'loss', 'accuracy']).default('valLoss'),
  patience: z.int().nonnegative().default(0),
  minDelta: z.number().nonnegative().default(0),
  startFromEpoch: z.int().nonnegative().default(0),
});

export const keepRules = ['last', 'bestValLoss', 'bestValAccuracy'] as const;

export const phaseSchema = z.strictObject({
  name: z.string().min(1).max(60),
  /** Dataset class indices used in this phase, relabelled 0.. in this order; null uses all. */
  classes: z.array(z.int().nonnegative()).min(2).nullable().default(null),
  trainable: trainableSchema.default({ type: 'all' }),
  /** previous: weights of the phase before (fresh in the first phase); fresh: drawn anew. */
  startFrom: z.enum(['previous', 'fresh']).default('previous'),
  /**
   * What BatchNormalization does in frozen layers: inference: today's Keras; batchStatistics: normalises by the batch, as multi-backend
   * Keras 2 did; trained: these layers stay trainable though the layers around them are frozen.
   */
  frozenBatchNormalization: z.enum(['inference', 'batchStatistics', 'trained']).default('inference'),
  /** Discriminative learning rates: layers up to and including `upTo`, behind the entry before, train at this multiple; the rest at 1. */
  learningRateMultipliers: z
    .array(z.strictObject({ upTo: z.string().min(1).max(80), multiplier: z.number().positive().max(1000) }))
    .max(40)
    .default([]),
  optimizer: optimizerSchema,
  schedule: scheduleSchema.default({ type: 'constant', warmupSteps: 0 }),
  batchSize: positive,
  epochs: positive,
  /** Train as many epochs as the best epoch of an earlier phase, `epochs` at most. */
  epochsFrom: z
    .strictObject({ phase: z.string().min(1).max(60), monitor: z.enum(['valLoss', 'valAccuracy']).default('valLoss') })
    .nullable()
    .default(null),
  /** trainAndValidation: the validation pictures are trained on too, and nothing is validated. */
  trainOn: z.enum(['train', 'trainAndValidation']).default('train'),
  /** Generator semantics: steps drawn per epoch, the order continuing over epochs; null means one pass. */
  stepsPerEpoch: positive.nullable().default(null),
  augmentation: augmentationSchema.nullable().default(null),
  loss: z
    .strictObject({ type: z.enum(['categoricalCrossentropy', 'meanSquaredError']), labelSmoothing: z.number().min(0).lt(1).default(0) })
    .default({ type: 'categoricalCrossentropy', labelSmoothing: 0 }),
  classWeights: z
    .union([z.literal('balanced'), z.array(z.number().nonnegative()).min(2)])
    .nullable()
    .default(null),
  earlyStopping: earlyStoppingSchema.nullable().default(null),
  keep: z.enum(keepRules).default('last'),
  precision: z.enum(['float32', 'mixed_bfloat16', 'mixed_float16']).default('float32'),
  /** Compute the frozen layers once and train on the stored features (only possible without augmentation). */
  cacheFeatures: z.boolean().default(true),
});
export type Phase = z.infer<typeof phaseSchema>;

export const publishedSchema = z.strictObject({
  phase: z.string(),
  loss: z.number().optional(),
  accuracy: z.number().optional(),
  validationLoss: z.number().optional(),
  validationAccuracy: z.number().optional(),
  secondsPerEpoch: z.number().optional(),
  seconds: z.number().optional(),
  note: z.string().optional(),
});

export const recipeSchema = z.strictObject({
  version: z.literal(1),
  id: identifier,
  title: z.string().min(1).max(120),
  description: z.string().max(8000).default(''),
  /** Number of the coursework document this template reproduces. */
  document: z.string().nullable().default(null),
  dataset: z.strictObject({
    id: identifier,
    /** Used when the first dataset is not in the workspace; its own splits apply. */
    fallback: z
      .strictObject({ id: identifier, splits: z.strictObject({ document: splitSchema, sound: splitSchema }) })
      .nullable()
      .default(null),
    /** Class names and image shape the recipe was written for; parameter counts need no dataset. */
    classes: z.array(z.string()).min(2),
    shape: z.tuple([positive, positive, z.union([z.literal(1), z.literal(3)])]),
  }),
  input: inputSchema.prefault({}),
  protocol: z.enum(['document', 'sound']).default('document'),
  splits: z.strictObject({ document: splitSchema, sound: splitSchema }),
  /** `layers` follow the base, or are the whole network without one. */
  network: z.strictObject({ base: baseSchema.nullable().default(null), layers: z.array(layerSchema).min(1).max(2000) }),
  phases: z.array(phaseSchema).min(1).max(20),
  seed: seed.default(1),
  published: z.array(publishedSchema).default([]),
  /** Errors known in the published document, in our words. */
  knownErrors: z.array(z.string()).default([]),
});
export type Recipe = z.infer<typeof recipeSchema>;
