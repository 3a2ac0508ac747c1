// Sends files of a page to the core: announces them, names them, and puts them one after another, a few at a time.
import { fromWire, LabError, wireErrorSchema } from '../../shared/contract/errors.ts';
import type { LabConnection } from '../connection.ts';

export interface SentFile {
  /** With its folders, such as `cats/12.png`. */
  readonly path: string;
  readonly file: Blob;
}

export interface SendProgress {
  readonly files: number;
  readonly bytes: number;
}

/** Sends the bytes to the address; `onBytes` is told how many of them have left so far. */
export type PutFile = (address: string, file: Blob, signal: AbortSignal, onBytes: (sent: number) => void) => Promise<void>;

export interface SendOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SendProgress) => void;
  readonly put?: PutFile;
}

const lanes = 4;
const namesAtOnce = 500;

export interface SentUpload {
  readonly uploadId: string;
  /** Stands for all files together. */
  readonly token: string;
}

/** When it fails or is aborted nothing of the files is kept. */
export async function sendFiles(connection: LabConnection, files: readonly SentFile[], options: SendOptions): Promise<SentUpload> {
  const { signal } = options;
  const totalBytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const { uploadId, token } = await connection.call('uploads.open', { fileCount: files.length, totalBytes }, { signal });
  try {
    for (let from = 0; from < files.length; from += namesAtOnce) {
      const names = files.slice(from, from + namesAtOnce).map(({ path }) => path);
      await connection.call('uploads.name', { uploadId, from, names }, { signal });
    }
    await putAll(uploadId, files, options);
    return { uploadId, token };
  } catch (error) {
    await connection.call('uploads.discard', { uploadId }).catch(() => undefined);
    throw error;
  }
}

async function putAll(uploadId: string, files: readonly SentFile[], { signal, onProgress, put = putOverHttp }: SendOptions): Promise<void> {
  let next = 0;
  let done = 0;
  let doneBytes = 0;
  const open = new Map<number, number>();
  const tell = (): void => onProgress({ files: done, bytes: doneBytes + [...open.values()].reduce((sum, bytes) => sum + bytes, 0) });
  // One failure ends the other lanes too.
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const lane = async (): Promise<void> => {
    for (let position = next++; position < files.length; position = next++) {
      either.throwIfAborted();
      const file = files[position]?.file ?? new Blob();
      const at = position;
      await put(`/upload/${uploadId}/${at}`, file, either, (sent) => {
        open.set(at, Math.min(sent, file.size));
        tell();
      });
      open.delete(at);
      done += 1;
      doneBytes += file.size;
      tell();
    }
  };
  try {
    await Promise.all(Array.from({ length: lanes }, lane));
  } catch (error) {
    failed.abort(new LabError('cancelled', 'The upload was cancelled.'));
    throw error;
  }
}

/** XMLHttpRequest, because only it says how much of a body has left. */
const putOverHttp: PutFile = (address, file, signal, onBytes) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const onAbort = (): void => request.abort();
    const settle = (finish: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      finish();
    };
    request.open('PUT', address);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.addEventListener('progress', ({ loaded }) => onBytes(loaded));
    request.addEventListener('load', () =>
      settle(() => {
        if (request.status === 204 || request.status === 200) resolve();
        else reject(readProblem(request.responseText));
      }),
    );
    request.addEventListener('error', () => settle(() => reject(unsent())));
    request.addEventListener('abort', () => settle(() => reject(new LabError('cancelled', 'The upload was cancelled.'))));
    signal.addEventListener('abort', onAbort, { once: true });
    request.send(file);
  });

function readProblem(text: string): LabError {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    return fromWire(wireErrorSchema.parse(error));
  } catch {
    return unsent();
  }
}

function unsent(): LabError {
  return new LabError('connection_lost', 'A file could not be sent to the lab, or could not be read.', {
    help: 'Check that the files have not changed since they were chosen, and import them again.',
  });
}
