// What people read beside the fields of a recipe: labels, units, what a field does, and how far one key press goes. Names are Keras's, so
// that what is learned here holds there; a field without an entry is called as it is spelled.
import type { Field } from './fields.ts';
import type { NumberStep } from './steps.ts';

export interface FieldWords {
  readonly label: string;
  /** After the label, in brackets. */
  readonly unit?: string;
  readonly help?: string;
  readonly step?: NumberStep;
}

const learningRate: FieldWords = { label: 'Learning rate', step: 'decade' };

const words: Readonly<Record<string, FieldWords>> = {
  activation: { label: 'Activation' },
  alpha: { label: 'Alpha', help: 'Lowest learning rate as a share of the first.', step: 0.01 },
  amsgrad: { label: 'AMSGrad' },
  batchSize: { label: 'Batch size', unit: 'images' },
  beta1: { label: 'Beta 1', step: 0.01 },
  beta2: { label: 'Beta 2', step: 0.001 },
  brightnessRange: { label: 'Brightness', unit: 'factors from, to' },
  cacheFeatures: { label: 'Cache frozen features', help: 'Computes the frozen layers once. Only without augmentation.' },
  centered: { label: 'Centered' },
  channelShiftRange: { label: 'Channel shift', unit: 'grey levels', step: 5 },
  colorMode: { label: 'Colours' },
  cooldown: { label: 'Cooldown', unit: 'epochs' },
  count: { label: 'Images', step: 100 },
  cval: { label: 'Fill value', unit: 'grey level', step: 5 },
  decay: { label: 'Decay', unit: 'per step', step: 'decade', help: 'Learning rate / (1 + decay × step).' },
  decayRate: { label: 'Decay rate', step: 0.01 },
  decaySteps: { label: 'Decay steps', step: 100, help: 'Unless given for a cosine, the whole phase.' },
  depthMultiplier: { label: 'Depth multiplier' },
  epochs: { label: 'Epochs' },
  epsilon: { label: 'Epsilon', step: 'decade' },
  everyEpochs: { label: 'Every', unit: 'epochs' },
  factor: { label: 'Factor', step: 0.05 },
  fillMode: { label: 'Fill mode', help: 'What fills the border that a transform leaves empty.' },
  filters: { label: 'Filters', step: 8 },
  fold: { label: 'Fold', help: 'Counts from 0.' },
  folds: { label: 'Folds' },
  fraction: { label: 'Fraction', unit: 'of the images', step: 0.05 },
  heightShiftRange: { label: 'Height shift', unit: 'share, or pixels from 1', step: 0.05 },
  horizontalFlip: { label: 'Horizontal flip' },
  indices: { label: 'Image positions', help: 'Positions in the dataset, separated by commas.' },
  initialAccumulatorValue: { label: 'Initial accumulator', step: 0.1 },
  inputs: { label: 'Inputs', help: 'Layers that feed this one; otherwise the layer before.' },
  keepdims: { label: 'Keep dimensions' },
  kernelSize: { label: 'Kernel size', unit: 'rows, columns' },
  l1: { label: 'L1', step: 'decade' },
  l2: { label: 'L2', step: 'decade' },
  labelSmoothing: { label: 'Label smoothing', step: 0.05 },
  layer: { label: 'Up to layer' },
  learningRate,
  minDelta: { label: 'Smallest improvement', step: 'decade' },
  minLearningRate: { label: 'Lowest learning rate', step: 'decade' },
  momentum: { label: 'Momentum', step: 0.05 },
  monitor: { label: 'Watches' },
  name: { label: 'Name' },
  multiplier: { label: 'Multiplier', step: 0.1 },
  names: { label: 'Layers' },
  normalize: { label: 'Normalise', unit: 'per channel' },
  nesterov: { label: 'Nesterov' },
  patience: { label: 'Patience', unit: 'epochs' },
  poolSize: { label: 'Pool size', unit: 'rows, columns' },
  precision: { label: 'Precision' },
  rate: { label: 'Rate', unit: 'share dropped', step: 0.05 },
  resize: { label: 'Resizing' },
  rho: { label: 'Rho', step: 0.05 },
  rotationRange: { label: 'Rotation', unit: 'degrees', step: 5 },
  scaling: { label: 'Scaling', help: 'caffe: blue first, minus the ImageNet means.' },
  seed: { label: 'Seed of the split' },
  shearRange: { label: 'Shear', unit: 'degrees', step: 5 },
  size: { label: 'Size', unit: 'height, width' },
  startFrom: { label: 'Start from', help: 'previous: the weights of the phase before. fresh: drawn anew.' },
  startFromEpoch: { label: 'Not before epoch' },
  stddev: { label: 'Standard deviation', step: 0.05 },
  stepsPerEpoch: { label: 'Steps per epoch', step: 100, help: 'As a Keras generator; otherwise one pass over the images.' },
  strides: { label: 'Strides', unit: 'rows, columns' },
  test: { label: 'Test set' },
  trainLimit: { label: 'Limit training images', step: 1000 },
  type: { label: 'Type' },
  units: { label: 'Units', step: 16 },
  validation: { label: 'Validation set' },
  verticalFlip: { label: 'Vertical flip' },
  warmupSteps: { label: 'Warm-up', unit: 'steps', step: 100, help: 'Rises from 0 before the schedule begins.' },
  weightDecay: { label: 'Weight decay', step: 'decade' },
  widthShiftRange: { label: 'Width shift', unit: 'share, or pixels from 1', step: 0.05 },
  zoomRange: { label: 'Zoom', unit: 'factors from, to' },
};

export function wordsOf(name: string): FieldWords {
  return words[name] ?? { label: spell(name) };
}

/** `pointwiseInitializer` becomes `Pointwise initializer`. */
function spell(name: string): string {
  const spaced = name.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** A whole number goes by one, a share of one by 0.05, unless its words say otherwise. */
export function stepOf(field: Field): NumberStep {
  const { step } = wordsOf(field.name);
  if (step !== undefined) return step;
  if (field.shape.kind !== 'number' || field.shape.isWhole) return 1;
  return field.shape.most <= 1 ? 0.05 : 0.1;
}

/** Options of choices that deserve more than their name. */
export const optionWords: Readonly<Record<string, string>> = {
  testSet: 'the test set itself',
  ownTestSet: "the dataset's own",
  count: 'a number of images',
  fraction: 'a fraction',
  fold: 'one fold of several',
  indices: 'listed images',
  valLoss: 'validation loss',
  valAccuracy: 'validation accuracy',
  bestValLoss: 'best validation loss',
  bestValAccuracy: 'best validation accuracy',
  last: 'last epoch',
  minusOneToOne: '−1 to 1 (MobileNet)',
  unit: '0 to 1',
  caffe: 'caffe (VGG)',
  categoricalCrossentropy: 'cross-entropy',
  meanSquaredError: 'squared error',
  freezeUpTo: 'freeze up to a layer',
  lastLayers: 'only the last layers',
  layers: 'chosen layers',
  previous: 'the phase before',
  fresh: 'fresh weights',
  timeBased: 'time-based (Keras decay)',
  reduceOnPlateau: 'reduce on plateau',
};
