// How a training picture is changed before the network sees it. Names, meaning and defaults are those of Keras's ImageDataGenerator where
// it has the transform; what it lacks (random crop, cutout, mixup, cutmix) is named after its paper. Ranges only; what they do is data/.
import { z } from 'zod';

const ratio = z.number().positive().max(100);

export const augmentationSchema = z.strictObject({
  rotationRange: z.number().min(0).max(180).default(0),
  widthShiftRange: z.number().min(0).default(0),
  heightShiftRange: z.number().min(0).default(0),
  brightnessRange: z
    .tuple([z.number().min(0), z.number().min(0)])
    .nullable()
    .default(null),
  /** Degrees, as in Keras. */
  shearRange: z.number().min(0).default(0),
  /** A number z means [1 - z, 1 + z]. */
  zoomRange: z
    .preprocess((value) => (typeof value === 'number' ? [1 - value, 1 + value] : value), z.tuple([z.number(), z.number()]))
    .default([1, 1]),
  channelShiftRange: z.number().min(0).default(0),
  fillMode: z.enum(['nearest', 'constant', 'reflect', 'wrap']).default('nearest'),
  cval: z.number().default(0),
  horizontalFlip: z.boolean().default(false),
  verticalFlip: z.boolean().default(false),
  /** Pads every side by this many pixels (in the fill mode) and cuts the picture's own size out at a random place. */
  randomCrop: z
    .strictObject({ padding: z.int().positive().max(512) })
    .nullable()
    .default(null),
  /** A square of this many pixels, centred anywhere in the picture, is set to `value` (DeVries and Taylor 2017). */
  cutout: z
    .strictObject({ size: z.int().positive().max(2048), value: z.number().min(0).max(255).default(0) })
    .nullable()
    .default(null),
  /** Blends each picture and its label with another of the batch by a share drawn from Beta(alpha, alpha) (Zhang et al. 2018). */
  mixup: z
    .strictObject({ alpha: ratio.default(0.2) })
    .nullable()
    .default(null),
  /** Pastes a rectangle of another picture of the batch; labels mix by area, drawn from Beta(alpha, alpha) (Yun et al. 2019). */
  cutmix: z
    .strictObject({ alpha: ratio.default(1) })
    .nullable()
    .default(null),
});
export type Augmentation = z.infer<typeof augmentationSchema>;
