// Either end of the range of each transform, alone: what the strongest change looks like.
import type { Augmentation } from '../contract/augmentation.ts';
import { cutoutAt, neutralTransform, type PictureShape, type TransformParameters } from './augment.ts';
import { pasteAt, type RowMix } from './augmentMix.ts';

export interface Extreme {
  readonly field: keyof Augmentation;
  /** The value at this end, for example `-45°`. */
  readonly text: string;
  readonly parameters: TransformParameters;
  /** With partner 0, whichever picture that is; null without mixing. */
  readonly mix: RowMix | null;
}

/** In the order in which transforms are applied; empty for an augmentation that changes nothing. */
export function listExtremes(augmentation: Augmentation, shape: PictureShape): Extreme[] {
  return [
    ...listMoves(augmentation, shape),
    ...listLevels(augmentation),
    ...listRegions(augmentation, shape),
    ...listMixes(augmentation, shape),
  ];
}

function alone(field: keyof Augmentation, text: string, changed: Partial<TransformParameters>): Extreme {
  return { field, text, parameters: { ...neutralTransform, ...changed }, mix: null };
}

/** The largest shift in pixels and the size of the side along which it goes; Keras exchanges the two (see TransformParameters). */
export function reachOf(
  augmentation: Augmentation,
  field: 'widthShiftRange' | 'heightShiftRange',
  [height, width]: PictureShape,
): { readonly pixels: number; readonly size: number } {
  const range = augmentation[field];
  const isHeight = field === 'heightShiftRange';
  const pixels = Number.isInteger(range) ? Math.max(0, range - 1) : range * (range < 1 ? (isHeight ? height : width) : 1);
  return { pixels, size: isHeight ? width : height };
}

function listMoves(augmentation: Augmentation, shape: PictureShape): Extreme[] {
  const { rotationRange, shearRange, zoomRange, horizontalFlip, verticalFlip } = augmentation;
  const [zoomLow, zoomHigh] = zoomRange;
  const across = reachOf(augmentation, 'heightShiftRange', shape).pixels;
  const along = reachOf(augmentation, 'widthShiftRange', shape).pixels;
  return [
    ...bothEnds(rotationRange, (theta) => alone('rotationRange', `${signed(theta)}°`, { theta })),
    ...bothEnds(along, (ty) => alone('widthShiftRange', `${signed(ty)} px`, { ty })),
    ...bothEnds(across, (tx) => alone('heightShiftRange', `${signed(tx)} px`, { tx })),
    ...bothEnds(shearRange, (shear) => alone('shearRange', `${signed(shear)}°`, { shear })),
    ...[zoomLow, zoomHigh].filter((zoom) => zoom !== 1).map((zoom) => alone('zoomRange', short(zoom), { zx: zoom, zy: zoom })),
    ...(horizontalFlip ? [alone('horizontalFlip', 'flipped', { flipHorizontal: true })] : []),
    ...(verticalFlip ? [alone('verticalFlip', 'flipped', { flipVertical: true })] : []),
  ];
}

function listLevels({ channelShiftRange, brightnessRange }: Augmentation): Extreme[] {
  return [
    ...bothEnds(channelShiftRange, (level) => alone('channelShiftRange', signed(level), { channelShiftIntensity: level })),
    ...(brightnessRange ?? []).map((brightness) => alone('brightnessRange', short(brightness), { brightness })),
  ];
}

function listRegions({ randomCrop, cutout }: Augmentation, shape: PictureShape): Extreme[] {
  const [height, width] = shape;
  return [
    ...bothEnds(randomCrop?.padding ?? 0, (reach) => alone('randomCrop', `${signed(reach)} px`, { crop: { down: reach, right: reach } })),
    ...(cutout === null
      ? []
      : [
          alone('cutout', 'in the middle', { cutout: cutoutAt(cutout, shape, height >> 1, width >> 1) }),
          alone('cutout', 'in a corner', { cutout: cutoutAt(cutout, shape, 0, 0) }),
        ]),
  ];
}

/** Mixed half and half: beyond that the partner's label counts more. */
function listMixes({ mixup, cutmix }: Augmentation, shape: PictureShape): Extreme[] {
  const half = { field: 'mixup', text: 'half', parameters: neutralTransform } as const;
  return [
    ...(mixup === null ? [] : [{ ...half, mix: { partner: 0, share: 0.5, pasted: null } }]),
    ...(cutmix === null ? [] : [{ ...half, field: 'cutmix' as const, mix: pasteAt(0, shape, 0.5, shape[0] >> 1, shape[1] >> 1) }]),
  ];
}

function bothEnds(range: number, make: (value: number) => Extreme): Extreme[] {
  return range === 0 ? [] : [make(-range), make(range)];
}

function signed(value: number): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${short(Math.abs(value))}`;
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}
