// From raw runs to what is reported about a row. Pure.
import type { Jit, KerasVariant } from './exchange.ts';
import type { Row } from './rows.ts';
import type { Run } from './side.ts';
import { compare, median, summarize, type Ratio, type Summary } from './statistics.ts';

export interface KerasRuns {
  readonly variant: KerasVariant;
  readonly runs: readonly Run[];
}

export interface RowResult {
  readonly row: Row;
  readonly hasDropout: boolean;
  /** One entry per alternation, here and in each of `keras`. */
  readonly ours: readonly Run[];
  readonly keras: readonly KerasRuns[];
  readonly kerasPeakBytes: number;
}

export interface Comparison {
  readonly jit: Jit;
  /** Milliseconds per step. */
  readonly keras: Summary;
  readonly speed: Ratio;
  /** The same for processor time, which depends less on what else runs. */
  readonly cpuRatio: number;
  readonly firstStepSeconds: number;
}

export interface RowSummary {
  readonly row: Row;
  readonly steps: number;
  /** Milliseconds per step. */
  readonly ours: Summary;
  readonly phase: Comparison;
  /** Keras with every layer trained; null for rows that freeze nothing. */
  readonly full: Comparison | null;
  readonly peakBytes: number;
  readonly kerasPeakBytes: number;
  readonly firstStepSeconds: number;
  /** Ours minus Keras's mean training loss of the warm-up and of the timed steps; null where dropout draws differ. */
  readonly lossDifference: { readonly warmup: number; readonly timed: number } | null;
  readonly features: Run['features'];
  readonly foreignShare: number;
}

export function summarizeRow(result: RowResult): RowSummary {
  const { row, ours, keras } = result;
  const [first] = ours;
  const phase = compareWith(ours, chooseBetter(keras, 'phase'));
  const full = keras.some(({ variant }) => variant.scope === 'full') ? compareWith(ours, chooseBetter(keras, 'full')) : null;
  const peer = chooseBetter(keras, 'phase').runs[0];
  const hasLosses = !result.hasDropout && first !== undefined && peer !== undefined;
  return {
    row,
    steps: first?.steps ?? 0,
    ours: summarize(ours.map(stepMilliseconds)),
    phase,
    full,
    peakBytes: median(ours.map((run) => run.peakBytes)),
    kerasPeakBytes: result.kerasPeakBytes,
    firstStepSeconds: median(ours.map((run) => run.firstStepSeconds)),
    lossDifference: hasLosses ? { warmup: first.warmupLoss - peer.warmupLoss, timed: first.loss - peer.loss } : null,
    features: first?.features ?? null,
    foreignShare: Math.max(0, ...[...ours, ...keras.flatMap(({ runs }) => runs)].map((run) => run.foreignShare)),
  };
}

function stepMilliseconds(run: Run): number {
  return (run.seconds / run.steps) * 1000;
}

function compareWith(ours: readonly Run[], { variant, runs }: KerasRuns): Comparison {
  const cpu = (run: Run): number => run.cpuSeconds / run.steps;
  return {
    jit: variant.jit,
    keras: summarize(runs.map(stepMilliseconds)),
    speed: compare(runs.map(stepMilliseconds), ours.map(stepMilliseconds)),
    cpuRatio: compare(runs.map(cpu), ours.map(cpu)).ratio,
    firstStepSeconds: median(runs.map((run) => run.firstStepSeconds)),
  };
}

/** The variant of this scope with the lowest median; jit_compile=True is measured once to be shown, not to be compared. */
function chooseBetter(keras: readonly KerasRuns[], scope: KerasVariant['scope']): KerasRuns {
  const ofScope = keras.filter(({ variant }) => variant.scope === scope && variant.jit !== 'true');
  const [best = { variant: { jit: 'auto' as const, scope }, runs: [] }] = ofScope.toSorted(
    (first, second) => median(first.runs.map(stepMilliseconds)) - median(second.runs.map(stepMilliseconds)),
  );
  return best;
}
