// Sheets of augmented pictures between the preview that made them and the page that fetches them; pages keep what they fetched.
import { LabError } from '../../shared/contract/errors.ts';
import { augmentedUrl } from '../../shared/domain/pictures.ts';

export interface SheetShelf {
  /** Answers the address; forgets the oldest sheets beyond the limit, but never this one. */
  keep(sheet: { readonly png: Uint8Array; readonly sha256: string }): string;
  /** Throws `not_found` when it was forgotten. */
  find(sha256: string): Uint8Array;
}

export function createSheetShelf(mostBytes: number): SheetShelf {
  const sheets = new Map<string, Uint8Array>();
  let bytes = 0;
  return {
    keep({ png, sha256 }) {
      if (!sheets.delete(sha256)) bytes += png.length;
      sheets.set(sha256, png);
      for (const [oldest, { length }] of sheets) {
        if (bytes <= mostBytes || oldest === sha256) break;
        sheets.delete(oldest);
        bytes -= length;
      }
      return augmentedUrl(sha256);
    },
    find(sha256) {
      const png = sheets.get(sha256);
      if (png === undefined) throw new LabError('not_found', 'This preview was forgotten.', { help: 'Ask for the preview again.' });
      return png;
    },
  };
}
