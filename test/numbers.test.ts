import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLearningRate,
  formatLoss,
  formatPercent,
  formatPercentDifference,
} from '../src/shared/domain/numbers.ts';

describe('numbers for people', () => {
  test.each([
    [formatCount(600165), '600,165'],
    [formatPercent(0.9123), '91.23 %'],
    [formatPercent(1), '100.00 %'],
    [formatLoss(0.25), '0.2500'],
    [formatDuration(0.012), '12 ms'],
    [formatDuration(43.49), '43.5 s'],
    [formatDuration(59.96), '1 min 0 s'],
    [formatDuration(151.04), '2 min 31 s'],
    [formatDuration(3 * 3600 + 62), '3 h 1 min'],
    [formatBytes(1023), '1023 B'],
    [formatBytes(1536), '1.5 kB'],
    [formatBytes(30 * 1024 * 1024), '30 MB'],
    [formatLearningRate(0.001), '0.001'],
    [formatLearningRate(1e-7), '1e-7'],
    [formatLearningRate(0.1 + 0.2), '0.3'],
    [formatPercentDifference(0.012), '+1.20 points'],
    [formatPercentDifference(-0.012), '−1.20 points'],
    [formatPercentDifference(-0.00001), '±0.00 points'],
  ])('%s', (written, expected) => expect(written).toBe(expected));

  test('what is not known, or is no number, is a dash', () => {
    const writers = [formatCount, formatPercent, formatLoss, formatDuration, formatBytes, formatLearningRate, formatPercentDifference];
    for (const write of writers)
      for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) expect(write(value)).toBe('-');
  });

  test('a duration in minutes never says 60 seconds and is within half a second', () => {
    const seconds = fc.double({ min: 59.95, max: 3599, noNaN: true });
    fc.assert(
      fc.property(seconds, (value) => {
        const [, minutes = '', rest = ''] = /^(\d+) min (\d+) s$/.exec(formatDuration(value)) ?? [];
        expect(Number(rest)).toBeLessThan(60);
        expect(Math.abs(Number(minutes) * 60 + Number(rest) - value)).toBeLessThanOrEqual(0.5);
      }),
    );
  });
});
