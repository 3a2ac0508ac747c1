// Random crop and cutout, in place on float pixels. Cropping pads as numpy.pad does: 'edge' (nearest), 'constant', 'symmetric' (reflect) and
// 'wrap', so that whole pixels move and nothing is interpolated.
import type { PictureShape, Rectangle } from '../../shared/domain/augment.ts';
import type { FillMode } from './augmentAffine.ts';

export interface CropFill {
  readonly fillMode: FillMode;
  /** Grey level of constant fill. */
  readonly cval: number;
}

/** Moves the content `down` rows up and `right` columns to the left, as a window that moves down and right; `copy` is memory of one picture. */
export function cropPicture(
  pixels: Float32Array,
  shape: PictureShape,
  { down, right }: { readonly down: number; readonly right: number },
  fill: CropFill,
  copy: Float32Array,
): void {
  if (down === 0 && right === 0) return;
  const [height, width, channels] = shape;
  const stride = width * channels;
  copy.set(pixels);
  for (let row = 0; row < height; row++) {
    const from = padded(row + down, height, fill.fillMode);
    const to = row * stride;
    if (from < 0) pixels.fill(fill.cval, to, to + stride);
    else cropRow(pixels, to, copy, from * stride, { width, channels, right }, fill);
  }
}

function cropRow(
  pixels: Float32Array,
  to: number,
  copy: Float32Array,
  from: number,
  { width, channels, right }: { readonly width: number; readonly channels: number; readonly right: number },
  fill: CropFill,
): void {
  // The inner part is one piece; only the padding goes pixel by pixel.
  const first = Math.min(width, Math.max(0, -right));
  const end = Math.max(first, Math.min(width, width - right));
  if (end > first) pixels.set(copy.subarray(from + (first + right) * channels, from + (end + right) * channels), to + first * channels);
  for (let column = 0; column < width; column++) {
    if (column === first && end > first) column = end;
    if (column >= width) break;
    const source = padded(column + right, width, fill.fillMode);
    for (let channel = 0; channel < channels; channel++)
      pixels[to + column * channels + channel] = source < 0 ? fill.cval : (copy[from + source * channels + channel] ?? 0);
  }
}

/** Position whose value a padded position repeats; -1 outside under constant fill. */
function padded(position: number, size: number, fillMode: FillMode): number {
  if (position >= 0 && position < size) return position;
  if (fillMode === 'constant') return -1;
  if (fillMode === 'nearest') return position < 0 ? 0 : size - 1;
  const period = fillMode === 'wrap' ? size : 2 * size;
  const place = ((position % period) + period) % period;
  return place < size ? place : period - 1 - place;
}

/** Sets all channels inside the rectangle to one grey level. */
export function coverRectangle(pixels: Float32Array, [, width, channels]: PictureShape, rectangle: Rectangle, value: number): void {
  for (let row = rectangle.top; row < rectangle.bottom; row++)
    pixels.fill(value, (row * width + rectangle.left) * channels, (row * width + rectangle.right) * channels);
}
