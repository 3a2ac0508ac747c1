// The affine part of an augmentation: Keras 3.15 apply_affine_transform (keras/src/legacy/preprocessing/image.py) with bilinear
// interpolation as scipy.ndimage.affine_transform order=1 defines it (scipy/ndimage/src/ni_interpolation.c), together with the flips that
// follow it. Does not draw, and does not touch grey levels. augment.ts calls it per picture, so nothing here allocates per picture.
import type { Augmentation } from '../../shared/contract/augmentation.ts';
import type { PictureShape, TransformParameters } from '../../shared/domain/augment.ts';

export type FillMode = Augmentation['fillMode'];

/** Where a target pixel comes from: source row = fromRow * row + fromColumn * column + shift, first for rows, then for columns. */
export type AffineMatrix = Float64Array;

/** Six numbers, for writeAffineMatrix to fill. */
export function createAffineMatrix(): AffineMatrix {
  return new Float64Array(6);
}

/** Fills `matrix` in Keras's order rotation, shift, shear, zoom, about the centre size / 2 - 0.5; false when it is the identity. */
export function writeAffineMatrix(matrix: AffineMatrix, parameters: TransformParameters, shape: PictureShape): boolean {
  const { theta, tx, ty, zx, zy } = parameters;
  if (theta === 0 && tx === 0 && ty === 0 && parameters.shear === 0 && zx === 1 && zy === 1) return false;
  const angle = (theta * Math.PI) / 180;
  const shear = (parameters.shear * Math.PI) / 180;
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const shearSine = Math.sin(shear);
  const shearCosine = Math.cos(shear);
  // Product of the four matrices [[a, b, shiftX], [d, e, shiftY]] in Keras's (x, y) coordinates.
  const a = cosine * zx;
  const b = (-cosine * shearSine - sine * shearCosine) * zy;
  const d = sine * zx;
  const e = (-sine * shearSine + cosine * shearCosine) * zy;
  const shiftX = cosine * tx - sine * ty;
  const shiftY = sine * tx + cosine * ty;
  // Keras takes the centre of x from the height although x becomes the column below; that shows in pictures that are not square.
  const centreX = shape[0] / 2 - 0.5;
  const centreY = shape[1] / 2 - 0.5;
  matrix[0] = e;
  matrix[1] = d;
  matrix[2] = -d * centreX - e * centreY + (shiftY + centreY);
  matrix[3] = b;
  matrix[4] = a;
  matrix[5] = -a * centreX - b * centreY + (shiftX + centreX);
  return true;
}

/** One picture's way from packed bytes to float pixels. One object serves all pictures of an augmenter. */
export interface PictureMove {
  readonly shape: PictureShape;
  readonly fillMode: FillMode;
  /** Grey level of constant fill. */
  readonly fillValue: number;
  readonly matrix: AffineMatrix;
  source: Uint8Array;
  sourceStart: number;
  target: Float32Array;
  targetStart: number;
  flipHorizontal: boolean;
  flipVertical: boolean;
}

/** The picture without an affine transform, flipped where asked. */
export function copyPicture(move: PictureMove): void {
  const { source, target } = move;
  const [height, width, channels] = move.shape;
  const step = move.flipHorizontal ? -channels : channels;
  let from = move.sourceStart;
  for (let row = 0; row < height; row++) {
    let to = rowStart(move, row);
    for (let column = 0; column < width; column++) {
      for (let channel = 0; channel < channels; channel++) target[to + channel] = source[from++] ?? 0;
      to += step;
    }
  }
}

/** The picture through move.matrix. */
export function resamplePicture(move: PictureMove): void {
  if (move.fillMode !== 'nearest') resampleMapped(move);
  else if (move.shape[2] === 3) resampleNearestColour(move);
  else resampleNearest(move);
}

/** First target pixel that `row` of the unflipped picture writes. */
function rowStart(move: PictureMove, row: number): number {
  const [height, width, channels] = move.shape;
  const stride = width * channels;
  const targetRow = move.flipVertical ? height - 1 - row : row;
  return move.targetStart + targetRow * stride + (move.flipHorizontal ? stride - channels : 0);
}

/** Three channels, nearest fill: the loop that the training of most templates spends its augmentation time in. */
function resampleNearestColour(move: PictureMove): void {
  const { source, sourceStart, target, matrix } = move;
  const [height, width] = move.shape;
  const lastY = height - 1;
  const lastX = width - 1;
  const stride = width * 3;
  const step = move.flipHorizontal ? -3 : 3;
  const [yRow, yColumn, yShift] = [matrix[0] ?? 0, matrix[1] ?? 0, matrix[2] ?? 0];
  const [xRow, xColumn, xShift] = [matrix[3] ?? 0, matrix[4] ?? 0, matrix[5] ?? 0];
  for (let row = 0; row < height; row++) {
    let to = rowStart(move, row);
    const yStart = row * yRow;
    const xStart = row * xRow;
    for (let column = 0; column < width; column++) {
      let y = yStart + column * yColumn + yShift;
      let x = xStart + column * xColumn + xShift;
      y = y < 0 ? 0 : y > lastY ? lastY : y;
      x = x < 0 ? 0 : x > lastX ? lastX : x;
      const top = y | 0;
      const left = x | 0;
      const down = y - top;
      const right = x - left;
      // On the last row and column the weight of the neighbour beyond is 0; any address inside the picture will do for it.
      const p00 = sourceStart + top * stride + left * 3;
      const p01 = left < lastX ? p00 + 3 : p00;
      const below = top < lastY ? stride : 0;
      const p10 = p00 + below;
      const p11 = p01 + below;
      const w00 = (1 - down) * (1 - right);
      const w01 = (1 - down) * right;
      const w10 = down * (1 - right);
      const w11 = down * right;
      target[to] = (source[p00] ?? 0) * w00 + (source[p01] ?? 0) * w01 + (source[p10] ?? 0) * w10 + (source[p11] ?? 0) * w11;
      target[to + 1] =
        (source[p00 + 1] ?? 0) * w00 + (source[p01 + 1] ?? 0) * w01 + (source[p10 + 1] ?? 0) * w10 + (source[p11 + 1] ?? 0) * w11;
      target[to + 2] =
        (source[p00 + 2] ?? 0) * w00 + (source[p01 + 2] ?? 0) * w01 + (source[p10 + 2] ?? 0) * w10 + (source[p11 + 2] ?? 0) * w11;
      to += step;
    }
  }
}

