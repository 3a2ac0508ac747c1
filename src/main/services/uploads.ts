// Files on their way from a page into the workspace's cache. A page announces how many and how large, names them, and sends them one by
// one; each appears under its name only when it is complete. Bytes are counted against what was announced and against the disk.
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { createUploadNames, type UploadNames } from './uploadNames.ts';

export type UploadBody = AsyncIterable<Uint8Array> | null;

export interface Uploads {
  /** The id of a new upload; throws `disk_full` when it would not fit. */
  open(request: HandlerInput<'uploads.open'>): Promise<string>;
  /** Names that were given before may be given again; other names for the same files are a `conflict`. */
  name(request: HandlerInput<'uploads.name'>): void;
  /** Streams one file to disk; sent again, it replaces the first. An interrupted file leaves nothing. */
  receive(uploadId: string, position: number, body: UploadBody, signal: AbortSignal): Promise<void>;
  /** The single file, or the folder that holds all of them; throws `bad_input` while files are missing. */
  locate(uploadId: string): string;
  /** Keeps it from being discarded to make room until the work is done. */
  hold<Result>(uploadIds: readonly string[], work: () => Promise<Result>): Promise<Result>;
  discard(uploadId: string): Promise<void>;
  /** Discards those that nothing uses and nobody has asked about for a minute; answers how many. */
  discardUnused(): Promise<number>;
}

interface Upload {
  readonly id: string;
  readonly folder: string;
  readonly fileCount: number;
  readonly totalBytes: number;
  readonly names: UploadNames;
  /** As given and as placed, by position. */
  readonly given: string[];
  readonly placed: string[];
  /** Sizes of complete files by position. */
  readonly complete: Map<number, number>;
  completeBytes: number;
  openBytes: number;
  /** Bodies being received and work that uses it. */
  users: number;
  /** When someone last asked about it, on the monotonic clock. */
  usedAt: number;
  isDiscarded: boolean;
}

const mostUploads = 32;
const unusedMs = 60_000;
/** Left free on the disk for what the lab itself must write. */
const reserveBytes = 64 * 2 ** 20;

export function createUploads(cacheFolder: string, onDiscard: (uploadId: string) => void): Uploads {
  return new UploadFolder(join(cacheFolder, 'uploads'), onDiscard);
}

class UploadFolder implements Uploads {
  readonly #folder: string;
  readonly #onDiscard: (uploadId: string) => void;
  /** Last used last. */
  readonly #uploads = new Map<string, Upload>();
  #lastPart = 0;

  constructor(folder: string, onDiscard: (uploadId: string) => void) {
    this.#folder = folder;
    this.#onDiscard = onDiscard;
  }

