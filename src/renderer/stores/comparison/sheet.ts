// A comparison for spreadsheets and other programs.
type Cell = string | number | null;

/** RFC 4180 with CRLF and a byte order mark. */
export function formatCsv(lines: readonly (readonly Cell[])[]): string {
  return `\uFEFF${lines.map((cells) => cells.map(quote).join(',')).join('\r\n')}\r\n`;
}

/** For the clipboard: a spreadsheet pastes it as cells. */
export function formatTsv(lines: readonly (readonly Cell[])[]): string {
  return lines.map((cells) => cells.map((cell) => toText(cell).replaceAll(/[\t\r\n]+/g, ' ')).join('\t')).join('\n');
}

/** Texts that a spreadsheet would run as a formula get an apostrophe before them. */
function toText(cell: Cell): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell);
  return /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/.test(cell) ? `'${cell}` : cell;
}

function quote(cell: Cell): string {
  const text = toText(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
