// How many pictures each class has, side by side for each part of a dataset.
import type { EChartsOption } from 'echarts';
import { formatCount } from '../numbers.ts';
import { colorOf } from '../palette.ts';
import { baseOption, categoryAxis, longestName, lookOf, schemeOf, shortName, tooltipOf, valueAxis, type ChartTheme } from './theme.ts';

export interface DistributionPart {
  /** Such as `Training` or `Test`. */
  readonly name: string;
  /** Pictures of each class, in the order of the classes. */
  readonly counts: readonly number[];
}

export interface DistributionInput {
  readonly title?: string;
  readonly classes: readonly string[];
  readonly parts: readonly DistributionPart[];
  readonly theme: ChartTheme;
}

export function distributionOption({ title = 'Pictures per class', classes, parts, theme }: DistributionInput): EChartsOption {
  const look = lookOf(theme);
  const names = classes.map((name) => shortName(name, 18));
  const longest = longestName(names);
  const isTilted = names.length > 8 || longest > 12;
  const room = isTilted ? Math.ceil(longest * look.fontSize * 0.33) + 8 : 16;
  const columns = categoryAxis(theme, 'Class', room + 6, names);
  // Blue and orange: the pair that stays apart for every kind of colour vision.
  const partColors = [4, 0, 2, 6].map((position) => colorOf(position, schemeOf(theme)));
  return {
    ...baseOption(theme, title),
    legend: {
      show: parts.length > 1,
      right: 0,
      top: 0,
      icon: 'roundRect',
      textStyle: { color: look.text, fontSize: look.fontSize - 1, fontFamily: look.font },
    },
    tooltip: {
      ...tooltipOf(theme),
      trigger: 'axis',
      axisPointer: { type: 'none' },
      valueFormatter: (value) => (typeof value === 'number' ? formatCount(value) : '-'),
    },
    grid: { left: 62, right: 10, top: 36, bottom: room + 26 },
    xAxis: { ...columns, axisLabel: { ...columns.axisLabel, interval: names.length > 60 ? 'auto' : 0, rotate: isTilted ? 45 : 0 } },
    yAxis: { ...valueAxis(theme, 'Pictures', 46), min: 0, minInterval: 1 },
    series: parts.map((part, index) => ({
      type: 'bar',
      name: part.name,
      data: [...part.counts],
      barMaxWidth: 26,
      barGap: '5%',
      color: partColors[index % partColors.length] ?? '#000000',
      emphasis: { disabled: true },
    })),
  };
}
