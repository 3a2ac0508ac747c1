// The figures that product.md section 7 asks of `npm run bench`, judged. Pure; a figure that was not measured is never called met.
import { rows } from './rows.ts';
import { geometricMean } from './statistics.ts';
import type { RowSummary } from './summary.ts';

export interface Claim {
  readonly claim: string;
  readonly required: string;
  readonly goal: string;
  readonly received: string;
  readonly verdict: 'met' | 'not met' | 'not measured';
}

export interface Evidence {
  readonly summaries: readonly RowSummary[];
  /** Our pictures per second over Keras's; null when not measured. */
  readonly augmentationRatio: number | null;
  readonly features: readonly string[];
}

/** Instruction sets that compute in bfloat16. */
const bfloat16Features = ['avx512_bf16', 'amx_bf16'];

export function judge(evidence: Evidence): Claim[] {
  const { summaries, augmentationRatio, features } = evidence;
  const canBfloat16 = features.some((feature) => bfloat16Features.includes(feature));
  return [
    ...judgeTraining(summaries, 'float32', 1.15, 1, 1.25),
    ...(canBfloat16
      ? judgeTraining(summaries, 'mixed_bfloat16', 1.25, 1.25, null)
      : [unmeasured('bfloat16 training', 'geometric mean >= 1.25x', 'this CPU has neither AMX nor AVX512-BF16')]),
    ...judgeBfloat16Goal(summaries),
    ...judgeFrozen(summaries),
    judgeOne('augmentation, pictures per second', augmentationRatio, 8, 20),
    ...judgeMemory(summaries),
  ];
}

export function formatRatio(value: number): string {
  return `${value.toFixed(2)}x`;
}

function judgeOne(claim: string, ratio: number | null, required: number, goal: number | null, note = ''): Claim {
  const texts = { claim, required: `>= ${formatRatio(required)}`, goal: goal === null ? '' : formatRatio(goal) };
  if (ratio === null || Number.isNaN(ratio)) return { ...texts, received: 'no complete measurement', verdict: 'not measured' };
  return { ...texts, received: `${formatRatio(ratio)}${note}`, verdict: ratio >= required ? 'met' : 'not met' };
}

function unmeasured(claim: string, required: string, received: string): Claim {
  return { claim, required, goal: '', received, verdict: 'not measured' };
}

function judgeTraining(
  summaries: readonly RowSummary[],
  precision: RowSummary['row']['precision'],
  requiredMean: number,
  requiredEach: number,
  goal: number | null,
): Claim[] {
  const wanted = rows.filter((row) => row.kind === 'training' && row.precision === precision);
  const found = wanted.flatMap((row) => summaries.find((summary) => summary.row.name === row.name) ?? []);
  const isComplete = found.length === wanted.length;
  const mean = isComplete ? geometricMean(found.map((summary) => summary.phase.speed.ratio)) : null;
  const [lowest] = found.toSorted((first, second) => first.phase.speed.ratio - second.phase.speed.ratio);
  const name = precision === 'float32' ? 'float32 training against Keras' : 'bfloat16 training against Keras mixed_bfloat16';
  const note = lowest === undefined ? '' : ` (${lowest.row.name})`;
  return [
    judgeOne(`${name}, geometric mean of ${wanted.length} templates`, mean, requiredMean, goal),
    judgeOne(`${name}, lowest template`, isComplete ? (lowest?.phase.speed.ratio ?? null) : null, requiredEach, null, note),
  ];
}

/** A goal only: bfloat16 against Keras in float32, over the templates measured in both. */
function judgeBfloat16Goal(summaries: readonly RowSummary[]): Claim[] {
  const ratios = summaries
    .filter(({ row }) => row.precision === 'mixed_bfloat16' && row.kind === 'training')
    .flatMap((ours) => {
      const peer = summaries.find(
        ({ row }) => row.precision === 'float32' && row.recipe === ours.row.recipe && row.phase === ours.row.phase,
      );
      return peer === undefined ? [] : [peer.phase.keras.median / ours.ours.median];
    });
  if (ratios.length === 0) return [];
  const received = formatRatio(geometricMean(ratios));
  const verdict = geometricMean(ratios) >= 2 ? 'met' : 'not met';
  return [{ claim: 'bfloat16 training against Keras float32, geometric mean', required: '(goal only)', goal: '2.00x', received, verdict }];
}

function judgeFrozen(summaries: readonly RowSummary[]): Claim[] {
  const wanted = rows.filter((row) => row.kind === 'frozen');
  return wanted.flatMap((row) => {
    const summary = summaries.find((candidate) => candidate.row.name === row.name);
    return [
      judgeOne(`${row.name}, cached features, against Keras's frozen epoch`, summary?.phase.speed.ratio ?? null, 3, null),
      judgeOne(`${row.name}, cached features, against Keras's full epoch`, summary?.full?.speed.ratio ?? null, 6, 10),
    ];
  });
}

function judgeMemory(summaries: readonly RowSummary[]): Claim[] {
  return summaries.map(({ row, peakBytes, kerasPeakBytes }) => {
    const share = peakBytes / kerasPeakBytes;
    const received = `${Math.round(share * 100)} % (${megabytes(peakBytes)} against ${megabytes(kerasPeakBytes)} MB)`;
    return { claim: `peak memory, ${row.name}`, required: '<= 100 %', goal: '70 %', received, verdict: share <= 1 ? 'met' : 'not met' };
  });
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
