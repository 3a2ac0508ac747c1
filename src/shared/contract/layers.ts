// Schemas of the network layers a recipe may use. Names, options and defaults are Keras's (keras.layers, keras.initializers,
// keras.regularizers 3.15), written in camelCase. Shapes and counts are computed in domain/network, never here.
import { z } from 'zod';

const positive = z.int().positive();
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$/, 'A layer name has letters, digits, "_", "." and "-" only.');
const pair = z.preprocess((value) => (typeof value === 'number' ? [value, value] : value), z.tuple([positive, positive]));

export const activations = ['linear', 'relu', 'relu6', 'leaky_relu', 'elu', 'gelu', 'silu', 'tanh', 'sigmoid', 'softmax'] as const;
export const activationSchema = z.enum(activations);
export type ActivationName = z.infer<typeof activationSchema>;

export const initializerSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['Zeros', 'Ones']) }),
  z.strictObject({ type: z.literal('Constant'), value: z.number() }),
  z.strictObject({ type: z.literal('RandomUniform'), minval: z.number().default(-0.05), maxval: z.number().default(0.05) }),
  z.strictObject({
    type: z.enum(['RandomNormal', 'TruncatedNormal']),
    mean: z.number().default(0),
    stddev: z.number().nonnegative().default(0.05),
  }),
  z.strictObject({ type: z.enum(['GlorotUniform', 'GlorotNormal', 'HeUniform', 'HeNormal', 'LecunUniform', 'LecunNormal']) }),
  z.strictObject({
    type: z.literal('VarianceScaling'),
    scale: z.number().positive().default(1),
    mode: z.enum(['fan_in', 'fan_out', 'fan_avg']).default('fan_in'),
    distribution: z.enum(['truncated_normal', 'untruncated_normal', 'uniform']).default('truncated_normal'),
  }),
]);
export type Initializer = z.infer<typeof initializerSchema>;

export const regularizerSchema = z.strictObject({
  l1: z.number().nonnegative().default(0),
  l2: z.number().nonnegative().default(0),
});
export type Regularizer = z.infer<typeof regularizerSchema>;

const glorot = initializerSchema.default({ type: 'GlorotUniform' });
const zeros = initializerSchema.default({ type: 'Zeros' });
const ones = initializerSchema.default({ type: 'Ones' });
const regularizer = regularizerSchema.nullable().default(null);
const common = { name: name.optional(), inputs: z.array(name).min(1).optional() };
const activation = activationSchema.default('linear');
const biased = { useBias: z.boolean().default(true), biasInitializer: zeros, biasRegularizer: regularizer };
const windowed = { strides: pair.default([1, 1]), padding: z.enum(['valid', 'same']).default('valid') };

export const layerSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('Conv2D'),
    ...common,
    filters: positive,
    kernelSize: pair,
    ...windowed,
    dilationRate: pair.default([1, 1]),
    activation,
    ...biased,
    kernelInitializer: glorot,
    kernelRegularizer: regularizer,
  }),
  z.strictObject({
    type: z.literal('SeparableConv2D'),
    ...common,
    filters: positive,
    kernelSize: pair,
    ...windowed,
    depthMultiplier: positive.default(1),
    activation,
    ...biased,
    depthwiseInitializer: glorot,
    pointwiseInitializer: glorot,
    depthwiseRegularizer: regularizer,
    pointwiseRegularizer: regularizer,
  }),
  z.strictObject({
    type: z.literal('DepthwiseConv2D'),
    ...common,
    kernelSize: pair,
    ...windowed,
    depthMultiplier: positive.default(1),
    activation,
    ...biased,
    depthwiseInitializer: glorot,
    depthwiseRegularizer: regularizer,
  }),
  z.strictObject({
    type: z.enum(['MaxPooling2D', 'AveragePooling2D']),
    ...common,
    poolSize: pair.default([2, 2]),
    strides: pair.nullable().default(null),
    padding: z.enum(['valid', 'same']).default('valid'),
  }),
  z.strictObject({ type: z.enum(['GlobalAveragePooling2D', 'GlobalMaxPooling2D']), ...common, keepdims: z.boolean().default(false) }),
  z.strictObject({
    type: z.literal('ZeroPadding2D'),
    ...common,
    padding: z
      .tuple([z.tuple([z.int().nonnegative(), z.int().nonnegative()]), z.tuple([z.int().nonnegative(), z.int().nonnegative()])])
      .default([
        [1, 1],
        [1, 1],
      ]),
  }),
  z.strictObject({ type: z.literal('Flatten'), ...common }),
  z.strictObject({
    type: z.literal('Dense'),
    ...common,
    units: positive,
    activation,
    ...biased,
    kernelInitializer: glorot,
    kernelRegularizer: regularizer,
  }),
  z.strictObject({ type: z.enum(['Dropout', 'SpatialDropout2D']), ...common, rate: z.number().min(0).lt(1) }),
  z.strictObject({ type: z.literal('GaussianNoise'), ...common, stddev: z.number().nonnegative() }),
  z.strictObject({
    type: z.literal('BatchNormalization'),
    ...common,
    momentum: z.number().min(0).max(1).default(0.99),
    epsilon: z.number().positive().default(0.001),
    center: z.boolean().default(true),
    scale: z.boolean().default(true),
    betaInitializer: zeros,
    gammaInitializer: ones,
    movingMeanInitializer: zeros,
    movingVarianceInitializer: ones,
  }),
  z.strictObject({
    type: z.literal('LayerNormalization'),
    ...common,
    epsilon: z.number().positive().default(0.001),
    center: z.boolean().default(true),
    scale: z.boolean().default(true),
    betaInitializer: zeros,
    gammaInitializer: ones,
  }),
  z.strictObject({ type: z.literal('Activation'), ...common, activation: activationSchema }),
  z.strictObject({ type: z.literal('Rescaling'), ...common, scale: z.number(), offset: z.number().default(0) }),
  z.strictObject({ type: z.enum(['Add', 'Concatenate']), ...common, inputs: z.array(name).min(2) }),
]);

export type Layer = z.infer<typeof layerSchema>;
export type LayerType = Layer['type'];