  async open({ fileCount, totalBytes }: HandlerInput<'uploads.open'>): Promise<string> {
    const id = randomBytes(12).toString('base64url');
    const folder = join(this.#folder, id);
    await mkdir(join(folder, 'parts'), { recursive: true });
    try {
      await this.#requireSpace(totalBytes);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    const empty = { names: createUploadNames(), given: [], placed: [], complete: new Map(), completeBytes: 0, openBytes: 0, users: 0 };
    this.#uploads.set(id, { id, folder, fileCount, totalBytes, ...empty, usedAt: performance.now(), isDiscarded: false });
    const unused = [...this.#uploads.values()].filter((upload) => upload.users === 0 && upload.id !== id);
    for (const old of unused.slice(0, Math.max(0, this.#uploads.size - mostUploads))) await this.discard(old.id);
    return id;
  }

  name({ uploadId, from, names }: HandlerInput<'uploads.name'>): void {
    const upload = this.#find(uploadId);
    if (from > upload.given.length || from + names.length > upload.fileCount) {
      throw new LabError('bad_input', 'The files of an upload are named one after another, up to as many as were announced.', {
        expected: `positions from ${upload.given.length} to ${upload.fileCount - 1}`,
        received: `${from} to ${from + names.length - 1}`,
        help: 'Choose the files again.',
      });
    }
    for (const [offset, name] of names.entries()) {
      const position = from + offset;
      if (position === upload.given.length) {
        upload.placed.push(upload.names.place(name));
        upload.given.push(name);
      } else if (upload.given[position] !== name) {
        throw new LabError('conflict', `File ${position} of the upload has another name already.`, { help: 'Choose the files again.' });
      }
    }
  }

  async receive(uploadId: string, position: number, body: UploadBody, signal: AbortSignal): Promise<void> {
    const upload = this.#find(uploadId);
    const placed = upload.placed[position];
    if (placed === undefined) {
      throw new LabError('bad_input', `File ${position} of the upload has no name yet.`, { help: 'Choose the files again.' });
    }
    this.#lastPart += 1;
    const part = join(upload.folder, 'parts', String(this.#lastPart));
    await this.#use([upload], async () => {
      try {
        const bytes = await this.#write(upload, position, part, body, signal);
        await this.#put(upload, part, placed);
        upload.completeBytes += bytes - (upload.complete.get(position) ?? 0);
        upload.complete.set(position, bytes);
      } finally {
        await rm(part, { force: true });
      }
    });
  }

  locate(uploadId: string): string {
    const upload = this.#find(uploadId);
    const { fileCount, complete, placed } = upload;
    if (complete.size < fileCount) {
      throw new LabError('bad_input', 'The upload is not complete.', {
        expected: `${fileCount} files`,
        received: `${complete.size} files`,
        help: 'Wait until all files have arrived, or choose them again.',
      });
    }
    const [first = ''] = placed;
    if (fileCount === 1) return this.#pathOf(upload, first);
    const top = first.slice(0, first.indexOf('/') + 1);
    const isShared = top !== '' && placed.every((path) => path.startsWith(top));
    return this.#pathOf(upload, isShared ? top.slice(0, -1) : '');
  }

  hold<Result>(uploadIds: readonly string[], work: () => Promise<Result>): Promise<Result> {
    return this.#use(
      uploadIds.map((id) => this.#find(id)),
      work,
    );
  }

  async discard(uploadId: string): Promise<void> {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined) return;
    this.#uploads.delete(uploadId);
    upload.isDiscarded = true;
    this.#onDiscard(uploadId);
    // Otherwise whoever still writes into it clears up.
    if (upload.users === 0) await rm(upload.folder, { recursive: true, force: true });
  }

  async discardUnused(): Promise<number> {
    const latest = performance.now() - unusedMs;
    const unused = [...this.#uploads.values()].filter((upload) => upload.users === 0 && upload.usedAt < latest);
    for (const upload of unused) await this.discard(upload.id);
    return unused.length;
  }

  #find(uploadId: string): Upload {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined) {
      throw new LabError('not_found', 'This upload is no longer there.', { help: 'Choose the files again.' });
    }
    this.#uploads.delete(uploadId);
    this.#uploads.set(uploadId, upload);
    upload.usedAt = performance.now();
    return upload;
  }

  async #use<Result>(uploads: readonly Upload[], work: () => Promise<Result>): Promise<Result> {
    for (const upload of uploads) upload.users += 1;
    try {
      return await work();
    } finally {
      for (const upload of uploads) {
        upload.users -= 1;
        if (upload.isDiscarded && upload.users === 0) await rm(upload.folder, { recursive: true, force: true });
      }
    }
  }

  async #write(upload: Upload, position: number, part: string, body: UploadBody, signal: AbortSignal): Promise<number> {
    const file = await open(part, 'wx', 0o600);
    let bytes = 0;
    try {
      for await (const chunk of body ?? []) {
        signal.throwIfAborted();
        if (upload.isDiscarded) throw discarded();
        bytes += chunk.byteLength;
        upload.openBytes += chunk.byteLength;
        requireAnnounced(upload, position);
        await file.writeFile(chunk);
      }
      signal.throwIfAborted();
      return bytes;
    } finally {
      upload.openBytes -= bytes;
      await file.close();
    }
  }

  async #put(upload: Upload, part: string, placed: string): Promise<void> {
    const path = this.#pathOf(upload, placed);
    await mkdir(dirname(path), { recursive: true });
    if (upload.isDiscarded) throw discarded();
    await rename(part, path);
  }

  #pathOf(upload: Upload, placed: string): string {
    return join(upload.folder, 'upload', ...placed.split('/'));
  }

  async #requireSpace(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    const promised = [...this.#uploads.values()].reduce((sum, upload) => sum + upload.totalBytes - upload.completeBytes, 0);
    const free = bavail * bsize - promised - reserveBytes;
    if (bytes <= free) return;
    throw new LabError('disk_full', 'The files to upload do not fit on the disk of the workspace.', {
      expected: `at most ${Math.max(0, free)} bytes`,
      received: `${bytes} bytes`,
      help: 'Free some space, or upload fewer files.',
    });
  }
}

function requireAnnounced(upload: Upload, position: number): void {
  const replaced = upload.complete.get(position) ?? 0;
  if (upload.completeBytes - replaced + upload.openBytes <= upload.totalBytes) return;
  throw new LabError('limit_exceeded', 'More bytes were sent than the upload announced.', {
    expected: `at most ${upload.totalBytes} bytes`,
    help: 'Choose the files again when nothing writes to them.',
  });
}

function discarded(): LabError {
  return new LabError('cancelled', 'The upload was discarded.', { help: 'Choose the files again.' });
}
