// Tried pictures as the lab has them: sent when they are needed first, sent again when the lab forgot them, and discarded when they are
// replaced, even while they are on their way.
import { LabError } from '../../shared/contract/errors.ts';
import type { LabConnection } from '../connection.ts';
import { sendFiles, type PutFile, type SentUpload } from './uploads.ts';

export interface NamedFile {
  readonly name: string;
  readonly file: Blob;
}

export interface TrialUploadOptions {
  readonly signal: AbortSignal;
  readonly put?: PutFile;
}

export interface TrialUpload {
  /** Hands the token of the pictures to the work; the lab lists them in the order they are given here. */
  use<Outcome>(pictures: readonly NamedFile[], work: (token: string) => Promise<Outcome>, options: TrialUploadOptions): Promise<Outcome>;
  discard(): void;
}

export function createTrialUpload(connection: LabConnection): TrialUpload {
  let sent: SentUpload | null = null;
  let generation = 0;
  const drop = (uploadId: string): void => void connection.call('uploads.discard', { uploadId }).catch(() => undefined);

  const send = async (pictures: readonly NamedFile[], { signal, put }: TrialUploadOptions): Promise<SentUpload> => {
    if (sent !== null) return sent;
    const mine = generation;
    const files = pictures.map(({ name, file }, index) => ({ path: nameInUpload(index, name), file }));
    const options = { signal, onProgress: () => undefined, ...(put === undefined ? {} : { put }) };
    const arrived = await sendFiles(connection, files, options);
    if (mine === generation && !signal.aborted) sent = arrived;
    else drop(arrived.uploadId);
    signal.throwIfAborted();
    return arrived;
  };
  return {
    use: async (pictures, work, options) => {
      const isFresh = sent === null;
      const { token } = await send(pictures, options);
      try {
        return await work(token);
      } catch (problem) {
        // What was sent earlier may be gone, as after a restart of the lab: the files are still here.
        if (isFresh || options.signal.aborted || !(problem instanceof LabError && problem.code === 'not_found')) throw problem;
        sent = null;
        return work((await send(pictures, options)).token);
      }
    },
    discard: () => {
      generation += 1;
      if (sent !== null) drop(sent.uploadId);
      sent = null;
    },
  };
}

/** The lab lists files by name, numbers compared as numbers; only the ending is kept. */
function nameInUpload(index: number, name: string): string {
  const ending = /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0] ?? '';
  return `${index + 1}${ending}`;
}
