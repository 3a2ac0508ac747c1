// Lines over epochs, the common part of curves, learning rates and epoch times: phases follow one another on one axis, separated by thin
// lines with their names; runs are told apart by colour, training from validation by dashes.
import type { EChartsOption, LineSeriesOption } from 'echarts';
import { baseOption, longestName, lookOf, mostDirectLabels, shortName, tooltipOf, valueAxis, type ChartTheme } from './theme.ts';

export interface LinePhase {
  readonly name: string;
  /** Ascending, from 1; may leave epochs out. */
  readonly epoch: readonly number[];
  /** One value per epoch; null where there is none. */
  readonly values: readonly (number | null)[];
  readonly bestEpoch: number | null;
}

export interface Line {
  /** What the legend, the label at the end and the tooltip say. */
  readonly name: string;
  readonly color: string;
  readonly isDashed: boolean;
  /** Only one line of a run carries its name at the end. */
  readonly isLabelled: boolean;
  readonly phases: readonly LinePhase[];
}

export interface EpochLinesInput {
  readonly theme: ChartTheme;
  readonly title: string;
  readonly subtitle: string;
  readonly lines: readonly Line[];
  readonly yAxis: Readonly<Record<string, unknown>>;
  readonly xName: string;
  readonly format: (value: number) => string;
  readonly labels: LineLabels;
}

/** `auto` names up to five lines at their end; `legend` suits charts too small for that; `none` those of one run that is named nearby. */
export type LineLabels = 'auto' | 'legend' | 'none';

const mostSymbols = 15;
const longestInLegend = 22;
/** Pixels of the narrowest chart on paper, by how its lines are named. */
const paperWidths: Readonly<Record<LineLabels, number>> = { auto: 680, legend: 330, none: 330 };

export function epochLinesOption(input: EpochLinesInput): EChartsOption {
  const { theme, title, subtitle, lines, yAxis, xName, format, labels } = input;
  const look = lookOf(theme);
  const starts = findStarts(lines);
  const end = starts.at(-1) ?? 0;
  const isDirect = labels === 'auto' && lines.filter((line) => line.isLabelled).length <= mostDirectLabels;
  const hasLegend = labels !== 'none' && !isDirect;
  const phaseMarks = markPhases(lines, starts, theme);
  return {
    ...baseOption(theme, title, subtitle),
    grid: {
      left: 58,
      right: isDirect ? labelRoom(lines, look.fontSize) : 14,
      top: starts.length > 2 ? 62 : 44,
      bottom: hasLegend ? 48 + legendHeight(lines, theme, labels) : 40,
    },
    legend: {
      show: hasLegend,
      data: lines.filter((line) => line.isLabelled).map((line) => shortName(line.name, 40)),
      formatter: (name: string) => shortName(name, longestInLegend),
      type: theme === 'print' ? 'plain' : 'scroll',
      bottom: 0,
      icon: 'roundRect',
      itemHeight: 3,
      textStyle: { color: look.text, fontSize: look.fontSize - 1, fontFamily: look.font },
    },
    tooltip: {
      ...tooltipOf(theme),
      trigger: 'axis',
      valueFormatter: (value) => (typeof value === 'number' ? format(value) : '-'),
    },
    xAxis: {
      ...valueAxis(theme, xName, 24),
      min: 0.5,
      max: end + 0.5,
      minInterval: 1,
      axisLabel: integerLabels(theme),
      splitLine: { show: false },
    },
    yAxis: { ...yAxis },
    series: lines.map((line, index) => ({
      ...lineSeries(line, starts, theme, isDirect, format),
      ...(index === 0 ? phaseMarks : {}),
    })),
  };
}

/** Where each phase begins on the common axis: after the longest of all phases before it; the last entry is the end. */
function findStarts(lines: readonly Line[]): number[] {
  const count = Math.max(0, ...lines.map((line) => line.phases.length));
  const starts = [0];
  for (let phase = 0; phase < count; phase += 1) {
    const longest = Math.max(0, ...lines.map((line) => line.phases[phase]?.epoch.at(-1) ?? 0));
    starts.push((starts.at(-1) ?? 0) + longest);
  }
  return starts;
}

