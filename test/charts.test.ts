// Chart builders as data and as pictures, and the palette against the formulas of contrast and colour blindness.
import { init, type EChartsOption } from 'echarts';
import { describe, expect, test } from 'vitest';
import { barsHeight, barsOption } from '../src/shared/domain/charts/bars.ts';
import { confusionOption } from '../src/shared/domain/charts/confusion.ts';
import { curvesOption, epochSecondsOption, learningRateOption, toCurvePhase, type CurveRun } from '../src/shared/domain/charts/curves.ts';
import { distributionOption } from '../src/shared/domain/charts/distribution.ts';
import { fade, lookOf, shortName, type ChartTheme } from '../src/shared/domain/charts/theme.ts';
import { colorOf, outcomeColors, paletteSize, type ColorScheme } from '../src/shared/domain/palette.ts';

const themes: ChartTheme[] = ['light', 'dark', 'print'];
const schemes: ColorScheme[] = ['light', 'dark'];

/** The texts of the drawn chart. */
function draw(option: EChartsOption): string[] {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 700, height: 320 });
  chart.setOption({ ...option, animation: false });
  const svg = chart.renderToSVGString();
  chart.dispose();
  expect(svg).not.toContain('NaN');
  return Array.from(svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g), ([, text = '']) => text);
}

const phase = (name: string, values: readonly (number | null)[], bestEpoch: number | null = null) => ({
  name,
  epoch: values.map((_, index) => index + 1),
  train: values.map((value) => (value === null ? null : value - 0.05)),
  validation: values,
  bestEpoch,
});
const run = (name: string, position: number, ...phases: CurveRun['phases']): CurveRun => ({
  name,
  color: colorOf(position, 'light'),
  phases,
});

interface DrawnSeries {
  readonly name: string;
  readonly data: readonly (readonly (number | null)[])[];
  readonly lineStyle: { readonly type: string };
  readonly endLabel: { readonly show: boolean };
  readonly markPoint: { readonly data: readonly { readonly coord: readonly number[]; readonly value: string }[] };
}
const seriesOf = (option: EChartsOption): DrawnSeries[] => option.series as unknown as DrawnSeries[];
const axisOf = (option: EChartsOption, axis: 'xAxis' | 'yAxis') => option[axis] as { name: string; min: number; max: number };

