// The grey-level part of an augmentation, in place on float pixels: Keras 3.15 apply_channel_shift and apply_brightness_shift
// (keras/src/legacy/preprocessing/image.py) in their float32 and, for brightness, Pillow uint8 arithmetic.

/** Adds `intensity` to every pixel and clips to the range that the picture had before. */
export function shiftChannels(pixels: Float32Array, start: number, length: number, intensity: number): void {
  const end = start + length;
  const shift = Math.fround(intensity);
  let low = Infinity;
  let high = -Infinity;
  for (let index = start; index < end; index++) {
    const level = pixels[index] ?? 0;
    if (level < low) low = level;
    if (level > high) high = level;
  }
  for (let index = start; index < end; index++) {
    const level = Math.fround((pixels[index] ?? 0) + shift);
    pixels[index] = level < low ? low : level > high ? high : level;
  }
}

/**
 * Multiplies by `factor` as Pillow's ImageEnhance.Brightness: levels cut to whole numbers before and after, at most 255.
 *
 * A picture that a cval outside 0 .. 255 took out of range is stretched to 0 .. 255 before and back after, as Keras does.
 */
export function shiftBrightness(pixels: Float32Array, start: number, length: number, factor: number): void {
  const end = start + length;
  const alpha = Math.fround(factor);
  let low = Infinity;
  let high = -Infinity;
  for (let index = start; index < end; index++) {
    const level = pixels[index] ?? 0;
    if (level < low) low = level;
    if (level > high) high = level;
  }
  const isStretched = low < 0 || high > 255;
  const range = Math.fround(high - low);
  for (let index = start; index < end; index++) {
    let level = pixels[index] ?? 0;
    if (isStretched) level = stretch(level, low, range);
    const scaled = Math.fround(alpha * Math.trunc(level));
    level = scaled >= 255 ? 255 : Math.trunc(scaled);
    pixels[index] = isStretched ? Math.fround(Math.fround(level / 255) * range) + low : level;
  }
}

function stretch(level: number, low: number, range: number): number {
  const above = Math.fround(level - low);
  return range === 0 ? above : Math.fround(Math.fround(above / range) * 255);
}
