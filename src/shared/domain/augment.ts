// Draws the parameters of one picture's random transform, with the names, distributions and signs of Keras 3.15
// ImageDataGenerator.get_random_transform. Applying them is the data layer's work; training, preview and export share both halves.
import type { Augmentation } from '../contract/augmentation.ts';
import { createStream } from './rng.ts';

/** Height, width, channels. */
export type PictureShape = readonly [number, number, number];

/** What happens to one picture; the neutral value of each field is that of Keras (0, 1, false or null). */
export interface TransformParameters {
  /** Rotation in degrees. */
  readonly theta: number;
  /** From heightShiftRange, in pixels. Keras 3 applies it along the width: its axis swap exchanges the two shifts. */
  readonly tx: number;
  /** From widthShiftRange, in pixels; applied along the height. */
  readonly ty: number;
  /** Degrees. */
  readonly shear: number;
  /** Above 1 shrinks the content. As for the shifts, zx acts along the width. */
  readonly zx: number;
  readonly zy: number;
  readonly flipHorizontal: boolean;
  readonly flipVertical: boolean;
  /** Grey levels added before clipping to the picture's own range; null leaves the picture alone. */
  readonly channelShiftIntensity: number | null;
  /** Factor; null leaves the picture alone, while 1 still rounds it down to whole grey levels, as Pillow does. */
  readonly brightness: number | null;
}

/**
 * A pure function of its arguments: batch size and order of calls have no influence. Every field uses a random number of its own even
 * when its option is off, so that switching one transform leaves the others as they were.
 *
 * `epoch` counts passes over the data, `sample` names the picture within the phase.
 */
export function drawTransform(
  augmentation: Augmentation,
  shape: PictureShape,
  seed: number,
  epoch: number,
  sample: number,
  phase: number,
): TransformParameters {
  const { uniform } = createStream(seed, 'augment', phase, epoch, sample);
  const between = (low: number, high: number): number => low + (high - low) * uniform();
  const theta = between(-augmentation.rotationRange, augmentation.rotationRange);
  const tx = shiftFrom(uniform(), augmentation.heightShiftRange, shape[0]);
  const ty = shiftFrom(uniform(), augmentation.widthShiftRange, shape[1]);
  const shear = between(-augmentation.shearRange, augmentation.shearRange);
  const [zoomLow, zoomHigh] = augmentation.zoomRange;
  const zx = between(zoomLow, zoomHigh);
  const zy = between(zoomLow, zoomHigh);
  const flipHorizontal = uniform() < 0.5 && augmentation.horizontalFlip;
  const flipVertical = uniform() < 0.5 && augmentation.verticalFlip;
  const shift = between(-augmentation.channelShiftRange, augmentation.channelShiftRange);
  const channelShiftIntensity = augmentation.channelShiftRange === 0 ? null : shift;
  const brightness = augmentation.brightnessRange === null ? null : between(...augmentation.brightnessRange);
  return { theta, tx, ty, shear, zx, zy, flipHorizontal, flipVertical, channelShiftIntensity, brightness };
}

/**
 * Keras reads a shift range in three ways: below 1 a fraction of the size, a whole number n one of the n values 0 .. n - 1 with a random
 * sign, anything else a range in pixels. JSON does not tell 2.0 from 2; both count as whole.
 */
function shiftFrom(random: number, range: number, size: number): number {
  if (range === 0) return 0;
  if (Number.isInteger(range)) {
    const choice = Math.floor(random * 2 * range);
    return choice < range ? choice : range - choice;
  }
  return (2 * random - 1) * range * (range < 1 ? size : 1);
}
