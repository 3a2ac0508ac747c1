// Horizontal bars: one group per entry in its colour, one bar per measure, every bar with its value.
import type { BarSeriesOption, EChartsOption } from 'echarts';
import { formatCount, formatDuration, formatPercent } from '../numbers.ts';
import { baseOption, categoryAxis, fade, longestName, lookOf, shortName, tooltipOf, valueAxis, type ChartTheme } from './theme.ts';

export interface BarEntry {
  readonly name: string;
  readonly color: string;
}

export interface BarMeasure {
  /** Written after the value when there are several measures, such as `trainable`; the last one is drawn strongest. */
  readonly name: string;
  /** One per entry; null draws no bar. Fractions 0..1 for `percent`, seconds for `duration`. */
  readonly values: readonly (number | null)[];
}

export interface BarsInput {
  readonly title: string;
  readonly subtitle?: string;
  /** The quantity and unit along the axis. */
  readonly axis: string;
  readonly unit: 'count' | 'duration' | 'percent';
  readonly entries: readonly BarEntry[];
  readonly measures: readonly BarMeasure[];
  readonly theme: ChartTheme;
  /** Names are cut to this many characters. */
  readonly longestLabel?: number;
}

const formats = { count: formatCount, duration: formatDuration, percent: formatPercent } as const;

export function barsOption(input: BarsInput): EChartsOption {
  const { title, subtitle = '', axis, unit, entries, measures, theme, longestLabel = 28 } = input;
  const look = lookOf(theme);
  const names = entries.map(({ name }) => shortName(name, longestLabel));
  const longest = longestName(names);
  const valueLabels = valueAxis(theme, axis, 24);
  return {
    ...baseOption(theme, title, subtitle),
    tooltip: {
      ...tooltipOf(theme),
      trigger: 'item',
      valueFormatter: (value) => (typeof value === 'number' ? formats[unit](value) : '-'),
    },
    grid: { left: 14 + Math.ceil(longest * look.fontSize * 0.52), right: labelRoom(input), top: subtitle === '' ? 28 : 44, bottom: 42 },
    xAxis: {
      ...valueLabels,
      min: 0,
      ...(unit === 'percent' ? { max: 1, interval: 0.25 } : {}),
      splitNumber: 4,
      axisLabel: { ...valueLabels.axisLabel, formatter: (value: number) => formatTick(value, unit) },
    },
    yAxis: { ...categoryAxis(theme, '', 0, names), inverse: true },
    series: measures.map((measure, index) => barSeries(input, measure, index)),
  };
}

/** Height in pixels at which the bars of so many entries and measures are comfortable. */
export function barsHeight(entries: number, measures: number, hasSubtitle = false): number {
  return 78 + (hasSubtitle ? 16 : 0) + entries * (measures * 16 + 12);
}

function barSeries({ entries, measures, unit, theme }: BarsInput, measure: BarMeasure, index: number): BarSeriesOption {
  const look = lookOf(theme);
  const suffix = measures.length > 1 ? ` ${measure.name}` : '';
  const strength = index === measures.length - 1 ? 1 : 0.45;
  return {
    type: 'bar',
    name: measure.name,
    barMaxWidth: 14,
    barGap: '10%',
    barCategoryGap: '30%',
    emphasis: { disabled: true },
    data: entries.map(({ color }, position) => ({
      value: measure.values[position] ?? '-',
      itemStyle: { color: fade(color, look.ground, strength) },
    })),
    label: {
      show: true,
      position: 'right',
      color: look.text,
      fontSize: look.fontSize - 1,
      fontFamily: look.font,
      // On paper the value is not crossed by the grid.
      ...(theme === 'print' ? { backgroundColor: look.ground, padding: [1, 2], distance: 3 } : {}),
      formatter: ({ value }) => (typeof value === 'number' ? `${formats[unit](value)}${suffix}` : ''),
    },
  };
}

/** Pixels on the right for the longest value. */
function labelRoom({ measures, unit, theme }: BarsInput): number {
  const suffixed = measures.flatMap(({ name, values }) =>
    values.map((value) => `${formats[unit](value)}${measures.length > 1 ? ` ${name}` : ''}`),
  );
  return 14 + Math.ceil(longestName(suffixed) * lookOf(theme).fontSize * 0.52);
}

function formatTick(value: number, unit: BarsInput['unit']): string {
  if (unit === 'percent') return `${Math.round(value * 100)}`;
  if (unit === 'duration' || value < 10_000) return value.toLocaleString('en-US');
  return value < 1_000_000 ? `${value / 1000} k` : `${value / 1_000_000} M`;
}
