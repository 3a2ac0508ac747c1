// Strict reader for Windows bitmaps, which sharp does not read: uncompressed with 24 or 32 bits, or 8 bits with a palette.
import { LabError } from '../../shared/contract/errors.ts';

export interface BmpPicture {
  readonly height: number;
  readonly width: number;
  /** Packed RGB, top row first. */
  readonly pixels: Uint8Array;
}

interface BmpHeader {
  readonly height: number;
  readonly width: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly pixelOffset: number;
  readonly rowBytes: number;
  readonly palette: Buffer;
}

/** Reads the picture; throws `bad_input` for other variants, sizes beyond `largestPixels` and files that are too short. */
export function readBmp(bytes: Uint8Array, largestPixels: number): BmpPicture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(file, largestPixels);
  const { height, width } = header;
  const pixels = new Uint8Array(height * width * 3);
  for (let row = 0; row < height; row++) {
    const source = header.pixelOffset + (header.isTopDown ? row : height - 1 - row) * header.rowBytes;
    readRow(file, source, header, pixels.subarray(row * width * 3, (row + 1) * width * 3));
  }
  return { height, width, pixels };
}

function readHeader(file: Buffer, largestPixels: number): BmpHeader {
  if (file.length < 54) throw bmpError('It is too short for a bitmap.', 'at least 54 bytes', `${file.length} bytes`);
  const headerBytes = file.readUInt32LE(14);
  if (headerBytes < 40 || headerBytes > 124)
    throw bmpError('It has an unknown bitmap header.', 'a header of 40 to 124 bytes', `${headerBytes} bytes`);
  const width = file.readInt32LE(18);
  const signedHeight = file.readInt32LE(22);
  const height = Math.abs(signedHeight);
  const [bits, compression] = [file.readUInt16LE(28), file.readUInt32LE(30)];
  if (compression !== 0 || ![8, 24, 32].includes(bits)) {
    throw bmpError(
      'It is a bitmap of an unsupported kind.',
      'uncompressed with 8, 24 or 32 bits',
      `${bits} bits, compression ${compression}`,
    );
  }
  if (width < 1 || height < 1 || width * height > largestPixels) {
    throw bmpError('It has an impossible size.', `1 to ${largestPixels} pixels`, `${height}x${width}`);
  }
  const pixelOffset = file.readUInt32LE(10);
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  const end = pixelOffset + rowBytes * height;
  if (end > file.length || pixelOffset < 14 + headerBytes)
    throw bmpError('It is a truncated bitmap.', `${end} bytes`, `${file.length} bytes`);
  const palette = bits === 8 ? readPalette(file, 14 + headerBytes, pixelOffset) : file.subarray(0, 0);
  return { height, width, isTopDown: signedHeight < 0, bits, pixelOffset, rowBytes, palette };
}

function readPalette(file: Buffer, start: number, pixelOffset: number): Buffer {
  const used = file.readUInt32LE(46);
  const entries = used === 0 ? 256 : used;
  if (entries > 256 || start + entries * 4 > pixelOffset) {
    throw bmpError('Its palette does not fit.', `1 to 256 colours before byte ${pixelOffset}`, `${entries} colours`);
  }
  return file.subarray(start, start + entries * 4);
}

function readRow(file: Buffer, source: number, { bits, width, palette }: BmpHeader, target: Uint8Array): void {
  for (let x = 0; x < width; x++) {
    const place = source + (x * bits) / 8;
    const from = bits === 8 ? palette : file;
    const at = bits === 8 ? file.readUInt8(place) * 4 : place;
    if (bits === 8 && at >= palette.length)
      throw bmpError('It uses a colour outside its palette.', `below ${palette.length / 4}`, String(at / 4));
    target[x * 3] = from.readUInt8(at + 2);
    target[x * 3 + 1] = from.readUInt8(at + 1);
    target[x * 3 + 2] = from.readUInt8(at);
  }
}

function bmpError(message: string, expected: string, received: string): LabError {
  return new LabError('bad_input', message, { expected, received, help: 'Convert it to PNG.' });
}
