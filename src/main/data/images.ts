/**
 * The only decoder: bytes of one picture file to packed uint8 pixels. Runs in plain Node children only.
 *
 * Formats are recognised by their first bytes, never by name; PNG, JPEG, WebP and GIF (first frame) go through sharp, BMP through
 * bmp.ts. A picture with any decoding warning is refused, not repaired.
 */
import sharp, { type Sharp } from 'sharp';
import { LabError } from '../../shared/contract/errors.ts';
import { readBmp } from './bmp.ts';
import { convertChannels } from './channels.ts';
import { createResampler } from './resample.ts';
import type { PictureShape } from './storeWriter.ts';

/** 100 megapixels: above any camera picture worth training on, below what memory can take. */
const LARGEST_PIXELS = 100_000_000;
export const LARGEST_FILE_BYTES = 64 * 2 ** 20;
const TIMEOUT_SECONDS = 20;

export type PictureFormat = 'PNG' | 'JPEG' | 'WebP' | 'GIF' | 'BMP';

export interface PictureSize {
  /** After the orientation in the file was applied. */
  readonly height: number;
  readonly width: number;
  readonly isGray: boolean;
}

/** Keeps sharp from holding decoded files and from starting more threads than the importer's own lanes use. */
export function configureDecoder(): void {
  sharp.cache(false);
  sharp.concurrency(1);
}

/** The format by magic bytes, null when it is none of the five. */
export function sniffFormat(bytes: Uint8Array): PictureFormat | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.length)).toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG';
  if (text.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'GIF';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'WebP';
  if (text.startsWith('BM')) return 'BMP';
  return null;
}

/** Size and colour from the header; throws `bad_input` without naming a file, which the caller knows. */
export async function readPictureSize(bytes: Uint8Array): Promise<PictureSize> {
  if (requireFormat(bytes) === 'BMP') {
    const { height, width } = readBmp(bytes, LARGEST_PIXELS);
    return { height, width, isGray: false };
  }
  try {
    const { autoOrient, space } = await openPicture(bytes).metadata();
    return { ...autoOrient, isGray: space === 'b-w' || space === 'grey16' };
  } catch (error) {
    throw asPictureError(error);
  }
}

/** Decodes to exactly `shape`: orientation applied, alpha dropped, sRGB or grey, stretched to the size. Throws `bad_input`. */
export async function decodePicture(bytes: Uint8Array, shape: PictureShape): Promise<Uint8Array> {
  const [height, width, channels] = shape;
  if (requireFormat(bytes) === 'BMP') {
    const picture = readBmp(bytes, LARGEST_PIXELS);
    const resample = createResampler([picture.height, picture.width, channels], shape, 'bilinear');
    return resample(convertChannels(picture.pixels, 3, channels));
  }
  try {
    const { data, info } = await openPicture(bytes)
      .autoOrient()
      .removeAlpha()
      .resize(width, height, { fit: 'fill', kernel: 'linear' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .timeout({ seconds: TIMEOUT_SECONDS })
      .toBuffer({ resolveWithObject: true });
    checkDecoded(info, data.length, [height, width, 3]);
    // Not by sharp: its grey is weighed in linear light, unlike Pillow's.
    return convertChannels(data, 3, channels);
  } catch (error) {
    throw asPictureError(error);
  }
}

function openPicture(bytes: Uint8Array): Sharp {
  return sharp(bytes, { failOn: 'warning', limitInputPixels: LARGEST_PIXELS, sequentialRead: true, pages: 1 });
}

function requireFormat(bytes: Uint8Array): PictureFormat {
  const format = sniffFormat(bytes);
  if (format !== null) return format;
  throw new LabError('bad_input', 'It is not a picture of a known format.', {
    expected: 'PNG, JPEG, WebP, GIF or BMP by its first bytes',
    received: bytes.length === 0 ? 'an empty file' : `first bytes ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`,
    help: 'Convert it to PNG or JPEG.',
  });
}

function checkDecoded(info: { height: number; width: number; channels: number }, bytes: number, shape: PictureShape): void {
  const [height, width, channels] = shape;
  if (info.height === height && info.width === width && info.channels === channels && bytes === height * width * channels) return;
  throw new LabError('bad_input', 'It was decoded to another shape than asked for.', {
    expected: `${height}x${width}x${channels}`,
    received: `${info.height}x${info.width}x${info.channels}`,
    help: 'Convert it to an ordinary PNG or JPEG.',
  });
}

function asPictureError(error: unknown): LabError {
  if (error instanceof LabError) return error;
  const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  const isTooLarge = text.includes('exceeds pixel limit');
  return new LabError('bad_input', isTooLarge ? 'It has too many pixels.' : 'It is damaged or cannot be decoded.', {
    expected: isTooLarge ? `at most ${LARGEST_PIXELS} pixels` : 'a complete picture that decodes without a warning',
    received: text,
    help: isTooLarge ? 'Make the picture smaller.' : 'Export or download the picture again.',
    cause: error,
  });
}
