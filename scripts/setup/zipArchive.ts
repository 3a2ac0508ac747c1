/**
 * Reads a zip archive, which is what a Python wheel is, entry by entry.
 *
 * Only archives whose checksum is pinned come here, so this reader refuses what it does not know (encryption, zip64,
 * other compressions) instead of coping with it. It never writes outside the folder it is given.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

export type ZipEntry = {
  readonly name: string;
  readonly method: number;
  readonly compressedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
  readonly isExecutable: boolean;
};

const END_SIGNATURE = 0x06054b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 65_535;

/** Lists the archive's files from its central directory; folders are left out. */
export async function readZipEntries(path: string): Promise<ZipEntry[]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tail = await readRange(file, Math.max(0, size - END_BYTES - LONGEST_COMMENT), size);
    const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
    if (end < 0 || tail.readUInt32LE(end) !== END_SIGNATURE) throw new Error(`${path} is not a zip archive`);
    const count = tail.readUInt16LE(end + 10);
    const start = tail.readUInt32LE(end + 16);
    const directory = await readRange(file, start, start + tail.readUInt32LE(end + 12));
    return parseDirectory(directory, count, path).filter((entry) => !entry.name.endsWith('/'));
  } finally {
    await file.close();
  }
}

/** Writes one entry below `folder` and answers its SHA-256; the bytes are on the disk, not only in its cache. */
export async function extractZipEntry(path: string, entry: ZipEntry, folder: string): Promise<{ sha256: string; sizeBytes: number }> {
  const relative = normalize(entry.name);
  if (relative.startsWith('..') || relative.startsWith('/')) throw new Error(`${path} holds an unsafe name: ${entry.name}`);
  const target = join(folder, relative);
  await mkdir(dirname(target), { recursive: true });
  const start = await findContent(path, entry);
  const source = createReadStream(path, { start, end: start + entry.compressedBytes - 1, highWaterMark: 1 << 20 });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const tee = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      done(null, chunk);
    },
  });
  const inflate = entry.method === 8 ? createInflateRaw({ chunkSize: 1 << 20 }) : new PassThrough();
  if (entry.compressedBytes === 0) source.destroy();
  await pipeline(
    entry.compressedBytes === 0 ? [] : source,
    inflate,
    tee,
    createWriteStream(target, { flush: true, mode: entry.isExecutable ? 0o755 : 0o644 }),
  );
  if (sizeBytes !== entry.sizeBytes) throw new Error(`${path}: ${entry.name}: expected ${entry.sizeBytes} bytes, received ${sizeBytes}`);
  return { sha256: hash.digest('hex'), sizeBytes };
}

function parseDirectory(directory: Buffer, count: number, path: string): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (directory.readUInt32LE(at) !== CENTRAL_SIGNATURE) throw new Error(`${path}: the central directory is damaged`);
    const nameBytes = directory.readUInt16LE(at + 28);
    const entry: ZipEntry = {
      name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
      method: directory.readUInt16LE(at + 10),
      compressedBytes: directory.readUInt32LE(at + 20),
      sizeBytes: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
      // The upper half holds the Unix mode.
      isExecutable: (directory.readUInt32LE(at + 38) & (0o100 << 16)) !== 0,
    };
    const isEncrypted = (directory.readUInt16LE(at + 8) & 1) === 1;
    const isZip64 = [entry.compressedBytes, entry.sizeBytes, entry.offset].includes(0xffffffff);
    if (isEncrypted || isZip64 || (entry.method !== 0 && entry.method !== 8)) {
      throw new Error(`${path}: ${entry.name} is stored in a way that is not supported`);
    }
    entries.push(entry);
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

async function findContent(path: string, entry: ZipEntry): Promise<number> {
  const file = await open(path);
  try {
    const header = await readRange(file, entry.offset, entry.offset + 30);
    if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw new Error(`${path}: ${entry.name} has no header`);
    return entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await file.close();
  }
}

async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
  return buffer.subarray(0, bytesRead);
}
