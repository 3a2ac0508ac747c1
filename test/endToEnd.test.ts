import { expect, test } from 'vitest';
import { readReport } from '../scripts/endToEnd.ts';

const spec = (title: string, status: string, annotations: readonly object[] = []) => ({ title, tests: [{ status, annotations }] });
const stats = { expected: 5, unexpected: 2, flaky: 1, skipped: 3 };

test('a test that does not run is named with its reason, in whatever suite it stands', () => {
  const window = spec('the desktop window', 'skipped', [
    { type: 'issue', description: 'https://example.org' },
    { type: 'skip', description: 'there is no display' },
  ]);
  const suites = [
    { specs: [spec('a walk', 'expected')], suites: [{ specs: [spec('deep', 'skipped'), spec('deep too', 'unexpected')], suites: [] }] },
    { specs: [window] },
  ];
  const { count, skipped } = readReport(JSON.stringify({ suites, stats, config: { workers: 2 } }));
  expect(skipped).toEqual(['deep: no reason was given', 'the desktop window: there is no display']);
  expect(count).toEqual({ passed: 5, failed: 3, skipped: 3 });
});

test('a report of another shape is refused', () => {
  expect(() => readReport(JSON.stringify({ stats }))).toThrow(/suites/);
});
