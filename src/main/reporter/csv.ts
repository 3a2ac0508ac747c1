// CSV as programs and spreadsheets both read it: RFC 4180 with CRLF, UTF-8 with a byte order mark (spreadsheets guess wrong without it),
// numbers in their shortest form that loses nothing, and an apostrophe before texts that a spreadsheet would run as a formula.
import { stringify, type Options, type Stringifier } from 'csv-stringify';
import { stringify as stringifyNow } from 'csv-stringify/sync';

export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

/** The whole table as text; the first row names the columns. */
export function formatCsv(columns: readonly string[], rows: readonly Row[]): string {
  return stringifyNow([...rows], optionsFor(columns));
}

/** For tables that are too long for one text: write rows, read text. */
export function openCsv(columns: readonly string[]): Stringifier {
  return stringify(optionsFor(columns));
}

function optionsFor(columns: readonly string[]): Options {
  return {
    header: true,
    columns: [...columns],
    bom: true,
    record_delimiter: 'windows',
    escape_formulas: true,
    cast: { boolean: (value) => (value ? 'true' : 'false') },
  };
}
