// Bytes of a CIFAR archive or folder: nothing is unpacked to disk, only regular files with expected names are kept, all within budgets.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Extract, extract } from 'tar-stream';
import { LabError } from '../../shared/contract/errors.ts';
import { type ByteStream, openBytes } from './sourceFile.ts';

/** The official archives unpack to 186 MB with files of 31 MB. */
const LARGEST_ARCHIVE_BYTES = 400 * 2 ** 20;
const LARGEST_FILE_BYTES = 64 * 2 ** 20;

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

export interface CifarArchive {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly sha256: string;
  readonly md5: string;
}

/** Reads the expected files of a .tar or .tar.gz into memory; throws `bad_input` for damage, links and sizes beyond the budget. */
export async function readCifarArchive(path: string, expected: ReadonlySet<string>): Promise<CifarArchive> {
  const md5 = createHash('md5');
  const stream = await openBytes(path, (chunk) => md5.update(chunk));
  const files = new Map<string, Buffer>();
  const tar = extract();
  try {
    const piped = pipeline(limited(stream), tar);
    // The loop below sees the same error through the entries.
    piped.catch(() => undefined);
    for await (const entry of tar) await readEntry(entry, path, expected, files);
    await piped;
    const sha256 = await stream.finish(0);
    return { files, sha256, md5: md5.digest('hex') };
  } catch (error) {
    throw asArchiveError(error, path);
  } finally {
    await stream.close();
  }
}

/** Reads one file of a folder, at most as large as a batch can be. */
export async function readCifarFile(path: string): Promise<Buffer> {
  const stream = await openBytes(path);
  try {
    if (stream.sizeBytes > LARGEST_FILE_BYTES)
      throw archiveError(`${path} is too large.`, `at most ${LARGEST_FILE_BYTES} bytes`, `${stream.sizeBytes} bytes`);
    return await stream.read(stream.sizeBytes, 'its contents');
  } finally {
    await stream.close();
  }
}

async function* limited(stream: ByteStream): AsyncGenerator<Buffer> {
  let total = 0;
  for (let chunk = await stream.next(); chunk !== null; chunk = await stream.next()) {
    total += chunk.length;
    if (total > LARGEST_ARCHIVE_BYTES) {
      throw archiveError(
        `${stream.path} unpacks to too much.`,
        `at most ${LARGEST_ARCHIVE_BYTES} bytes`,
        `at least ${total} bytes from ${stream.sizeBytes}`,
      );
    }
    yield chunk;
  }
}

async function readEntry(entry: Entry, path: string, expected: ReadonlySet<string>, files: Map<string, Buffer>): Promise<void> {
  const { name, type, size } = entry.header;
  const base = basename(name);
  // Expected files lie at the top or in one folder; whatever else an archive holds is passed over unread.
  const isWanted = expected.has(base) && /^(\.\/)?([^/\\]+\/)?[^/\\]+$/.test(name) && !name.split('/').includes('..');
  if (!isWanted) {
    entry.resume();
    return;
  }
  if (type !== 'file' || size > LARGEST_FILE_BYTES || files.has(base)) {
    const received = type !== 'file' ? `a ${type}` : files.has(base) ? 'it twice' : `${size} bytes`;
    throw archiveError(`${path} holds an unusable ${name}.`, `one regular file of at most ${LARGEST_FILE_BYTES} bytes`, received);
  }
  const parts: Buffer[] = [];
  for await (const part of entry) if (Buffer.isBuffer(part)) parts.push(part);
  files.set(base, Buffer.concat(parts));
}

function asArchiveError(error: unknown, path: string): unknown {
  if (error instanceof LabError || !(error instanceof Error) || ('code' in error && typeof error.code === 'string')) return error;
  return archiveError(`${path} is a damaged tar archive.`, 'a complete archive', error.message);
}

function archiveError(message: string, expected: string, received: string): LabError {
  return new LabError('bad_input', message, {
    expected,
    received,
    help: 'Download cifar-10-python.tar.gz or cifar-10-binary.tar.gz again from https://www.cs.toronto.edu/~kriz/cifar.html.',
  });
}