/** Grey pictures, nearest fill. */
function resampleNearest(move: PictureMove): void {
  const { source, sourceStart, target, matrix } = move;
  const [height, width] = move.shape;
  const lastY = height - 1;
  const lastX = width - 1;
  const step = move.flipHorizontal ? -1 : 1;
  const [yRow, yColumn, yShift] = [matrix[0] ?? 0, matrix[1] ?? 0, matrix[2] ?? 0];
  const [xRow, xColumn, xShift] = [matrix[3] ?? 0, matrix[4] ?? 0, matrix[5] ?? 0];
  for (let row = 0; row < height; row++) {
    let to = rowStart(move, row);
    const yStart = row * yRow;
    const xStart = row * xRow;
    for (let column = 0; column < width; column++) {
      let y = yStart + column * yColumn + yShift;
      let x = xStart + column * xColumn + xShift;
      y = y < 0 ? 0 : y > lastY ? lastY : y;
      x = x < 0 ? 0 : x > lastX ? lastX : x;
      const top = y | 0;
      const left = x | 0;
      const down = y - top;
      const right = x - left;
      const p00 = sourceStart + top * width + left;
      const p01 = left < lastX ? p00 + 1 : p00;
      const below = top < lastY ? width : 0;
      target[to] =
        (source[p00] ?? 0) * ((1 - down) * (1 - right)) +
        (source[p01] ?? 0) * ((1 - down) * right) +
        (source[p00 + below] ?? 0) * (down * (1 - right)) +
        (source[p01 + below] ?? 0) * (down * right);
      to += step;
    }
  }
}

/** Any channel count; constant, reflect and wrap fill. */
function resampleMapped(move: PictureMove): void {
  const { source, sourceStart, target, matrix, fillMode, fillValue } = move;
  const [height, width, channels] = move.shape;
  const stride = width * channels;
  const step = move.flipHorizontal ? -channels : channels;
  const [yRow, yColumn, yShift] = [matrix[0] ?? 0, matrix[1] ?? 0, matrix[2] ?? 0];
  const [xRow, xColumn, xShift] = [matrix[3] ?? 0, matrix[4] ?? 0, matrix[5] ?? 0];
  for (let row = 0; row < height; row++) {
    let to = rowStart(move, row);
    for (let column = 0; column < width; column++) {
      const y = mapCoordinate(row * yRow + column * yColumn + yShift, height, fillMode);
      const x = mapCoordinate(row * xRow + column * xColumn + xShift, width, fillMode);
      if (y === outside || x === outside) {
        for (let channel = 0; channel < channels; channel++) target[to + channel] = fillValue;
      } else {
        // Reflect answers -1 .. size: half a pixel of the mirror image lies on either side, equal to the border pixel.
        const floorY = Math.floor(y);
        const floorX = Math.floor(x);
        const down = y - floorY;
        const right = x - floorX;
        const top = sourceStart + (floorY < 0 ? 0 : floorY) * stride;
        const bottom = sourceStart + (floorY < height - 1 ? floorY + 1 : height - 1) * stride;
        const left = (floorX < 0 ? 0 : floorX) * channels;
        const next = (floorX < width - 1 ? floorX + 1 : width - 1) * channels;
        for (let channel = 0; channel < channels; channel++) {
          target[to + channel] =
            (source[top + left + channel] ?? 0) * ((1 - down) * (1 - right)) +
            (source[top + next + channel] ?? 0) * ((1 - down) * right) +
            (source[bottom + left + channel] ?? 0) * (down * (1 - right)) +
            (source[bottom + next + channel] ?? 0) * (down * right);
        }
      }
      to += step;
    }
  }
}

/** No coordinate that mapCoordinate answers otherwise. */
const outside = -2;

/** scipy's map_coordinate: reflect repeats the border pixel (period 2 size), wrap lets the last pixel fall on the first (period size - 1). */
function mapCoordinate(coordinate: number, size: number, fillMode: FillMode): number {
  const last = size - 1;
  if (coordinate >= 0 && coordinate <= last) return coordinate;
  if (fillMode === 'constant') return outside;
  if (fillMode === 'nearest' || size === 1) return coordinate < 0 || size === 1 ? 0 : last;
  if (fillMode === 'wrap') {
    return coordinate < 0 ? coordinate + last * (Math.trunc(-coordinate / last) + 1) : coordinate - last * Math.trunc(coordinate / last);
  }
  const period = 2 * size;
  if (coordinate < 0) {
    const near = coordinate < -period ? coordinate + period * Math.trunc(-coordinate / period) : coordinate;
    return near < -size ? near + period : -near - 1;
  }
  const near = coordinate - period * Math.trunc(coordinate / period);
  return near >= size ? period - near - 1 : near;
}
