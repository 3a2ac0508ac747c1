// Where the tiles of a virtual grid are. Pages limit how tall an element can be, so beyond a limit the scroll bar runs faster than the rows.

export interface GridMeasures {
  readonly total: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Of the part that is seen. */
  readonly viewWidth: number;
  readonly viewHeight: number;
}

export interface GridLayout {
  readonly columns: number;
  readonly rows: number;
  /** Of the whole grid as the scroll bar sees it. */
  readonly height: number;
  /** Pixels of the grid per pixel of the scroll bar. */
  readonly stretch: number;
  /** Whole rows that are seen at once, at least one. */
  readonly rowsInView: number;
}

/** Engines round coordinates beyond some 16 million pixels. */
const tallest = 8_000_000;

export function layoutGrid({ total, cellWidth, cellHeight, viewWidth, viewHeight }: GridMeasures): GridLayout {
  const columns = Math.max(1, Math.floor(viewWidth / cellWidth));
  const rows = Math.ceil(total / columns);
  const real = rows * cellHeight;
  const height = Math.min(real, tallest);
  const stretch = height <= viewHeight ? 1 : (real - viewHeight) / (height - viewHeight);
  return { columns, rows, height, stretch, rowsInView: Math.max(1, Math.floor(viewHeight / cellHeight)) };
}

/** First and last position that is seen at a place of the scroll bar; undefined when there is none. */
export function positionsInView(layout: GridLayout, measures: GridMeasures, scrollTop: number): { from: number; to: number } | undefined {
  if (measures.total === 0 || measures.viewHeight <= 0) return undefined;
  const top = scrollTop * layout.stretch;
  const firstRow = Math.min(layout.rows - 1, Math.max(0, Math.floor(top / measures.cellHeight)));
  const lastRow = Math.min(layout.rows - 1, Math.floor((top + measures.viewHeight - 1) / measures.cellHeight));
  return { from: firstRow * layout.columns, to: Math.min(measures.total, (lastRow + 1) * layout.columns) - 1 };
}

/** The place of the scroll bar that shows the position: unchanged when it is seen, else as near as possible, or in the middle from afar. */
export function scrollTopFor(layout: GridLayout, measures: GridMeasures, scrollTop: number, position: number): number {
  const { cellHeight, viewHeight } = measures;
  const top = scrollTop * layout.stretch;
  const start = Math.floor(position / layout.columns) * cellHeight;
  const isAbove = start < top;
  const isBelow = start + cellHeight > top + viewHeight;
  if (!isAbove && !isBelow) return scrollTop;
  const isFar = Math.abs(start - top) > 2 * viewHeight;
  const wanted = isFar ? start - (viewHeight - cellHeight) / 2 : isAbove ? start : start + cellHeight - viewHeight;
  return Math.max(0, wanted) / layout.stretch;
}

/** Where a key leads from a position; undefined for keys that lead nowhere. */
export function moveByKey(key: string, position: number, total: number, layout: GridLayout): number | undefined {
  const page = layout.columns * layout.rowsInView;
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -layout.columns,
    ArrowDown: layout.columns,
    PageUp: -page,
    PageDown: page,
    Home: -total,
    End: total,
  };
  const step = steps[key];
  return step === undefined || total === 0 ? undefined : Math.min(total - 1, Math.max(0, position + step));
}
