// Rows of the run history for spreadsheets and other programs.
import type { RunRow } from '../../../shared/contract/methods/runs.ts';
import type { RawValue, RunColumn } from './columns.ts';

/** RFC 4180 with CRLF and a byte order mark, numbers in full; the first line names the columns. */
export function formatRunsCsv(columns: readonly RunColumn[], rows: readonly RunRow[]): string {
  const lines = [columnNames(columns), ...rows.map((row) => valuesOf(columns, row))];
  return `\uFEFF${lines.map((cells) => cells.map(quote).join(',')).join('\r\n')}\r\n`;
}

/** For the clipboard: a spreadsheet pastes it as cells. */
export function formatRunsTsv(columns: readonly RunColumn[], rows: readonly RunRow[]): string {
  const lines = [columnNames(columns), ...rows.map((row) => valuesOf(columns, row))];
  return lines.map((cells) => cells.map((cell) => toText(cell).replaceAll(/[\t\r\n]+/g, ' ')).join('\t')).join('\n');
}

function columnNames(columns: readonly RunColumn[]): readonly string[] {
  return ['runId', ...columns.map(({ id }) => id)];
}

function valuesOf(columns: readonly RunColumn[], row: RunRow): readonly RawValue[] {
  return [row.runId, ...columns.map((column) => column.read(row))];
}

/** Texts that a spreadsheet would run as a formula get an apostrophe before them. */
function toText(value: RawValue): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  return /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/.test(value) ? `'${value}` : value;
}

function quote(value: RawValue): string {
  const text = toText(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
