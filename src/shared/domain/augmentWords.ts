// What was drawn for one picture, in words: the fields of the augmentation that changed it, in the order in which they are applied.
import type { Augmentation } from '../contract/augmentation.ts';
import type { TransformParameters } from './augment.ts';

export interface DrawnValue {
  readonly name: keyof Augmentation;
  readonly text: string;
}

/** Fields that left the picture alone are left out. Directions are those in which the content moves. */
export function describeTransform(drawn: TransformParameters): DrawnValue[] {
  const { crop, cutout } = drawn;
  const all: readonly (DrawnValue | null)[] = [
    drawn.theta === 0 ? null : { name: 'rotationRange', text: degrees(drawn.theta) },
    drawn.ty === 0 ? null : { name: 'widthShiftRange', text: movement(drawn.ty, 'up', 'down') },
    drawn.tx === 0 ? null : { name: 'heightShiftRange', text: movement(drawn.tx, 'left', 'right') },
    drawn.shear === 0 ? null : { name: 'shearRange', text: degrees(drawn.shear) },
    drawn.zx === 1 && drawn.zy === 1
      ? null
      : { name: 'zoomRange', text: `width × ${short(1 / drawn.zx)}, height × ${short(1 / drawn.zy)}` },
    drawn.channelShiftIntensity === null ? null : { name: 'channelShiftRange', text: `${signed(drawn.channelShiftIntensity)} levels` },
    drawn.flipHorizontal ? { name: 'horizontalFlip', text: 'mirrored' } : null,
    drawn.flipVertical ? { name: 'verticalFlip', text: 'upside down' } : null,
    drawn.brightness === null ? null : { name: 'brightnessRange', text: `× ${short(drawn.brightness)}` },
    crop === null || (crop.down === 0 && crop.right === 0)
      ? null
      : {
          name: 'randomCrop',
          text: [movement(crop.right, 'left', 'right'), movement(crop.down, 'up', 'down')].filter((text) => text !== '').join(', '),
        },
    cutout === null
      ? null
      : { name: 'cutout', text: `rows ${cutout.top} to ${cutout.bottom - 1}, columns ${cutout.left} to ${cutout.right - 1}` },
  ];
  return all.filter((value) => value !== null);
}

/** '' for no movement. */
function movement(pixels: number, positive: string, negative: string): string {
  return pixels === 0 ? '' : `${short(Math.abs(pixels))} px ${pixels > 0 ? positive : negative}`;
}

function degrees(value: number): string {
  return `${signed(value)}°`;
}

function signed(value: number): string {
  return `${value > 0 ? '+' : '−'}${short(Math.abs(value))}`;
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}
