// Resizing of packed uint8 pixels exactly as Pillow 11 does it (src/libImaging/Resample.c, Geometry.c), which Keras uses to load pictures:
// "bilinear" is a triangle filter that widens when it shrinks, in 22-bit fixed point, rows first, rounded to bytes between the passes;
// "nearest" takes the pixel under the centre.
import type { PictureShape } from './storeWriter.ts';

const PRECISION_BITS = 22;

export type ResizeMethod = 'bilinear' | 'nearest';

interface Taps {
  /** First input position per output position. */
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `width` weights per output position. */
  readonly weights: Int32Array;
  readonly width: number;
}

/** Makes a function from pixels of `from` to pixels of `to` (equal channels); the weights are computed once. */
export function createResampler(from: PictureShape, to: PictureShape, method: ResizeMethod): (pixels: Uint8Array) => Uint8Array {
  const [height, width, channels] = from;
  if (height === to[0] && width === to[1]) return (pixels) => pixels;
  if (method === 'nearest') return (pixels) => takeNearest(pixels, from, to);
  const columns = width === to[1] ? null : makeTaps(width, to[1]);
  const rows = height === to[0] ? null : makeTaps(height, to[0]);
  return (pixels) => {
    const narrowed = columns === null ? pixels : resampleRows(pixels, { height, width, channels, outWidth: to[1] }, columns);
    return rows === null ? narrowed : resampleColumns(narrowed, { rowLength: to[1] * channels, outHeight: to[0] }, rows);
  };
}

function makeTaps(inputSize: number, outputSize: number): Taps {
  const scale = inputSize / outputSize;
  const support = Math.max(scale, 1);
  const width = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputSize);
  const counts = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * width);
  for (let position = 0; position < outputSize; position++) {
    const centre = (position + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inputSize, Math.trunc(centre + support + 0.5)) - start;
    const raw = Array.from({ length: count }, (_, tap) => Math.max(0, 1 - Math.abs((tap + start - centre + 0.5) / support)));
    const sum = raw.reduce((total, weight) => total + weight, 0);
    starts[position] = start;
    counts[position] = count;
    raw.forEach((weight, tap) => (weights[position * width + tap] = Math.trunc(0.5 + (weight / sum) * 2 ** PRECISION_BITS)));
  }
  return { starts, counts, weights, width };
}

interface RowPass {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outWidth: number;
}

function resampleRows(pixels: Uint8Array, { height, width, channels, outWidth }: RowPass, taps: Taps): Uint8Array {
  const result = new Uint8Array(height * outWidth * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < outWidth; x++) {
      const start = (y * width + (taps.starts[x] ?? 0)) * channels;
      const count = taps.counts[x] ?? 0;
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (PRECISION_BITS - 1);
        for (let tap = 0; tap < count; tap++) sum += (pixels[start + tap * channels + c] ?? 0) * (taps.weights[x * taps.width + tap] ?? 0);
        result[(y * outWidth + x) * channels + c] = clip(sum >> PRECISION_BITS);
      }
    }
  }
  return result;
}

interface ColumnPass {
  readonly rowLength: number;
  readonly outHeight: number;
}

function resampleColumns(pixels: Uint8Array, { rowLength, outHeight }: ColumnPass, taps: Taps): Uint8Array {
  const result = new Uint8Array(outHeight * rowLength);
  for (let y = 0; y < outHeight; y++) {
    const start = (taps.starts[y] ?? 0) * rowLength;
    const count = taps.counts[y] ?? 0;
    for (let x = 0; x < rowLength; x++) {
      let sum = 1 << (PRECISION_BITS - 1);
      for (let tap = 0; tap < count; tap++) sum += (pixels[start + tap * rowLength + x] ?? 0) * (taps.weights[y * taps.width + tap] ?? 0);
      result[y * rowLength + x] = clip(sum >> PRECISION_BITS);
    }
  }
  return result;
}

function takeNearest(pixels: Uint8Array, [height, width, channels]: PictureShape, [outHeight, outWidth]: PictureShape): Uint8Array {
  const result = new Uint8Array(outHeight * outWidth * channels);
  const rows = nearestPositions(height, outHeight);
  const columns = nearestPositions(width, outWidth);
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const source = ((rows[y] ?? 0) * width + (columns[x] ?? 0)) * channels;
      for (let c = 0; c < channels; c++) result[(y * outWidth + x) * channels + c] = pixels[source + c] ?? 0;
    }
  }
  return result;
}

/** Summed up step by step because Pillow does: where a centre falls between two pixels, the rounding of the sum decides. */
function nearestPositions(inputSize: number, outputSize: number): Int32Array {
  const positions = new Int32Array(outputSize);
  let place = (inputSize / outputSize) * 0.5;
  for (let position = 0; position < outputSize; position++) {
    positions[position] = Math.min(inputSize - 1, Math.trunc(place));
    place += inputSize / outputSize;
  }
  return positions;
}

function clip(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
