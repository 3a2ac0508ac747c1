// How the pictures of one training batch are mixed with one another (mixup, cutmix), as a pure function of (seed, phase, epoch, step) and
// the batch's length. Mixing the pixels is the data layer's work, mixing the labels the engine's.
import type { Augmentation } from '../contract/augmentation.ts';
import type { PictureShape, Rectangle } from './augment.ts';
import { createStream, type RandomStream } from './rng.ts';

export interface RowMix {
  /** Row of the other picture in the batch; a permutation, so every picture is another's partner once and may be its own. */
  readonly partner: number;
  /** What stays of the picture's own label; the partner's label gets the rest. */
  readonly share: number;
  /** Cutmix: the part that the partner's pixels replace. Null is mixup: all pixels are blended by `share`. */
  readonly pasted: Rectangle | null;
}

export type MixOptions = Pick<Augmentation, 'mixup' | 'cutmix'>;

export function mixes({ mixup, cutmix }: MixOptions): boolean {
  return mixup !== null || cutmix !== null;
}

/**
 * One entry per row of a batch of `count`. With both mixup and cutmix each row gets one of them with probability 1/2. As in the paper of
 * cutmix the rectangle has the same proportions as the picture, any centre, and the share is that of the pixels left inside.
 */
export function drawMix(options: MixOptions, shape: PictureShape, place: BatchPlace, count: number): RowMix[] {
  const stream = createStream(place.seed, 'augment/mix', place.phase, place.epoch, place.step);
  const partners = stream.permutation(count);
  return Array.from(partners, (partner) => {
    const takesCutmix = stream.uniform() < 0.5;
    const { mixup, cutmix } = options;
    if (cutmix !== null && (mixup === null || takesCutmix)) return drawPaste(stream, cutmix.alpha, partner, shape);
    return { partner, share: mixup === null ? 1 : drawBeta(stream, mixup.alpha), pasted: null };
  });
}

/** A training batch; epoch and step count from 0. */
export interface BatchPlace {
  readonly seed: number;
  readonly phase: number;
  readonly epoch: number;
  readonly step: number;
}

function drawPaste(stream: RandomStream, alpha: number, partner: number, shape: PictureShape): RowMix {
  const share = drawBeta(stream, alpha);
  const centreY = stream.integer(shape[0]);
  const centreX = stream.integer(shape[1]);
  return pasteAt(partner, shape, share, centreY, centreX);
}

/** Cutmix with a rectangle of (1 - share) of the picture's area about a centre, cut off at the borders, which raises the share. */
export function pasteAt(partner: number, [height, width]: PictureShape, share: number, centreY: number, centreX: number): RowMix {
  const ratio = Math.sqrt(1 - share);
  const [halfHeight, halfWidth] = [Math.trunc(height * ratio) >> 1, Math.trunc(width * ratio) >> 1];
  const pasted = {
    top: Math.max(0, centreY - halfHeight),
    left: Math.max(0, centreX - halfWidth),
    bottom: Math.min(height, centreY + halfHeight),
    right: Math.min(width, centreX + halfWidth),
  };
  const area = (pasted.bottom - pasted.top) * (pasted.right - pasted.left);
  return { partner, share: 1 - area / (height * width), pasted };
}

/** One number of the symmetric beta distribution, exact for every alpha > 0: Johnk up to 1, two gammas of Marsaglia and Tsang above. */
export function drawBeta(stream: RandomStream, alpha: number): number {
  if (alpha > 1) {
    const first = drawGamma(stream, alpha);
    return first / (first + drawGamma(stream, alpha));
  }
  for (;;) {
    // In logarithms, because powers of 1 / alpha leave the range of doubles when alpha is small.
    const first = Math.log(1 - stream.uniform()) / alpha;
    const second = Math.log(1 - stream.uniform()) / alpha;
    if (Math.exp(first) + Math.exp(second) <= 1) return first === second ? 0.5 : 1 / (1 + Math.exp(second - first));
  }
}

/** Shape above 1, scale 1. */
function drawGamma(stream: RandomStream, shape: number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = stream.normal();
    const cube = (1 + c * normal) ** 3;
    if (cube <= 0) continue;
    if (Math.log(1 - stream.uniform()) < 0.5 * normal * normal + d - d * cube + d * Math.log(cube)) return d * cube;
  }
}
