/**
 * Reads one file of a dataset as a stream of bytes: regular files only, gzip undone by content not by name, hashed on the way.
 *
 * Owns the byte budget: a reader asks for exactly the bytes its header implies, so a bomb is noticed one chunk after them. Nothing
 * here knows a format.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { LabError } from '../../shared/contract/errors.ts';

const CHUNK_BYTES = 1 << 18;

export interface ByteStream {
  readonly path: string;
  /** Size of the file as it lies on the disk. */
  readonly sizeBytes: number;
  readonly isGzip: boolean;
  /** Exactly `bytes` bytes; throws `bad_input` naming `what` when the file ends before. */
  read(bytes: number, what: string): Promise<Buffer>;
  /** The next bytes in whatever amount is at hand, null at the end. */
  next(): Promise<Buffer | null>;
  /** Throws when bytes are left, stopping at the first; otherwise answers the SHA-256 of the file as it lies on the disk. */
  finish(expectedBytes: number): Promise<string>;
  close(): Promise<void>;
}

/** Opens `path` without following a link; `onRaw` sees the bytes as they lie on the disk. Throws `bad_input` when it is missing, not a regular file or not readable. */
export async function openBytes(path: string, onRaw: (chunk: Buffer) => void = () => undefined): Promise<ByteStream> {
  const handle = await openRegular(path);
  const { size } = await handle.stat();
  const head = Buffer.alloc(2);
  const { bytesRead } = await handle.read(head, 0, 2, 0);
  const isGzip = bytesRead === 2 && head[0] === 0x1f && head[1] === 0x8b;
  const hash = createHash('sha256');
  const raw = readRaw(handle, path, size, (chunk) => {
    hash.update(chunk);
    onRaw(chunk);
  });
  const iterator = (isGzip ? gunzip(raw, path) : raw)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let delivered = 0;
  const next = async (): Promise<Buffer | null> => {
    if (rest.length === 0) {
      const chunk = await iterator.next();
      if (chunk.done === true) return null;
      rest = chunk.value;
    }
    const bytes = rest;
    rest = Buffer.alloc(0);
    delivered += bytes.length;
    return bytes;
  };
  return {
    path,
    sizeBytes: size,
    isGzip,
    next,
    async read(bytes, what) {
      const result = Buffer.allocUnsafe(bytes);
      let done = 0;
      while (done < bytes) {
        const chunk = await next();
        if (chunk === null) throw tooShort(path, what, bytes, done);
        const taken = chunk.copy(result, done);
        done += taken;
        rest = chunk.subarray(taken);
        delivered -= rest.length;
      }
      return result;
    },
    async finish(expectedBytes) {
      for (let chunk = await next(); chunk !== null; chunk = await next()) {
        if (chunk.length > 0) throw trailing(path, expectedBytes, delivered, isGzip);
      }
      return hash.digest('hex');
    },
    async close() {
      await iterator.return(undefined);
      await handle.close();
    },
  };
}

/** Opens a file for reading without following a link at its end; throws `bad_input` for anything but a readable regular file. */
export async function openRegular(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw new LabError('bad_input', `${path} cannot be read.`, {
      expected: 'a readable regular file, not a symbolic link',
      received: describeOpenError(cause),
      help: 'Check the path and its permissions.',
      cause,
    });
  }
  const stat = await handle.stat();
  if (stat.isFile()) return handle;
  await handle.close();
  throw new LabError('bad_input', `${path} is not a file.`, {
    expected: 'a regular file',
    received: stat.isDirectory() ? 'a folder' : 'a device, pipe or socket',
    help: 'Give the path of a file.',
  });
}

function describeOpenError(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'ELOOP' || code === 'EMLINK') return 'a symbolic link';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it';
  return cause instanceof Error ? cause.message : String(cause);
}

async function* readRaw(handle: FileHandle, path: string, size: number, onRaw: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  let position = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    onRaw(chunk);
    yield chunk;
  }
  if (position !== size) {
    throw new LabError('bad_input', `${path} changed while it was read.`, {
      expected: `${size} bytes`,
      received: `${position} bytes`,
      help: 'Import it again when nothing writes to it.',
    });
  }
}

async function* gunzip(raw: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  const inflate = createGunzip({ chunkSize: CHUNK_BYTES });
  const piped = pipeline(raw, inflate);
  // The same error reaches the loop below through the stream.
  piped.catch(() => undefined);
  try {
    for await (const chunk of inflate) yield asBuffer(chunk);
    await piped;
  } catch (error) {
    throw asGzipError(error, path);
  }
}

function asBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  throw new LabError('internal', 'The decompressor gave something that is not bytes.');
}

function asGzipError(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'Z_BUF_ERROR') {
    return new LabError('bad_input', `${path} is a truncated gzip file.`, {
      expected: 'a complete gzip stream',
      received: 'its end before the end of the stream',
      help: 'Download or copy the file again.',
      cause: error,
    });
  }
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return new LabError('bad_input', `${path} is a damaged gzip file.`, {
      expected: 'a gzip stream whose checksum fits',
      received: error instanceof Error ? error.message : code,
      help: 'Download or copy the file again.',
      cause: error,
    });
  }
  return error;
}

function tooShort(path: string, what: string, expected: number, received: number): LabError {
  return new LabError('bad_input', `${path} ends within ${what}.`, {
    expected: `${expected} bytes`,
    received: `${received} bytes`,
    help: 'The file is truncated: download or copy it again.',
  });
}

function trailing(path: string, expected: number, received: number, isGzip: boolean): LabError {
  return new LabError('bad_input', `${path} holds more bytes than its header says.`, {
    expected: `${expected} bytes${isGzip ? ' after decompression' : ''}`,
    received: `at least ${received} bytes`,
    help: 'The file is damaged or is not what its name says: download or copy it again.',
  });
}
