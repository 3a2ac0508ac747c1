// The look of the report: A4 with plain tables of hairlines, numbers to the right, each entry marked in its colour.
import type { Column, Content, CustomTableLayout, StyleDictionary, TableCell } from 'pdfmake/interfaces.js';
import { colorOf } from '../../shared/domain/palette.ts';

/** A4 in points, less the margins. */
export const contentWidth = 515;
export const ink = { text: '#1f1f23', faint: '#5b5b63', line: '#d4d4d8', strong: '#71717a' } as const;

export const styles: StyleDictionary = {
  title: { fontSize: 19, bold: true, color: ink.text },
  subtitle: { fontSize: 9, color: ink.faint },
  heading: { fontSize: 12, bold: true, color: ink.text },
  table: { fontSize: 8 },
  head: { fontSize: 7.5, color: ink.faint },
  note: { fontSize: 8, color: ink.faint, italics: true },
};

/** Hairlines between rows, a stronger one under the header. */
const plainTable: CustomTableLayout = {
  hLineWidth: (row, node) => (row === 0 ? 0 : row === (node.table.headerRows ?? 0) ? 0.8 : 0.4),
  vLineWidth: () => 0,
  hLineColor: (row, node) => (row === (node.table.headerRows ?? 0) ? ink.strong : ink.line),
  paddingLeft: (column) => (column === 0 ? 0 : 5),
  paddingRight: (column, node) => (column === (node.table.widths?.length ?? 0) - 1 ? 0 : 5),
  paddingTop: () => 2.5,
  paddingBottom: () => 2.5,
};

/** Words that no line can hold are broken anywhere, so that a name never leaves its cell. */
export function text(value: string, style: Partial<{ bold: boolean; color: string; alignment: 'left' | 'right' }> = {}) {
  const parts = value.split(/(\S{19,})/);
  if (parts.length === 1) return { text: value, ...style };
  return { text: parts.map((part, index) => (index % 2 === 0 ? part : { text: part, wordBreak: 'break-all' as const })), ...style };
}

export function number(value: string): TableCell {
  return { text: value, alignment: 'right', noWrap: true };
}

export function head(value: string, alignment: 'left' | 'right' = 'right'): TableCell {
  return { text: value, style: 'head', alignment };
}

/** Goes to the next page unless `room`, in hundredths of a page, is left for it and the beginning of what follows. */
export function heading(value: string, room = 13): Content {
  return { text: value, style: 'heading', margin: [0, 14, 0, 5], headlineLevel: room };
}

export function note(value: string): Content {
  return { ...text(value), style: 'note', margin: [0, 4, 0, 0] };
}

/** The label of an entry behind a square in its colour. */
export function marked(label: string, position: number, isBold = false): Content {
  const square: Column = { width: 10, canvas: [{ type: 'rect', x: 0, y: 1.6, w: 6, h: 6, color: colorOf(position, 'light') }] };
  return { columns: [square, { width: '*', ...text(label, isBold ? { bold: true } : {}) }] };
}

export interface TableInput {
  readonly widths: readonly (number | string)[];
  readonly header: readonly TableCell[];
  readonly rows: readonly (readonly TableCell[])[];
}

/** The header is repeated on every page; rows are never torn apart. */
export function table({ widths, header, rows }: TableInput): Content {
  return {
    style: 'table',
    layout: plainTable,
    table: { headerRows: 1, dontBreakRows: true, widths: [...widths], body: [[...header], ...rows.map((row) => [...row])] },
  };
}

/** Groups of at most `size`, in order. */
export function chunk<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}
