import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { TFontDictionary } from 'pdfmake/interfaces.js';
import { readCoverage, type Coverage } from './glyphs.ts';

export interface ReportFonts {
  readonly dictionary: TFontDictionary;
  /** True when every face of the report has the character. */
  readonly coverage: Coverage;
  /** Absolute paths, the only files that laying out may read. */
  readonly files: readonly string[];
}

/** Roboto (SIL Open Font License), as it comes with pdfmake: Latin, Greek and Cyrillic. */
export function openFonts(): ReportFonts {
  const { resolve } = createRequire(import.meta.url);
  const [normal, bold, italics] = ['Regular', 'Medium', 'Italic'].map((face) => resolve(`pdfmake/fonts/Roboto/Roboto-${face}.ttf`));
  const files = [normal, bold, italics].filter((file) => file !== undefined);
  const coverages = files.map((file) => readCoverage(readFileSync(file)));
  return {
    dictionary: { Roboto: { normal: normal ?? '', bold: bold ?? '', italics: italics ?? '' } },
    coverage: (codePoint) => coverages.every((covers) => covers(codePoint)),
    files,
  };
}
