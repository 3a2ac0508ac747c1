// Names of files that a page uploads, as paths inside a folder of ours. What would leave the folder is refused; what some file system
// cannot hold is replaced; names that some file system takes for one another are told apart by a number.
import { LabError } from '../../shared/contract/errors.ts';

const mostDepth = 16;
const mostSegmentBytes = 200;
/** Of all names of one upload. */
const mostCharacters = 32 * 2 ** 20;

export interface UploadNames {
  /** The path below the upload's folder, with '/' between its parts; throws `bad_input`, or `limit_exceeded` when all are too long. */
  place(name: string): string;
}

export function createUploadNames(): UploadNames {
  /** Path of a folder as named -> as placed. */
  const folders = new Map<string, string>();
  const taken = new Set<string>();
  const nextNumber = new Map<string, number>();
  let characters = 0;

  const claim = (parent: string, segment: string): string => {
    const dot = segment.lastIndexOf('.');
    const [stem, extension] = dot > 0 ? [segment.slice(0, dot), segment.slice(dot)] : [segment, ''];
    const base = fold(`${parent}${segment}`);
    for (let number = nextNumber.get(base) ?? 1; ; number += 1) {
      const path = parent + (number === 1 ? segment : `${stem} (${number})${extension}`);
      if (taken.has(fold(path))) continue;
      taken.add(fold(path));
      nextNumber.set(base, number + 1);
      return path;
    }
  };

  return {
    place(name) {
      characters += name.length;
      if (characters > mostCharacters) {
        throw new LabError('limit_exceeded', 'The names of the uploaded files are too long together.', { help: 'Upload fewer files.' });
      }
      const segments = split(name);
      const file = segments.pop() ?? '';
      let original = '';
      let parent = '';
      for (const segment of segments) {
        original += `${segment}/`;
        const path = folders.get(original) ?? `${claim(parent, clean(segment))}/`;
        folders.set(original, path);
        parent = path;
      }
      return claim(parent, clean(file));
    },
  };
}

function split(name: string): string[] {
  const segments = name.split('/');
  const isBad = (segment: string): boolean => segment === '' || segment === '.' || segment === '..';
  if (name.includes('\0') || segments.length > mostDepth || segments.some(isBad)) {
    throw new LabError('bad_input', `${JSON.stringify(name)} is not the name of a file to upload.`, {
      expected: `a relative path of at most ${mostDepth} parts, without ".."`,
      help: 'Choose the files again.',
    });
  }
  return segments;
}

/** Lone surrogates, control characters and what Windows reserves become '_'; longer names are refused, not cut. */
function clean(segment: string): string {
  const cleaned = segment
    .toWellFormed()
    .replaceAll(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*\\]/g, '_')
    .replace(/[. ]+$/, (end) => '_'.repeat(end.length))
    .replace(/^(con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|$)/i, '_$1');
  if (Buffer.byteLength(cleaned) <= mostSegmentBytes) return cleaned;
  throw new LabError('bad_input', `The name ${JSON.stringify(segment.slice(0, 40))}... is too long to be uploaded.`, {
    expected: `at most ${mostSegmentBytes} bytes`,
    received: `${Buffer.byteLength(cleaned)} bytes`,
    help: 'Rename it and choose the files again.',
  });
}

/** Equal for names that a file system without case, or with composed letters, takes for one. */
function fold(path: string): string {
  return path.normalize('NFC').toUpperCase().normalize('NFC');
}
