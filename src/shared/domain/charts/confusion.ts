// The confusion matrix as a heat map: rows are true classes from the top, columns predicted ones.
import type { EChartsOption } from 'echarts';
import { formatCount } from '../numbers.ts';
import { baseOption, categoryAxis, longestName, lookOf, shortName, tooltipOf, type ChartTheme } from './theme.ts';

export interface ConfusionInput {
  readonly title: string;
  readonly classes: readonly string[];
  /** Pictures; rows are true classes. */
  readonly confusion: readonly (readonly number[])[];
  /** `share` divides each row by its pictures. */
  readonly show: 'counts' | 'share';
  readonly theme: ChartTheme;
}

/** Numbers are written into the cells up to this many classes. */
const mostLabelled = 20;
/** From nothing to all of a class: one blue that gets darker on white and lighter on black, so that more is always more contrast. */
export const confusionRamps: Readonly<Record<ChartTheme, readonly string[]>> = {
  light: ['#f6f9fc', '#c6dff0', '#7fb6dc', '#2f86bf', '#005b94', '#003a5f'],
  dark: ['#1f2226', '#17405e', '#1c6596', '#3b8fd0', '#86c1ec', '#d6ecfb'],
  print: ['#f6f9fc', '#c6dff0', '#7fb6dc', '#2f86bf', '#005b94', '#003a5f'],
};

export function confusionOption({ title, classes, confusion, show, theme }: ConfusionInput): EChartsOption {
  const look = lookOf(theme);
  const names = classes.map((name) => shortName(name, 16));
  const cells = confusion.flatMap((row, truth) => {
    const pictures = row.reduce((total, count) => total + count, 0);
    return row.map((count, predicted) => ({ truth, predicted, count, share: pictures === 0 ? 0 : count / pictures }));
  });
  const longest = longestName(names);
  const room = Math.ceil(longest * look.fontSize * 0.5);
  const tilted = Math.ceil(longest * look.fontSize * 0.33) + 8;
  const isTilted = names.length > 6 || longest > 9;
  const axis = (name: string, gap: number) => ({ ...categoryAxis(theme, name, gap, names), splitArea: { show: false } });
  const columns = axis('Predicted class', isTilted ? tilted + 6 : 24);
  return {
    ...baseOption(theme, title, show === 'share' ? 'share of each true class, %' : 'pictures'),
    tooltip: {
      ...tooltipOf(theme),
      formatter: (parameters) => describeCell(Array.isArray(parameters) ? undefined : parameters.dataIndex, cells, names),
    },
    grid: { left: room + 34, right: 10, top: 40, bottom: isTilted ? tilted + 26 : 44 },
    xAxis: { ...columns, axisLabel: { ...columns.axisLabel, interval: 0, rotate: isTilted ? 45 : 0 } },
    yAxis: { ...axis('True class', room + 14), inverse: true },
    visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: [...confusionRamps[theme]] } },
    series: [
      {
        type: 'heatmap',
        name: title,
        itemStyle: { borderColor: look.ground, borderWidth: 1 },
        data: cells.map((cell) => ({
          value: [cell.predicted, cell.truth, cell.share],
          label: { color: cell.share > 0.45 ? look.ground : look.text },
        })),
        label: {
          show: classes.length <= mostLabelled,
          fontSize: classes.length > 12 ? look.fontSize - 3 : look.fontSize - 1,
          fontFamily: look.font,
          formatter: ({ dataIndex }) => labelCell(cells[dataIndex], show),
        },
      },
    ],
  };
}

interface Cell {
  readonly truth: number;
  readonly predicted: number;
  readonly count: number;
  readonly share: number;
}

function labelCell(cell: Cell | undefined, show: ConfusionInput['show']): string {
  if (cell === undefined) return '';
  return show === 'counts' ? formatCount(cell.count) : (cell.share * 100).toFixed(1);
}

function describeCell(index: number | undefined, cells: readonly Cell[], names: readonly string[]): string {
  const cell = index === undefined ? undefined : cells[index];
  if (cell === undefined) return '';
  const share = `${(cell.share * 100).toFixed(2)} % of ${names[cell.truth] ?? ''}`;
  return `${names[cell.truth] ?? ''} taken for ${names[cell.predicted] ?? ''}\n${formatCount(cell.count)} pictures, ${share}`;
}
