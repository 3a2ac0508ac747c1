/**
 * Applies drawn transforms to pictures: the one implementation that training, preview and export share.
 *
 * Owns the memory of the result and the order of the parts: affine, channel shift, flips, brightness, as Keras
 * ImageDataGenerator.apply_transform; then random crop, then cutout, whose hole keeps its place, size and level because nothing moves or
 * brightens it afterwards; last the mixing, whose labels speak of finished pictures. Does not draw (shared/domain/augment.ts) and knows
 * nothing of files or TensorFlow. The batch pipeline calls an augmenter per step; the preview calls it per picture.
 */
import type { Augmentation } from '../../shared/contract/augmentation.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { drawTransform, type PictureShape, type TransformParameters } from '../../shared/domain/augment.ts';
import { drawMix, mixes, type RowMix } from '../../shared/domain/augmentMix.ts';
import { type PictureMove, copyPicture, createAffineMatrix, resamplePicture, writeAffineMatrix } from './augmentAffine.ts';
import { shiftBrightness, shiftChannels } from './augmentLevels.ts';
import { mixLabels, mixPictures } from './augmentMix.ts';
import { coverRectangle, cropPicture } from './augmentRegions.ts';
import type { BatchTransform } from './batches.ts';
import { alignUp, alignedBuffer } from './buffers.ts';

export interface AugmenterOptions {
  readonly augmentation: Augmentation;
  readonly shape: PictureShape;
  /** The largest batch that will come. */
  readonly batchSize: number;
  readonly seed: number;
  readonly phase: number;
  /**
   * Number of the pass over the data that a step belongs to, the `epoch` of the draw. Left out it is the epoch; with steps per epoch a
   * sample can come twice in one epoch, and only the pass then gives it two transforms.
   */
  readonly passAt?: (epoch: number, step: number) => number;
}

/** Makes the transform of one phase's training batches; its memory is two float batches, used in turn and aligned for TensorFlow. */
export function createAugmenter(options: AugmenterOptions): BatchTransform {
  const { shape, batchSize } = options;
  const passAt = options.passAt ?? ((epoch: number) => epoch);
  const batchPixels = batchSize * pictureSizeOf(shape);
  const second = alignUp(batchPixels * 4);
  const memory = alignedBuffer(second + batchPixels * 4);
  const targets = [new Float32Array(memory, 0, batchPixels), new Float32Array(memory, second, batchPixels)] as const;
  const augment = createBatchAugmenter(options);
  const drawRows = createMixDrawer(options);
  let isSecond = false;
  return (batch, epoch, step) => {
    if (batch.count > batchSize)
      throw new LabError('internal', `A batch of ${batch.count} pictures came to an augmenter made for ${batchSize}.`);
    const target = targets[isSecond ? 1 : 0];
    isSecond = !isSecond;
    const rows = drawRows(epoch, step, batch.count);
    const input = augment(batch.input, batch.samples, { pass: passAt(epoch, step), rows }, target);
    return { input, mix: rows === null ? null : mixLabels(batch.labels, rows) };
  };
}

/** What the augmentation of a phase depends on. */
export type PhaseAugmentation = Pick<AugmenterOptions, 'augmentation' | 'shape' | 'seed' | 'phase'>;

/** How the rows of a batch of `count` are mixed, epoch and step counting from 0; null when the augmentation does not mix. */
export function createMixDrawer({ augmentation, shape, seed, phase }: PhaseAugmentation) {
  return (epoch: number, step: number, count: number): RowMix[] | null =>
    mixes(augmentation) ? drawMix(augmentation, shape, { seed, phase, epoch, step }, count) : null;
}

/** Augments `samples.length` packed pictures of `input` into `target` and answers the part of it that was written. */
export type BatchAugmenter = (input: Uint8Array, samples: Uint32Array, draw: BatchDraw, target: Float32Array) => Float32Array;

export interface BatchDraw {
  readonly pass: number;
  readonly rows: readonly RowMix[] | null;
}

/** The work of createAugmenter without its memory, for callers that own the target. */
export function createBatchAugmenter({ augmentation, shape, seed, phase }: PhaseAugmentation): BatchAugmenter {
  const size = pictureSizeOf(shape);
  const move = createMove(augmentation, shape);
  const copy = new Float32Array(size);
  return (input, samples, { pass, rows }, target) => {
    move.source = input;
    move.target = target;
    for (let row = 0; row < samples.length; row++) {
      move.sourceStart = row * size;
      move.targetStart = row * size;
      transformPicture(move, drawTransform(augmentation, shape, seed, pass, samples[row] ?? 0, phase), size, copy);
    }
    const made = target.subarray(0, samples.length * size);
    if (rows !== null) mixPictures(made, shape, rows, copy);
    return made;
  };
}

type Fill = Pick<Augmentation, 'fillMode' | 'cval'>;

/** One packed picture (0 .. 255) under given parameters, in new memory, without rounding to whole grey levels. */
export function applyTransform(picture: Uint8Array, shape: PictureShape, parameters: TransformParameters, fill: Fill): Float32Array {
  const size = pictureSizeOf(shape);
  if (picture.length !== size)
    throw new LabError('internal', `A picture of ${picture.length} bytes does not have the shape ${shape.join('x')}.`);
  const move = createMove(fill, shape);
  move.source = picture;
  move.target = new Float32Array(size);
  transformPicture(move, parameters, size, new Float32Array(parameters.crop === null ? 0 : size));
  return move.target;
}

function transformPicture(move: PictureMove, parameters: TransformParameters, size: number, copy: Float32Array): void {
  move.flipHorizontal = parameters.flipHorizontal;
  move.flipVertical = parameters.flipVertical;
  if (writeAffineMatrix(move.matrix, parameters, move.shape)) resamplePicture(move);
  else copyPicture(move);
  const { channelShiftIntensity, brightness, crop, cutout } = parameters;
  const { target, targetStart, shape, fillMode } = move;
  // After the flips instead of before: neither looks at positions.
  if (channelShiftIntensity !== null) shiftChannels(target, targetStart, size, channelShiftIntensity);
  if (brightness !== null) shiftBrightness(target, targetStart, size, brightness);
  if (crop === null && cutout === null) return;
  const pixels = target.subarray(targetStart, targetStart + size);
  if (crop !== null) cropPicture(pixels, shape, crop, { fillMode, cval: move.fillValue }, copy);
  if (cutout !== null) coverRectangle(pixels, shape, cutout, cutout.value);
}

function createMove(fill: Fill, shape: PictureShape): PictureMove {
  return {
    shape,
    fillMode: fill.fillMode,
    fillValue: fill.cval,
    matrix: createAffineMatrix(),
    source: new Uint8Array(),
    sourceStart: 0,
    target: new Float32Array(),
    targetStart: 0,
    flipHorizontal: false,
    flipVertical: false,
  };
}

/** Values of one packed picture. Throws when its channels cannot be augmented. */
export function pictureSizeOf(shape: PictureShape): number {
  const [height, width, channels] = shape;
  if (channels !== 1 && channels !== 3)
    throw new LabError('unsupported', 'These pictures cannot be augmented.', {
      expected: '1 or 3 channels',
      received: `${channels} channels`,
      help: 'Import the dataset as greyscale or colour pictures.',
    });
  return height * width * channels;
}
