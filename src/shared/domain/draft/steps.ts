/** How an arrow key changes a number: by a fixed amount, or along 1, 2, 5, 10 for quantities that span decades. */
export type NumberStep = number | 'decade';

/** The next value up or down, without the noise of binary fractions; a step never leaves the bounds. */
export function stepNumber(value: number, direction: 1 | -1, step: NumberStep, least: number, most: number): number {
  const next = step === 'decade' ? stepDecade(value, direction) : Math.round((value + direction * step) / step) * step;
  return Math.min(most, Math.max(least, Number(next.toPrecision(12))));
}

function stepDecade(value: number, direction: 1 | -1): number {
  if (value <= 0) return direction === 1 ? 1e-7 : 0;
  const power = Math.floor(Math.log10(value) + 1e-9);
  const candidates = [power - 1, power, power + 1].flatMap((one) => [1, 2, 5].map((digit) => Number(`${digit}e${one}`)));
  const margin = value * 1e-9;
  if (direction === 1) return candidates.find((one) => one > value + margin) ?? value;
  return candidates.findLast((one) => one < value - margin) ?? value;
}
