// The arithmetic and the texts of the benchmark. Nothing here measures time.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge, type Claim } from '../bench/claims.ts';
import { formatTable, renderReport, type BenchResult } from '../bench/report.ts';
import { rows, type Row } from '../bench/rows.ts';
import type { Run } from '../bench/side.ts';
import { compare, geometricMean, median, summarize } from '../bench/statistics.ts';
import { summarizeRow, type RowResult } from '../bench/summary.ts';

const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
const positives = fc.array(positive, { minLength: 1, maxLength: 9 });

describe('statistics', () => {
  test('the median is the middle value, of an even number the mean of the middle two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 2, 4, 8])).toBe(6);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
    expect(median([10, 9])).toBe(9.5);
  });

  test('the median does not depend on the order and has as many values above it as below', () => {
    fc.assert(
      fc.property(positives, (values) => {
        const middle = median(values);
        expect(median(values.toReversed())).toBe(middle);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  test('the geometric mean of a ratio and its inverse is 1', () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    fc.assert(
      fc.property(positive, (ratio) => {
        expect(geometricMean([ratio, 1 / ratio])).toBeCloseTo(1, 9);
      }),
    );
  });

  test('a summary holds n, spread, mean and the sample deviation', () => {
    expect(summarize([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({
      n: 8,
      median: 4.5,
      minimum: 2,
      maximum: 9,
      mean: 5,
      deviation: Math.sqrt(32 / 7),
    });
    expect(summarize([3])).toEqual({ n: 1, median: 3, minimum: 3, maximum: 3, mean: 3, deviation: 0 });
    expect(summarize([]).minimum).toBeNaN();
  });

  test('a ratio above 1 means that the peer took longer; its spread is that of neighbouring runs', () => {
    expect(compare([20, 30, 40], [10, 10, 20])).toEqual({ ratio: 3, minimum: 2, maximum: 3 });
    fc.assert(
      fc.property(positives, positive, (ours, factor) => {
        const { ratio } = compare(
          ours.map((value) => value * factor),
          ours,
        );
        expect(ratio / factor).toBeCloseTo(1, 9);
      }),
    );
  });
});

function run(seconds: number, change: Partial<Run> = {}): Run {
  return {
    seconds,
    cpuSeconds: seconds,
    processCpuSeconds: seconds,
    steps: 100,
    warmupLoss: 2,
    loss: 1,
    firstStepSeconds: 3,
    peakBytes: 500e6,
    features: null,
    jitCompile: null,
    versions: {},
    foreignShare: 0.02,
    ...change,
  };
}

function rowNamed(name: string): Row {
  const row = rows.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`no row ${name}`);
  return row;
}

/** Ours takes 1 s; Keras `phase` seconds with jit auto, a tenth more without, and three times that for everything trained. */
function rowResult(row: Row, phase: number, change: Partial<RowResult> = {}): RowResult {
  const peer = (seconds: number): Run[] => [run(seconds, { warmupLoss: 2.5, loss: 1.25, peakBytes: 1200e6 })];
  return {
    row,
    hasDropout: false,
    ours: [run(1)],
    keras: [
      { variant: { jit: 'auto', scope: 'phase' }, runs: peer(phase) },
      { variant: { jit: 'false', scope: 'phase' }, runs: peer(phase * 1.1) },
      ...(row.kind === 'frozen' ? [{ variant: { jit: 'false' as const, scope: 'full' as const }, runs: peer(phase * 3) }] : []),
    ],
    kerasPeakBytes: 1000e6,
    ...change,
  };
}

describe('summary of a row', () => {
  const row = rowNamed('test-7 float32');

  test('the better Keras is the peer, in milliseconds per step', () => {
    const fasterWithout: RowResult['keras'] = [
      { variant: { jit: 'auto', scope: 'phase' }, runs: [run(3), run(1), run(3)] },
      { variant: { jit: 'false', scope: 'phase' }, runs: [run(2), run(2), run(2)] },
      { variant: { jit: 'true', scope: 'phase' }, runs: [run(0.1)] },
    ];
    const summary = summarizeRow(rowResult(row, 2, { ours: [run(1), run(0.5), run(1)], keras: fasterWithout }));
    expect(summary.phase.jit).toBe('false');
    expect(summary.ours.median).toBe(10);
    expect(summary.phase.keras.median).toBe(20);
    expect(summary.phase.speed).toEqual({ ratio: 2, minimum: 2, maximum: 4 });
    expect(summary.full).toBeNull();
  });

  test('losses are compared unless dropout draws differ', () => {
    expect(summarizeRow(rowResult(row, 2)).lossDifference).toEqual({ warmup: -0.5, timed: -0.25 });
    expect(summarizeRow(rowResult(row, 2, { hasDropout: true })).lossDifference).toBeNull();
  });

  test('the largest share that other programs took is kept', () => {
    expect(summarizeRow(rowResult(row, 2, { ours: [run(1, { foreignShare: 0.4 })] })).foreignShare).toBe(0.4);
  });

  test('a frozen phase is compared with a full epoch too', () => {
    const summary = summarizeRow(rowResult(rowNamed('transfer-5to9 tuned float32'), 4));
    expect(summary.phase.speed.ratio).toBeCloseTo(4);
    expect(summary.full?.speed.ratio).toBeCloseTo(12);
  });
});

function verdicts(results: readonly RowResult[], features: readonly string[] = ['avx512_bf16'], augmentationRatio: number | null = null) {
  const claims = judge({ summaries: results.map(summarizeRow), augmentationRatio, features });
  return (part: string): Claim['verdict'] | undefined => claims.find(({ claim }) => claim.includes(part))?.verdict;
}

describe('required figures', () => {
  const ofPrecision = (precision: Row['precision'], ratios: readonly number[]): RowResult[] =>
    rows
      .filter((row) => row.kind === 'training' && row.precision === precision)
      .map((row, index) => rowResult(row, ratios[index] ?? Number.NaN));

  test('float32 needs the geometric mean and every template', () => {
    const good = verdicts(ofPrecision('float32', [1.2, 1.2, 1.2, 1.2, 1.2, 1.2]));
    expect([good('float32 training against Keras, geometric'), good('float32 training against Keras, lowest')]).toEqual(['met', 'met']);
    const uneven = verdicts(ofPrecision('float32', [2, 2, 2, 2, 2, 0.99]));
    expect([uneven('Keras, geometric'), uneven('Keras, lowest')]).toEqual(['met', 'not met']);
    expect(verdicts(ofPrecision('float32', [1.14, 1.14, 1.14, 1.14, 1.14, 1.14]))('Keras, geometric')).toBe('not met');
  });

  test('a mean over some of the templates is not called met', () => {
    const some = verdicts(ofPrecision('float32', [2, 2, 2, 2, 2, 2]).slice(1));
    expect([some('Keras, geometric'), some('Keras, lowest')]).toEqual(['not measured', 'not measured']);
  });

  test('bfloat16 is required only where the processor computes in it', () => {
    const results = ofPrecision('mixed_bfloat16', [1.3, 1.3, 1.3, 1.2]);
    expect(verdicts(results)('mixed_bfloat16, geometric')).toBe('met');
    expect(verdicts(results)('mixed_bfloat16, lowest')).toBe('not met');
    expect(verdicts(results, ['amx_bf16'])('mixed_bfloat16, geometric')).toBe('met');
    expect(verdicts(results, ['avx2'])('bfloat16 training')).toBe('not measured');
  });

  test('the frozen phase needs 3x of the frozen and 6x of the full epoch', () => {
    const row = rowNamed('transfer-5to9 tuned float32');
    const [good, poor] = [verdicts([rowResult(row, 3.1)]), verdicts([rowResult(row, 1.9)])];
    expect([
      good("tuned float32, cached features, against Keras's frozen"),
      good("tuned float32, cached features, against Keras's full"),
    ]).toEqual(['met', 'met']);
    expect([
      poor("tuned float32, cached features, against Keras's frozen"),
      poor("tuned float32, cached features, against Keras's full"),
    ]).toEqual(['not met', 'not met']);
  });

  test('augmentation and memory', () => {
    expect(verdicts([], [], 8)('augmentation')).toBe('met');
    expect(verdicts([], [], 7.9)('augmentation')).toBe('not met');
    expect(verdicts([])('augmentation')).toBe('not measured');
    const row = rowNamed('test-9 float32');
    expect(verdicts([rowResult(row, 1)])('peak memory, test-9 float32')).toBe('met');
    expect(verdicts([rowResult(row, 1, { ours: [run(1, { peakBytes: 1001e6 })] })])('peak memory, test-9 float32')).toBe('not met');
  });
});

describe('text', () => {
  test('a table has columns as wide as their longest cell', () => {
    expect(
      formatTable(
        ['row', 'n'],
        [
          ['test-7', '3'],
          ['x', '12345'],
        ],
      ),
    ).toBe(['| row    | n     |', '| ------ | ----- |', '| test-7 | 3     |', '| x      | 12345 |'].join('\n'));
  });

  function report(results: readonly RowResult[]): string {
    const summaries = results.map(summarizeRow);
    const result: BenchResult = {
      startedAt: '2026-01-02T03:04:05.000Z',
      seconds: 120,
      commandLine: 'npm run bench',
      origin: {
        cpu: 'A CPU',
        cores: 2,
        memoryBytes: 24e9,
        platform: 'linux-x64',
        features: ['avx2'],
        versions: { node: '24' },
        sourceHash: 'abc',
      },
      settings: { TF_ENABLE_ONEDNN_OPTS: '1' },
      warmupSteps: 20,
      repeats: 1,
      summaries,
      claims: judge({ summaries, augmentationRatio: null, features: [] }),
      augmentation: null,
      failures: [{ name: 'test-8 float32', message: 'It failed.' }],
      raw: results,
    };
    return renderReport(result);
  }

  test('a report names machine, versions, source, claims, spreads, raw runs and failures', () => {
    const text = report([rowResult(rowNamed('test-9 float32'), 2)]);
    for (const part of ['A CPU, 2 CPUs', 'node 24', 'SHA-256 abc', 'TF_ENABLE_ONEDNN_OPTS=1', 'Failed: test-8 float32: It failed.']) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(
      /test-9 float32 +\| 1 +\| 100 +\| 10\.00 \(10\.00 - 10\.00\) +\| 20\.00 \(20\.00 - 20\.00\) jit auto \| 2\.00x \(2\.00 - 2\.00\)/,
    );
    expect(text).toContain('Quiet: ');
  });

  test('a machine that was not quiet is called out', () => {
    expect(report([rowResult(rowNamed('test-9 float32'), 2, { ours: [run(1, { foreignShare: 0.3 })] })])).toContain('NOT QUIET');
  });
});
