// What the fonts of the report can show. A PDF has no fallback font: a character without a glyph becomes an empty box that nobody notices,
// so texts are checked against the fonts' own character maps before they are laid out.
import { LabError } from '../../shared/contract/errors.ts';

/** The code points a font has a glyph for. */
export type Coverage = (codePoint: number) => boolean;

/** Reads the `cmap` table of a TrueType file (OpenType specification, formats 4 and 12). */
export function readCoverage(font: Uint8Array): Coverage {
  const view = new DataView(font.buffer, font.byteOffset, font.byteLength);
  const start = findTable(view, 'cmap');
  const covered = new Set<number>();
  for (let index = 0; index < view.getUint16(start + 2); index += 1) {
    const subtable = start + view.getUint32(start + 4 + index * 8 + 4);
    const format = view.getUint16(subtable);
    if (format === 4) addSegments(view, subtable, covered);
    if (format === 12) addGroups(view, subtable, covered);
  }
  if (covered.size === 0) throw new LabError('internal', 'A font of the report has no character map that can be read.');
  return (codePoint) => covered.has(codePoint);
}

/**
 * The text with every character that has no glyph written as its Unicode number, such as [U+6F22]; control and format characters, which
 * reorder or hide what follows, become spaces.
 */
export function makePrintable(text: string, coverage: Coverage): string {
  return Array.from(text.normalize('NFC'), (character) => {
    const codePoint = character.codePointAt(0) ?? 0;
    if (character === '\n') return character;
    if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(character)) return ' ';
    return coverage(codePoint) ? character : `[U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}]`;
  }).join('');
}

/** Every text inside the value made printable; keys are left alone. */
export function makeAllPrintable<Value>(value: Value, coverage: Coverage): Value {
  const visit = (inner: unknown): unknown => {
    if (typeof inner === 'string') return makePrintable(inner, coverage);
    if (Array.isArray(inner)) return inner.map(visit);
    if (typeof inner === 'object' && inner !== null) {
      return Object.fromEntries(Object.entries(inner).map(([key, part]) => [key, visit(part)]));
    }
    return inner;
  };
  return visit(value) as Value;
}

/** Throws `internal` when a text that is about to be laid out has a character that no font can show. */
export function requireGlyphs(texts: Iterable<string>, coverage: Coverage): void {
  for (const text of texts) {
    const missing = Array.from(text).find((character) => character !== '\n' && !coverage(character.codePointAt(0) ?? 0));
    if (missing === undefined) continue;
    throw new LabError('internal', 'The report holds a character that its fonts cannot show.', {
      expected: 'characters of the report fonts',
      received: `U+${(missing.codePointAt(0) ?? 0).toString(16).toUpperCase()} in ${JSON.stringify(text.slice(0, 80))}`,
      help: 'Rename the run or class, or export CSV only.',
    });
  }
}

function findTable(view: DataView, wanted: string): number {
  const count = view.getUint16(4);
  for (let index = 0; index < count; index += 1) {
    const record = 12 + index * 16;
    const tag = String.fromCharCode(...[0, 1, 2, 3].map((offset) => view.getUint8(record + offset)));
    if (tag === wanted) return view.getUint32(record + 8);
  }
  throw new LabError('internal', `A font of the report has no table ${wanted}.`);
}

/** Format 4: segments of 16-bit code points; glyph 0 means that there is none. */
function addSegments(view: DataView, table: number, covered: Set<number>): void {
  const doubled = view.getUint16(table + 6);
  const ends = table + 14;
  const starts = ends + doubled + 2;
  const deltas = starts + doubled;
  const offsets = deltas + doubled;
  for (let at = 0; at < doubled; at += 2) {
    const first = view.getUint16(starts + at);
    const last = view.getUint16(ends + at);
    const delta = view.getUint16(deltas + at);
    const offset = view.getUint16(offsets + at);
    for (let code = first; code <= last && code < 0xffff; code += 1) {
      const stored = offset === 0 ? code : view.getUint16(offsets + at + offset + (code - first) * 2);
      const isEmpty = offset !== 0 && stored === 0;
      if (!isEmpty && ((stored + delta) & 0xffff) !== 0) covered.add(code);
    }
  }
}

/** Format 12: groups of any code points. */
function addGroups(view: DataView, table: number, covered: Set<number>): void {
  const count = view.getUint32(table + 12);
  for (let index = 0; index < count; index += 1) {
    const group = table + 16 + index * 12;
    const glyph = view.getUint32(group + 8);
    const first = view.getUint32(group);
    const last = view.getUint32(group + 4);
    for (let code = first; code <= last; code += 1) if (glyph + (code - first) !== 0) covered.add(code);
  }
}