describe('curves', () => {
  const two = [
    run('one', 0, phase('full', [0.5, 0.75, 0.7], 2), phase('tuned', [0.8, 0.9], 2)),
    run('two', 1, phase('full', [0.4, 0.5, 0.6, 0.65], 4), phase('tuned', [0.5, 0.55], 1)),
  ];

  test('put phases one after another, the longest first phase deciding where the second begins', () => {
    const option = curvesOption({ metric: 'accuracy', runs: two, theme: 'light' });
    const [validation, training] = seriesOf(option);
    expect(validation?.data).toEqual([
      [1, 50],
      [2, 75],
      [3, 70],
      [4.5, null],
      [5, 80],
      [6, 90],
    ]);
    expect([validation?.lineStyle.type, training?.lineStyle.type]).toEqual(['solid', 'dashed']);
    expect(validation?.markPoint.data.map(({ coord, value }) => [coord, value])).toEqual([
      [[2, 75], '75.00 %'],
      [[6, 90], '90.00 %'],
    ]);
    expect(training?.markPoint.data).toEqual([]);
    const texts = draw(option);
    for (const text of ['Accuracy', 'Accuracy (%)', 'Epoch', 'full', 'tuned', 'one', 'two']) expect(texts).toContain(text);
  });

  test('an accuracy axis begins at 0, or says where', () => {
    expect(axisOf(curvesOption({ metric: 'accuracy', runs: two, theme: 'light' }), 'yAxis')).toMatchObject({
      name: 'Accuracy (%)',
      min: 0,
      max: 100,
    });
    const fitted = axisOf(curvesOption({ metric: 'accuracy', runs: two, theme: 'light', range: 'fitted' }), 'yAxis');
    expect(fitted).toMatchObject({ name: 'Accuracy (%), axis from 30 %', min: 30, max: 100 });
  });

  test('name up to five runs at their end and more in a legend', () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => run(`run ${index}`, index, phase('p', [0.1, 0.2])));
    const labels = (count: number) =>
      seriesOf(curvesOption({ metric: 'loss', runs: many(count), theme: 'light' })).filter((one) => one.endLabel.show).length;
    expect([labels(5), labels(6)]).toEqual([5, 0]);
    const option = curvesOption({ metric: 'loss', runs: many(6), theme: 'print' });
    expect(option.legend).toMatchObject({ show: true, data: many(6).map(({ name }) => name) });
  });

  test('a run without validation shows its training with its name', () => {
    const [only, ...others] = seriesOf(
      curvesOption({ metric: 'loss', runs: [run('one', 0, { ...phase('p', [null, null]), train: [1, 0.5] })], theme: 'dark' }),
    );
    expect(others).toEqual([]);
    expect(only).toMatchObject({ name: 'one', lineStyle: { type: 'dashed' }, endLabel: { show: true } });
  });

  test('take the series of the contract, and draw nothing of nothing', () => {
    const series = {
      runId: 'r-1' as never,
      phase: 0,
      epoch: [1, 2],
      seconds: [3, 4],
      learningRate: [0.1, 0.1],
      trainLoss: [1, 0.9],
      trainAccuracy: [0.5, 0.6],
      validationLoss: [null, 0.8],
      validationAccuracy: [null, 0.7],
    };
    expect(toCurvePhase(series, 'accuracy', 'full', 2)).toMatchObject({ train: [0.5, 0.6], validation: [null, 0.7], bestEpoch: 2 });
    for (const theme of themes) {
      expect(draw(curvesOption({ metric: 'loss', runs: [], theme }))).toContain('Loss');
      expect(draw(learningRateOption({ runs: [], theme }))).toContain('Learning rate');
      expect(draw(epochSecondsOption({ runs: [run('one', 0)].map((one) => ({ ...one, phases: [] })), theme }))).toContain(
        'Seconds per epoch',
      );
    }
  });
});

describe('bars, matrices and distributions', () => {
  test('every bar has its value in words', () => {
    const entries = [
      { name: 'full', color: '#112233' },
      { name: 'tuned', color: '#445566' },
    ];
    const measures = [
      { name: 'total', values: [600_165, 600_165] },
      { name: 'trainable', values: [600_165, null] },
    ];
    const texts = draw(barsOption({ title: 'Parameters', axis: 'Parameters', unit: 'count', entries, measures, theme: 'print' }));
    expect(texts.filter((text) => text === '600,165 total')).toHaveLength(2);
    expect(texts.filter((text) => text === '600,165 trainable')).toHaveLength(1);
    expect(barsHeight(4, 2)).toBeGreaterThan(barsHeight(2, 2));
  });

  test('accuracies are drawn on the whole axis', () => {
    const option = barsOption({
      title: 'A',
      axis: 'Accuracy (%)',
      unit: 'percent',
      entries: [{ name: 'x', color: '#000000' }],
      measures: [{ name: 'a', values: [0.97] }],
      theme: 'light',
    });
    expect(axisOf(option, 'xAxis')).toMatchObject({ min: 0, max: 1 });
    expect(draw(option)).toContain('97.00 %');
  });

  test('a matrix has counts or shares of the rows, and pictures of no class divide nothing', () => {
    const input = {
      title: 'M',
      classes: ['a', 'b'],
      confusion: [
        [3, 1],
        [0, 0],
      ],
      theme: 'light',
    } as const;
    expect(draw(confusionOption({ ...input, show: 'counts' }))).toEqual(
      expect.arrayContaining(['3', '1', '0', 'True class', 'Predicted class']),
    );
    expect(draw(confusionOption({ ...input, show: 'share' }))).toEqual(expect.arrayContaining(['75.0', '25.0', '0.0']));
  });

  test('a distribution names its classes and parts', () => {
    const texts = draw(
      distributionOption({
        classes: ['Coat', 'Bag'],
        parts: [
          { name: 'Training', counts: [2, 1] },
          { name: 'Test', counts: [1, 1] },
        ],
        theme: 'dark',
      }),
    );
    expect(texts).toEqual(expect.arrayContaining(['Coat', 'Bag', 'Training', 'Test', 'Pictures', 'Class']));
  });
});

