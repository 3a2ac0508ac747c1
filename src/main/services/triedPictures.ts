// Own pictures on their way to the trainer and back: chosen files or folders become a list of files, predictions become an answer that
// fits into one message.
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { TriedPicture } from '../../shared/contract/methods/results.ts';
import type { PredictedReport } from '../../shared/contract/worker.ts';

const mostPictures = 50;
/** Base64 of more would not fit into one message. */
const mostShownBytes = 600_000;

/** Files as they are, folders as the files directly in them by name; throws `limit_exceeded` for too many and `bad_input` for none. */
export function listPictures(paths: readonly string[]): string[] {
  const files = paths.flatMap((path) => (isFolder(path) ? listFiles(path) : [path]));
  if (files.length === 0) {
    throw new LabError('bad_input', 'There is no file in what was chosen.', { help: 'Choose pictures, or a folder with pictures.' });
  }
  if (files.length <= mostPictures) return files;
  throw new LabError('limit_exceeded', 'Too many pictures were chosen at once.', {
    expected: `at most ${mostPictures}`,
    received: String(files.length),
    help: 'Choose fewer pictures.',
  });
}

/** In the order of the files; what does not fit into the answer is left out of it, but never a prediction. */
export function describePictures({ shape, pictures }: PredictedReport, files: readonly string[]): TriedPicture[] {
  let room = mostShownBytes;
  return pictures.map((picture, index) => {
    const name = basename(files[index] ?? '');
    if ('problem' in picture) return { name, probabilities: null, problem: picture.problem, input: null };
    room -= picture.pixels.length;
    const input = room < 0 ? null : { shape, pixels: Buffer.from(picture.pixels).toString('base64') };
    return { name, probabilities: picture.probabilities, problem: null, input };
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => join(folder, name));
}
