// Bytes of one stored picture: row by row, channels innermost.

export interface PixelPicture {
  /** [height, width, channels]. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface ChannelStatistics {
  readonly name: string;
  readonly least: number;
  readonly mean: number;
  readonly most: number;
}

/** From base64; throws a RangeError when the bytes do not fill the shape. */
export function readPixels(shape: readonly number[], base64: string): PixelPicture {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const expected = shape.reduce((product, side) => product * side, 1);
  if (bytes.length !== expected) throw new RangeError(`${bytes.length} bytes do not fill ${shape.join(' x ')}.`);
  return { shape, bytes };
}

/** One name for each channel of a grey or coloured picture. */
export function channelNames(channels: number): readonly string[] {
  if (channels === 1) return ['grey'];
  return channels === 3 ? ['red', 'green', 'blue'] : Array.from({ length: channels }, (_, channel) => `channel ${channel + 1}`);
}

/** The values of all channels, 0..255; empty outside the picture. */
export function valuesAt({ shape, bytes }: PixelPicture, row: number, column: number): number[] {
  const [height = 0, width = 0, channels = 0] = shape;
  if (row < 0 || column < 0 || row >= height || column >= width) return [];
  const start = (row * width + column) * channels;
  return [...bytes.subarray(start, start + channels)];
}

export function channelStatistics({ shape, bytes }: PixelPicture): ChannelStatistics[] {
  const channels = shape[2] ?? 1;
  return channelNames(channels).map((name, channel) => {
    let least = 255;
    let most = 0;
    let sum = 0;
    for (let at = channel; at < bytes.length; at += channels) {
      const value = bytes[at] ?? 0;
      if (value < least) least = value;
      if (value > most) most = value;
      sum += value;
    }
    return { name, least, mean: sum / (bytes.length / channels), most };
  });
}

/** Four bytes per pixel, opaque, as a canvas takes them. */
export function toCanvasBytes({ shape, bytes }: PixelPicture): Uint8ClampedArray<ArrayBuffer> {
  const [height = 0, width = 0, channels = 1] = shape;
  const drawn = new Uint8ClampedArray(height * width * 4);
  for (let pixel = 0; pixel < height * width; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      drawn[pixel * 4 + channel] = bytes[pixel * channels + Math.min(channel, channels - 1)] ?? 0;
    }
    drawn[pixel * 4 + 3] = 255;
  }
  return drawn;
}
