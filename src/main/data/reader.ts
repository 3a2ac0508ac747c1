// What every reader gives to the importer. One file per format implements it: idx.ts, cifar.ts, folders.ts, csvManifest.ts.
import { LabError } from '../../shared/contract/errors.ts';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import type { PictureBlock, PictureShape, SourceFile } from './storeWriter.ts';

export interface Rejection {
  readonly file: string;
  readonly reason: string;
}

export interface DatasetSource {
  readonly kind: DatasetManifest['kind'];
  readonly classes: readonly string[];
  readonly shape: PictureShape;
  readonly origin: string;
  readonly licence: string | null;
  /** Pictures expected, for progress; rejected ones count as done. */
  readonly total: number;
  /** Decoded pictures, train before test; may be read once. */
  blocks(): AsyncIterable<PictureBlock> | Iterable<PictureBlock>;
  /** Files read and their SHA-256, complete after the last block. */
  sources(): readonly SourceFile[];
  /** Files left out and why, complete after the last block. */
  rejected(): readonly Rejection[];
}

/** Throws when two class names are equal to a reader: after NFC, trimming and case folding. `place` names file or folder. */
export function checkClassNames(classes: readonly string[], place: string): void {
  const seen = new Map<string, string>();
  for (const name of classes) {
    const key = name.normalize('NFC').trim().toLowerCase();
    const other = seen.get(key);
    if (key === '' || other !== undefined) {
      throw new LabError(
        'bad_input',
        key === '' ? `${place} has a class without a name.` : `${place} has two class names that look equal.`,
        {
          expected: 'class names that differ in more than case, spaces around them and Unicode form',
          received: other === undefined ? JSON.stringify(name) : `${JSON.stringify(other)} and ${JSON.stringify(name)}`,
          help: 'Rename one of them or join the two classes.',
        },
      );
    }
    seen.set(key, name);
  }
}
