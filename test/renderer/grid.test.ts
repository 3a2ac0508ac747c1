// Where the tiles of the virtual grid are, and the arithmetic of single pictures.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutGrid, moveByKey, positionsInView, scrollTopFor, type GridMeasures } from '../../src/renderer/components/gridLayout.ts';
import { channelStatistics, readPixels, toCanvasBytes, valuesAt } from '../../src/shared/domain/pixels.ts';

const measures = fc.record<GridMeasures>({
  total: fc.integer({ min: 1, max: 2_000_000 }),
  cellWidth: fc.integer({ min: 5, max: 400 }),
  cellHeight: fc.integer({ min: 5, max: 400 }),
  viewWidth: fc.integer({ min: 1, max: 2000 }),
  viewHeight: fc.integer({ min: 1, max: 1500 }),
});

describe('the virtual grid', () => {
  it('shows any position it is asked for, and never more rows than fit', () => {
    fc.assert(
      fc.property(measures, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (measured, wish, share) => {
        const layout = layoutGrid(measured);
        const position = wish % measured.total;
        const lowest = Math.max(0, layout.height - measured.viewHeight);
        const before = share * lowest;
        const after = Math.min(lowest, scrollTopFor(layout, measured, before, position));
        const seen = positionsInView(layout, measured, after);
        expect(seen?.from).toBeLessThanOrEqual(position);
        expect(seen?.to).toBeGreaterThanOrEqual(position);
        const rows = Math.ceil(((seen?.to ?? 0) - (seen?.from ?? 0) + 1) / layout.columns);
        expect(rows).toBeLessThanOrEqual(layout.rowsInView + 2);
        // What is seen already is left where it is.
        expect(Math.abs(scrollTopFor(layout, measured, after, position) - after) * layout.stretch).toBeLessThanOrEqual(measured.cellHeight);
      }),
    );
  });

  it('reaches the first and the last row with the scroll bar, also where it runs faster than the rows', () => {
    const measured = { total: 2_000_000, cellWidth: 392, cellHeight: 392, viewWidth: 800, viewHeight: 600 };
    const layout = layoutGrid(measured);
    expect(layout.columns).toBe(2);
    expect(layout.height).toBe(8_000_000);
    expect(layout.stretch).toBeCloseTo((1_000_000 * 392 - 600) / (8_000_000 - 600), 6);
    expect(positionsInView(layout, measured, 0)?.from).toBe(0);
    expect(positionsInView(layout, measured, layout.height - 600)?.to).toBe(1_999_999);
  });

  it('moves by tile, row, view and to both ends, and stays inside', () => {
    const layout = layoutGrid({ total: 95, cellWidth: 10, cellHeight: 10, viewWidth: 100, viewHeight: 30 });
    const from = (key: string, position: number) => moveByKey(key, position, 95, layout);
    expect(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'].map((key) => from(key, 44))).toEqual([
      43, 45, 34, 54, 14, 74, 0, 94,
    ]);
    expect([from('ArrowUp', 3), from('ArrowDown', 93), from('PageDown', 90), from('Enter', 3)]).toEqual([0, 94, 94, undefined]);
    expect(moveByKey('End', 0, 0, layout)).toBeUndefined();
  });

  it('shows nothing where nothing is', () => {
    const measured = { total: 0, cellWidth: 10, cellHeight: 10, viewWidth: 100, viewHeight: 30 };
    expect(positionsInView(layoutGrid(measured), measured, 0)).toBeUndefined();
  });
});

describe('the pixels of a picture', () => {
  const coloured = readPixels([1, 2, 3], btoa(String.fromCharCode(10, 0, 255, 30, 0, 250)));

  it('are found by row and column', () => {
    expect(valuesAt(coloured, 0, 1)).toEqual([30, 0, 250]);
    expect([valuesAt(coloured, 1, 0), valuesAt(coloured, 0, 2), valuesAt(coloured, -1, 0)]).toEqual([[], [], []]);
  });

  it('have a least, mean and most value per channel', () => {
    expect(channelStatistics(coloured)).toEqual([
      { name: 'red', least: 10, mean: 20, most: 30 },
      { name: 'green', least: 0, mean: 0, most: 0 },
      { name: 'blue', least: 250, mean: 252.5, most: 255 },
    ]);
  });

  it('are drawn opaque, grey ones in all three colours', () => {
    expect([...toCanvasBytes(coloured)]).toEqual([10, 0, 255, 255, 30, 0, 250, 255]);
    const grey = readPixels([1, 2, 1], btoa(String.fromCharCode(7, 200)));
    expect([...toCanvasBytes(grey)]).toEqual([7, 7, 7, 255, 200, 200, 200, 255]);
  });

  it('must fill the shape', () => {
    expect(() => readPixels([2, 2, 1], btoa('abc'))).toThrow('3 bytes do not fill 2 x 2 x 1.');
  });
});
