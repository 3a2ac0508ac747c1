// A result as text: tables that read well in a terminal and are Markdown at once. Pure.
import type { AugmentationBenchResult, SideBySide } from './augment.ts';
import { formatRatio, megabytes, type Claim } from './claims.ts';
import type { Origin } from './origin.ts';
import type { Summary } from './statistics.ts';
import type { RowResult, RowSummary } from './summary.ts';

export interface BenchResult {
  readonly startedAt: string;
  readonly seconds: number;
  readonly commandLine: string;
  readonly origin: Origin;
  readonly settings: Readonly<Record<string, string>>;
  readonly warmupSteps: number;
  readonly repeats: number;
  readonly summaries: readonly RowSummary[];
  readonly claims: readonly Claim[];
  readonly augmentation: AugmentationBenchResult | null;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  /** Every run as it was measured. */
  readonly raw: readonly RowResult[];
}

/** Columns as wide as their longest cell; every row has as many cells as the header. */
export function formatTable(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(3, title.length, ...lines.map((line) => (line[column] ?? '').length)));
  const format = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [format(header), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.map(format)].join('\n');
}

/** The whole result; others' share of the machine above a tenth is called out, because it makes figures worthless. */
export function renderReport(result: BenchResult): string {
  const parts = [
    '# Transfer Lab against Keras',
    describe(result),
    '## Required figures',
    formatTable(
      ['claim', 'required', 'goal', 'received', ''],
      result.claims.map((claim) => [claim.claim, claim.required, claim.goal, claim.received, claim.verdict]),
    ),
    'Measured elsewhere: test accuracy in docs/reproduction.md; kill -9 by the tests. Not measured here: start of the lab, frames per second, GPU.',
    '## Training, milliseconds per step: median (smallest - largest)',
    renderSpeed(result.summaries),
    '## Memory, start and losses: ours / Keras',
    renderRest(result.summaries),
    ...result.summaries.flatMap(renderFeatures),
    ...(result.augmentation === null ? [] : [renderAugmentation(result.augmentation)]),
    ...result.failures.map(({ name, message }) => `Failed: ${name}: ${message}`),
    '## Every run, seconds of the timed steps',
    renderRuns(result.raw),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function describe(result: BenchResult): string {
  const { origin } = result;
  const foreign = Math.max(0, ...result.summaries.map((summary) => summary.foreignShare));
  const versions = Object.entries(origin.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `Measured ${result.startedAt} in ${(result.seconds / 60).toFixed(0)} minutes: ${result.commandLine}`,
    `Machine: ${origin.cpu}, ${origin.cores} CPUs, ${(origin.memoryBytes / 1e9).toFixed(1)} GB, ${origin.platform}; ${origin.features.join(' ')}`,
    `Versions: ${versions.join(', ')}`,
    `Source: SHA-256 ${origin.sourceHash} (engine, trainer, data)`,
    `Both sides: whole processes in turn, ${result.repeats} each, equal weights, pictures and batch order, ${result.warmupSteps} steps of warm-up; ` +
      `${Object.entries(result.settings)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}, thread counts unset`,
    foreign > 0.1
      ? `NOT QUIET: other programs took up to ${(foreign * 100).toFixed(0)} % of the machine during a run. Do not use these figures.`
      : `Quiet: other programs took at most ${(foreign * 100).toFixed(0)} % of the machine during any run.`,
  ];
  return lines.map((line) => `- ${line}`).join('\n');
}

function renderSpeed(summaries: readonly RowSummary[]): string {
  const lines = summaries.flatMap((summary) => {
    const { row, steps, ours, phase, full } = summary;
    const name = row.kind === 'frozen' ? `${row.name}, frozen` : row.name;
    return [{ name, other: phase }, ...(full === null ? [] : [{ name: `${row.name}, Keras full`, other: full }])].map((line) => [
      line.name,
      String(ours.n),
      String(steps),
      spread(ours),
      `${spread(line.other.keras)} jit ${line.other.jit}`,
      `${formatRatio(line.other.speed.ratio)} (${line.other.speed.minimum.toFixed(2)} - ${line.other.speed.maximum.toFixed(2)})`,
      formatRatio(line.other.cpuRatio),
    ]);
  });
  return formatTable(['row', 'n', 'steps', 'ours', 'Keras, better jit', 'ratio', 'processor time'], lines);
}

function spread(summary: Summary): string {
  return `${summary.median.toFixed(2)} (${summary.minimum.toFixed(2)} - ${summary.maximum.toFixed(2)})`;
}

function renderRest(summaries: readonly RowSummary[]): string {
  const lines = summaries.map(({ row, peakBytes, kerasPeakBytes, firstStepSeconds, phase, lossDifference, foreignShare }) => [
    row.name,
    `${megabytes(peakBytes)} / ${megabytes(kerasPeakBytes)}`,
    `${firstStepSeconds.toFixed(2)} / ${phase.firstStepSeconds.toFixed(2)}`,
    lossDifference === null ? 'dropout differs' : lossDifference.warmup.toExponential(1),
    lossDifference === null ? 'dropout differs' : lossDifference.timed.toExponential(1),
    `${(foreignShare * 100).toFixed(0)} %`,
  ]);
  const header = ['row', 'peak MB', 'first step s', 'loss difference, warm-up', 'loss difference, timed', 'other programs'];
  return formatTable(header, lines);
}

function renderFeatures({ row, features }: RowSummary): string[] {
  if (features === null) return [];
  const { images, seconds, bytes } = features;
  const text = `${row.name}: the features of ${images} pictures (training and test) were computed once in ${seconds.toFixed(1)} s`;
  return [`${text} (${megabytes(bytes)} MB); this is not part of the steps, but of the time to the first step.`];
}

function renderAugmentation(result: AugmentationBenchResult): string {
  const { milliseconds, pictures } = result.preview;
  return [
    renderSides(result),
    renderSides(result.large),
    `Preview of ${pictures} pictures of 224x224x3 by a warm viewer: median ${milliseconds.median.toFixed(0)} ms, at most ${milliseconds.maximum.toFixed(0)} ms (required 150 ms).`,
  ].join('\n\n');
}

function renderSides({ side, ours, keras, ratio, ratios }: SideBySide): string {
  const numbers = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(', ');
  const [smallest, largest] = [Math.min(...ratios), Math.max(...ratios)];
  return (
    `Augmentation, pictures per second of one thread, ${side}x${side}x3, all transforms of document 001: ours ${numbers(ours)}; ` +
    `Keras ImageDataGenerator ${numbers(keras)}; ratio ${formatRatio(ratio)} (${smallest.toFixed(1)} - ${largest.toFixed(1)}).`
  );
}

function renderRuns(raw: readonly RowResult[]): string {
  const lines = raw.flatMap(({ row, ours, keras }) => [
    [row.name, 'ours', ...ours.map((run) => run.seconds.toFixed(3))],
    ...keras.map(({ variant, runs }) => [
      row.name,
      `Keras ${variant.scope === 'full' ? 'full ' : ''}jit ${variant.jit} (${String(runs[0]?.jitCompile)})`,
      ...runs.map((run) => run.seconds.toFixed(3)),
    ]),
  ]);
  const most = Math.max(0, ...lines.map((line) => line.length - 2));
  return formatTable(['row', 'side', ...Array.from({ length: most }, (_, run) => `run ${run + 1}`)], lines);
}
