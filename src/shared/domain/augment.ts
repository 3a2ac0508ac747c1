// Draws the parameters of one picture's random transform: those of Keras 3.15 ImageDataGenerator.get_random_transform with its names,
// distributions and signs, then crop and cutout. Applying them is the data layer's work; training, preview and export share both halves.
import type { Augmentation } from '../contract/augmentation.ts';
import { createStream } from './rng.ts';

/** Height, width, channels. */
export type PictureShape = readonly [number, number, number];

/** Rows top .. bottom - 1 and columns left .. right - 1. */
export interface Rectangle {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

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
  /** Where the window of a random crop lies, in pixels below and right of the middle; null leaves the picture alone. */
  readonly crop: { readonly down: number; readonly right: number } | null;
  /** What cutout covers, and with which grey level. */
  readonly cutout: (Rectangle & { readonly value: number }) | null;
}

/** Changes nothing. */
export const neutralTransform: TransformParameters = {
  theta: 0,
  tx: 0,
  ty: 0,
  shear: 0,
  zx: 1,
  zy: 1,
  flipHorizontal: false,
  flipVertical: false,
  channelShiftIntensity: null,
  brightness: null,
  crop: null,
  cutout: null,
};

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
  const light = between(...(augmentation.brightnessRange ?? [1, 1]));
  const brightness = augmentation.brightnessRange === null ? null : light;
  const drawn = { theta, tx, ty, shear, zx, zy, flipHorizontal, flipVertical, channelShiftIntensity, brightness };
  const { randomCrop, cutout } = augmentation;
  if (randomCrop === null && cutout === null) return { ...drawn, crop: null, cutout: null };
  const below = (count: number): number => Math.floor(uniform() * count);
  const reach = randomCrop?.padding ?? 0;
  const crop = { down: below(2 * reach + 1) - reach, right: below(2 * reach + 1) - reach };
  return {
    ...drawn,
    crop: randomCrop === null ? null : crop,
    cutout: cutout === null ? null : cutoutAt(cutout, shape, below(shape[0]), below(shape[1])),
  };
}

/** A square of cutout.size about a pixel of the picture, cut off at its borders. */
export function cutoutAt(
  { size, value }: NonNullable<Augmentation['cutout']>,
  [height, width]: PictureShape,
  centreY: number,
  centreX: number,
): NonNullable<TransformParameters['cutout']> {
  const [top, left] = [centreY - (size >> 1), centreX - (size >> 1)];
  return {
    top: Math.max(0, top),
    left: Math.max(0, left),
    bottom: Math.min(height, top + size),
    right: Math.min(width, left + size),
    value,
  };
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