function lineSeries(
  line: Line,
  starts: readonly number[],
  theme: ChartTheme,
  isDirect: boolean,
  format: (value: number) => string,
): LineSeriesOption {
  const look = lookOf(theme);
  const name = shortName(line.name, 40);
  const data = line.phases.flatMap((phase, index) => {
    const points = phase.epoch.map((epoch, position) => [(starts[index] ?? 0) + epoch, phase.values[position] ?? null]);
    // A gap keeps the last epoch of one phase from being joined to the first of the next.
    return index === 0 ? points : [[(starts[index] ?? 0) + 0.5, null], ...points];
  });
  return {
    type: 'line',
    name,
    data,
    color: line.color,
    lineStyle: { color: line.color, width: line.isDashed ? 1.4 : 1.8, type: line.isDashed ? 'dashed' : 'solid' },
    itemStyle: { color: line.color },
    symbol: 'circle',
    symbolSize: line.isDashed ? 3 : 4,
    showSymbol: data.length <= mostSymbols,
    emphasis: { disabled: true },
    endLabel: {
      show: isDirect && line.isLabelled,
      formatter: () => shortName(line.name),
      color: line.color,
      fontSize: look.fontSize - 1,
      fontFamily: look.font,
      distance: 6,
      ...(theme === 'print' ? { backgroundColor: look.ground, padding: [1, 2], distance: 4 } : {}),
    },
    labelLayout: { moveOverlap: 'shiftY' },
    markPoint: markBest(line, starts, theme, format),
  };
}

function markBest(
  line: Line,
  starts: readonly number[],
  theme: ChartTheme,
  format: (value: number) => string,
): NonNullable<LineSeriesOption['markPoint']> {
  const look = lookOf(theme);
  const data = line.phases.flatMap(({ bestEpoch, epoch, values }, phase) => {
    const position = bestEpoch === null ? -1 : epoch.indexOf(bestEpoch);
    const value = values[position];
    if (bestEpoch === null || value === null || value === undefined) return [];
    return [{ name: `epoch ${bestEpoch}`, coord: [(starts[phase] ?? 0) + bestEpoch, value], value: format(value) }];
  });
  return {
    data,
    symbol: 'diamond',
    symbolSize: 10,
    itemStyle: { color: look.ground, borderColor: line.color, borderWidth: 1.6 },
    label: { show: false },
    tooltip: { formatter: '{b}' },
  };
}

/** Names of the phases above the curves and thin lines between them; nothing for a single phase. */
function markPhases(lines: readonly Line[], starts: readonly number[], theme: ChartTheme): Pick<LineSeriesOption, 'markLine' | 'markArea'> {
  const look = lookOf(theme);
  const names = starts.slice(0, -1).map((_, index) => lines.find((line) => line.phases[index] !== undefined)?.phases[index]?.name ?? '');
  if (names.length < 2) return {};
  return {
    markLine: {
      silent: true,
      symbol: 'none',
      animation: false,
      label: { show: false },
      lineStyle: { color: look.faint, width: 1, type: 'solid', opacity: 0.6 },
      data: starts.slice(1, -1).map((start) => ({ xAxis: start + 0.5 })),
    },
    markArea: {
      silent: true,
      animation: false,
      itemStyle: { color: 'transparent' },
      label: { show: true, position: 'top', distance: 7, color: look.faint, fontSize: look.fontSize - 1, fontFamily: look.font },
      data: names.map((name, index) => [
        { name: shortName(name, 40), xAxis: (starts[index] ?? 0) + 0.5 },
        { xAxis: (starts[index + 1] ?? 0) + 0.5 },
      ]),
    },
  };
}

function integerLabels(theme: ChartTheme) {
  const look = lookOf(theme);
  return {
    color: look.faint,
    fontSize: look.fontSize - 1,
    fontFamily: look.font,
    showMinLabel: false,
    showMaxLabel: false,
    formatter: (value: number) => (Number.isInteger(value) ? String(value) : ''),
  };
}

/** Pixels at the bottom; on the screen one line that scrolls, on paper as many as it takes. */
function legendHeight(lines: readonly Line[], theme: ChartTheme, labels: LineLabels): number {
  if (theme !== 'print') return 16;
  const { fontSize } = lookOf(theme);
  const names = lines.filter((line) => line.isLabelled).map((line) => shortName(line.name, longestInLegend));
  const width = names.reduce((total, name) => total + 46 + longestName([name]) * fontSize * 0.56, 0);
  return 18 * Math.max(1, Math.ceil((width * 1.15) / paperWidths[labels]));
}

/** Pixels on the right for the longest label. */
function labelRoom(lines: readonly Line[], fontSize: number): number {
  const longest = longestName(lines.filter((line) => line.isLabelled).map((line) => shortName(line.name)));
  return 18 + Math.ceil(longest * fontSize * 0.55);
}
