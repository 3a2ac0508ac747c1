// The rows of the layer table in the order they stand: blocks, folded or with their layers, layers, and the freeze line between them.
// Positions count layers from the input; gaps are what lies between rows that are shown.
import type { BlockRow, LayerRow } from './layerRows.ts';

export type LayerEntry =
  | { readonly kind: 'block'; readonly key: string; readonly block: BlockRow; readonly isFolded: boolean; readonly gap: number }
  | { readonly kind: 'layer'; readonly key: string; readonly row: LayerRow; readonly index: number; readonly gap: number }
  | { readonly kind: 'line'; readonly key: string };

export interface LayerListing {
  readonly entries: readonly LayerEntry[];
  /** The position of each gap: above the first row, then below every row. */
  readonly gaps: readonly number[];
}

/** `gap` of an entry is the one above it. The line is one entry, so that it stays the same element while it moves. */
export function listEntries(
  rows: readonly LayerRow[],
  blocks: readonly BlockRow[],
  unfolded: ReadonlySet<string>,
  line: number | null,
): LayerListing {
  const entries: LayerEntry[] = [];
  const gaps = [0];
  const seen = new Set<string>();
  let isLineDue = line !== null;
  const place = (start: number): void => {
    if (!isLineDue || line === null || start < line) return;
    entries.push({ kind: 'line', key: ':line' });
    isLineDue = false;
  };
  const addLayer = (index: number): void => {
    const row = rows[index];
    if (row === undefined) return;
    place(index);
    const key = seen.has(row.name) ? `${row.name}:${index}` : row.name;
    seen.add(row.name);
    entries.push({ kind: 'layer', key, row, index, gap: gaps.length - 1 });
    gaps.push(index + 1);
  };
  for (const block of blocks) {
    const isFolded = !unfolded.has(block.name);
    place(block.start);
    entries.push({ kind: 'block', key: `:${block.name}`, block, isFolded, gap: gaps.length - 1 });
    gaps.push(isFolded ? block.end : block.start);
    if (!isFolded) for (let index = block.start; index < block.end; index += 1) addLayer(index);
  }
  for (let index = blocks.at(-1)?.end ?? 0; index < rows.length; index += 1) addLayer(index);
  place(Infinity);
  return { entries, gaps };
}

/** Where the line goes from `position` by a key: to the next gap that is shown, by blocks, or to an end; null for another key. */
export function stepLine(
  key: string,
  position: number,
  gaps: readonly number[],
  blocks: readonly Pick<BlockRow, 'start' | 'end'>[],
): number | null {
  const last = gaps.at(-1) ?? 0;
  const ends = [...blocks.flatMap(({ start, end }) => [start, end]), last];
  switch (key) {
    case 'ArrowUp':
      return gaps.findLast((gap) => gap < position) ?? position;
    case 'ArrowDown':
      return gaps.find((gap) => gap > position) ?? position;
    case 'PageUp':
      return ends.findLast((end) => end < position) ?? 0;
    case 'PageDown':
      return ends.find((end) => end > position) ?? position;
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return null;
  }
}

/** Where the line stands, where that is not plain from the rows around it. */
export function placeLine(position: number, rows: readonly LayerRow[], blocks: readonly BlockRow[], unfolded: ReadonlySet<string>): string {
  const block = blocks.find(({ start, end }) => start < position && position <= end);
  if (block === undefined) return '';
  if (block.end === position) return `after ${block.name}`;
  return unfolded.has(block.name) ? `in ${block.name}` : `in ${block.name}, after ${rows[position - 1]?.name ?? ''}`;
}