test('names stay short text on one line, whatever is in them', () => {
  expect(shortName('a\nb\u202Ec\u0000{d|e}')).toBe('a b c (d|e)');
  expect(shortName('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`);
  expect(shortName('👩‍🔬👩‍🔬', 28)).not.toContain('\uFFFD');
  const hostile = '<img src=x onerror=alert(1)>{a|b}';
  for (const theme of themes) {
    const option = curvesOption({ metric: 'loss', runs: [run(hostile, 0, phase('p', [1, 2]))], theme });
    expect(draw(option).join(' ')).not.toContain('<img');
    expect(option.tooltip).toMatchObject({ renderMode: 'richText' });
  }
  expect(curvesOption({ metric: 'loss', runs: [], theme: 'print' })).toMatchObject({ animation: false });
});

type Rgb = readonly [number, number, number];
const channels = (hex: string): Rgb => [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16) / 255) as unknown as Rgb;
const linear = (value: number): number => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const luminance = (hex: string): number => {
  const [red, green, blue] = channels(hex).map(linear) as unknown as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
/** WCAG 2.2. */
const contrast = (first: string, second: string): number => {
  const [dark = 0, bright = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
};

/** Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB. */
const deficiencies: Readonly<Record<string, readonly Rgb[]>> = {
  none: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function lab(hex: string, matrix: readonly Rgb[]): Rgb {
  const rgb = channels(hex).map(linear);
  const [red = 0, green = 0, blue = 0] = matrix.map((row) =>
    Math.min(
      1,
      Math.max(
        0,
        row.reduce((sum, weight, index) => sum + weight * (rgb[index] ?? 0), 0),
      ),
    ),
  );
  const x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505;
  const y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089;
  const curve = (value: number): number => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116);
  return [116 * curve(y) - 16, 500 * (curve(x) - curve(y)), 200 * (curve(y) - curve(z))];
}

describe('the palette', () => {
  test.each(schemes)('has a contrast of 3 to 1 with the ground of the %s theme', (scheme) => {
    const { ground } = lookOf(scheme);
    for (let position = 0; position < paletteSize; position += 1)
      expect(contrast(colorOf(position, scheme), ground)).toBeGreaterThanOrEqual(3);
    expect(contrast(outcomeColors[scheme].right, ground)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(outcomeColors[scheme].wrong, ground)).toBeGreaterThanOrEqual(4.5);
  });

  test.each(schemes)('keeps all colours of the %s theme apart for every kind of colour vision', (scheme) => {
    for (const [kind, matrix] of Object.entries(deficiencies)) {
      for (let first = 0; first < paletteSize; first += 1) {
        for (let second = first + 1; second < paletteSize; second += 1) {
          const [a, b] = [lab(colorOf(first, scheme), matrix), lab(colorOf(second, scheme), matrix)];
          const distance = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
          expect(distance, `${kind}: ${colorOf(first, scheme)} and ${colorOf(second, scheme)}`).toBeGreaterThan(10);
        }
      }
    }
  });

  test('gives colours again after eight, and fades to the ground', () => {
    expect(colorOf(paletteSize + 2, 'dark')).toBe(colorOf(2, 'dark'));
    expect([fade('#000000', '#ffffff', 0.5), fade('#123456', '#ffffff', 1), fade('#123456', '#ffffff', 0)]).toEqual([
      '#808080',
      '#123456',
      '#ffffff',
    ]);
  });
});
