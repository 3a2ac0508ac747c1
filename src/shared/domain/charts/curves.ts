// Curves over epochs: loss and accuracy of training and validation, learning rate, seconds per epoch.
import type { EChartsOption } from 'echarts';
import type { RunSeries } from '../../contract/methods/runs.ts';
import { formatDuration, formatLearningRate, formatLoss } from '../numbers.ts';
import { epochLinesOption, type Line, type LineLabels } from './epochLines.ts';
import { valueAxis, type ChartTheme } from './theme.ts';

export interface CurvePhase {
  readonly name: string;
  /** Ascending, from 1; every list has one value per point. */
  readonly epoch: readonly number[];
  readonly train: readonly (number | null)[];
  readonly validation: readonly (number | null)[];
  /** Marked with a diamond; null marks nothing. */
  readonly bestEpoch: number | null;
}

export interface CurveRun {
  readonly name: string;
  readonly color: string;
  /** One after another on the axis; for a single entry just its phase. */
  readonly phases: readonly CurvePhase[];
}

export interface CurvesInput {
  /** `accuracy` is a fraction 0..1 and shown in percent. */
  readonly metric: 'accuracy' | 'loss';
  readonly runs: readonly CurveRun[];
  readonly theme: ChartTheme;
  /** `fitted` begins the accuracy axis at the lowest value and says so in its name; losses are always fitted. */
  readonly range?: 'full' | 'fitted';
  readonly labels?: LineLabels;
  /** What the diamond stands for; the best epoch when left out. */
  readonly markName?: string;
}

/** Validation solid, training dashed, the best epoch a diamond. */
export function curvesOption({
  metric,
  runs,
  theme,
  range = 'full',
  labels = 'auto',
  markName = 'best epoch',
}: CurvesInput): EChartsOption {
  const scale = metric === 'accuracy' ? 100 : 1;
  const lines = runs.flatMap((run) => curveLines(run, scale));
  const hasValidation = lines.some((line) => !line.isDashed);
  const solid = hasValidation ? 'solid: validation, dashed: training' : 'dashed: training';
  const hasBest = lines.some((line) => line.phases.some((phase) => phase.bestEpoch !== null));
  return epochLinesOption({
    theme,
    lines,
    labels,
    title: metric === 'accuracy' ? 'Accuracy' : 'Loss',
    subtitle: hasBest ? `${solid}, diamond: ${markName}` : solid,
    xName: 'Epoch',
    yAxis: metric === 'accuracy' ? accuracyAxis(theme, lines, range) : { ...valueAxis(theme, 'Loss', 40), scale: true },
    format: metric === 'accuracy' ? (value) => `${value.toFixed(2)} %` : formatLoss,
  });
}

export interface ValuePhase {
  readonly name: string;
  readonly epoch: readonly number[];
  readonly values: readonly (number | null)[];
}

export interface ValueRun {
  readonly name: string;
  readonly color: string;
  readonly phases: readonly ValuePhase[];
}

export interface ValuesInput {
  readonly runs: readonly ValueRun[];
  readonly theme: ChartTheme;
  readonly labels?: LineLabels;
}

export interface LearningRateInput extends ValuesInput {
  /** `step` when the points of a planned schedule are training steps. */
  readonly unit?: 'epoch' | 'step';
  readonly isLogarithmic?: boolean;
}

export function learningRateOption({
  runs,
  theme,
  unit = 'epoch',
  isLogarithmic = false,
  labels = 'auto',
}: LearningRateInput): EChartsOption {
  const axis = valueAxis(theme, isLogarithmic ? 'Learning rate (logarithmic)' : 'Learning rate', 48);
  return epochLinesOption({
    theme,
    labels,
    lines: runs.map(valueLine),
    title: 'Learning rate',
    subtitle: '',
    xName: unit === 'epoch' ? 'Epoch' : 'Training step',
    yAxis: isLogarithmic ? { ...axis, type: 'log' } : { ...axis, axisLabel: { ...axis.axisLabel, formatter: formatLearningRate } },
    format: formatLearningRate,
  });
}

/** Training time of each epoch without validation, in seconds. */
export function epochSecondsOption({ runs, theme, labels = 'auto' }: ValuesInput): EChartsOption {
  return epochLinesOption({
    theme,
    labels,
    lines: runs.map(valueLine),
    title: 'Seconds per epoch',
    subtitle: 'training only, without validation',
    xName: 'Epoch',
    yAxis: valueAxis(theme, 'Seconds', 40),
    format: formatDuration,
  });
}

/** A phase of `runs.series` as curvesOption takes it. */
export function toCurvePhase(series: RunSeries, metric: 'accuracy' | 'loss', name: string, bestEpoch: number | null): CurvePhase {
  const train = metric === 'accuracy' ? series.trainAccuracy : series.trainLoss;
  const validation = metric === 'accuracy' ? series.validationAccuracy : series.validationLoss;
  return { name, epoch: series.epoch, train, validation, bestEpoch };
}

function curveLines({ name, color, phases }: CurveRun, scale: number): Line[] {
  const hasValidation = phases.some((phase) => phase.validation.some((value) => value !== null));
  const scaled = (values: readonly (number | null)[]): (number | null)[] => values.map((value) => (value === null ? null : value * scale));
  const line = (kind: 'train' | 'validation', isMain: boolean): Line => ({
    name: isMain ? name : `${name}, training`,
    color,
    isDashed: kind === 'train',
    isLabelled: isMain,
    phases: phases.map((phase) => ({
      name: phase.name,
      epoch: phase.epoch,
      values: scaled(phase[kind]),
      bestEpoch: isMain ? phase.bestEpoch : null,
    })),
  });
  return hasValidation ? [line('validation', true), line('train', false)] : [line('train', true)];
}

function valueLine({ name, color, phases }: ValueRun): Line {
  return { name, color, isDashed: false, isLabelled: true, phases: phases.map((phase) => ({ ...phase, bestEpoch: null })) };
}

function accuracyAxis(theme: ChartTheme, lines: readonly Line[], range: 'full' | 'fitted'): Readonly<Record<string, unknown>> {
  const values = lines.flatMap((line) => line.phases.flatMap((phase) => phase.values.filter((value) => value !== null)));
  const least = range === 'full' || values.length === 0 ? 0 : Math.max(0, Math.floor((Math.min(...values) - 1) / 5) * 5);
  const name = least === 0 ? 'Accuracy (%)' : `Accuracy (%), axis from ${least} %`;
  return { ...valueAxis(theme, name, 40), min: least, max: 100 };
}
