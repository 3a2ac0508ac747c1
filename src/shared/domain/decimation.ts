// Which points of long curves are drawn. Curves that share their epochs are thinned together, so that one list of epochs serves all.

export interface Curves {
  /** Number of points; every curve has one value per point. */
  readonly length: number;
  readonly curves: readonly (readonly (number | null)[])[];
}

/**
 * Positions to keep, ascending and at most `maxPoints`: the first, the last and the given ones always, then the lowest and the highest value
 * of each curve in as many equal stretches as there is room for.
 */
export function choosePoints({ length, curves }: Curves, maxPoints: number, always: readonly number[] = []): number[] {
  if (length <= maxPoints) return Array.from({ length }, (_, position) => position);
  const kept = new Set([0, length - 1, ...always].slice(0, maxPoints));
  const stretches = Math.floor((maxPoints - kept.size) / (2 * Math.max(1, curves.length)));
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    const from = Math.floor((stretch * length) / stretches);
    const until = Math.floor(((stretch + 1) * length) / stretches);
    for (const curve of curves) {
      for (const position of findExtremes(curve, from, until)) kept.add(position);
    }
  }
  return [...kept].sort((a, b) => a - b);
}

/** Positions of the lowest and the highest value in [from, until), the first of equal ones; none where all are null. */
export function findExtremes(curve: readonly (number | null)[], from = 0, until = curve.length): number[] {
  let lowest = -1;
  let highest = -1;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let position = from; position < until; position += 1) {
    const value = curve[position] ?? null;
    if (value === null) continue;
    if (lowest === -1 || value < low) {
      lowest = position;
      low = value;
    }
    if (highest === -1 || value > high) {
      highest = position;
      high = value;
    }
  }
  return lowest === -1 ? [] : [lowest, highest];
}
