// The curves of runs for charts: every epoch is read in pieces that block for milliseconds, thinned so that peaks stay, and rounded so that
// the answer fits one message.
import { setImmediate as giveWay } from 'node:timers/promises';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { seriesMetrics, type RunSeries, type SeriesMetric } from '../../shared/contract/methods/runs.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { choosePoints, findExtremes } from '../../shared/domain/decimation.ts';
import type { EpochPoint, EpochStore } from '../db/epochs.ts';
import type { PhaseStore, StoredPhase } from '../db/phases.ts';
import type { RunStore } from '../db/runs.ts';
import { resolveRun } from './runReferences.ts';

interface SeriesSurroundings {
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly epochs: EpochStore;
}

type SeriesRequest = HandlerInput<'runs.series'>;

interface Curve {
  readonly runId: RunId;
  readonly phase: number;
  readonly bestEpoch: number | null;
}

/** About 10 ms of reading. */
const pieceEpochs = 5000;
/** Other work gets its turn after this long. */
const turnMs = 10;
/** Of the 1 MiB a message may have (shared/rpc.ts). */
const answerBytes = 900_000;
const seriesBytes = 220;
/** The longest number of six digits, such as -1.23456e-10, with its comma. */
const numberBytes = 13;
const epochBytes = 8;
const digits = 6;

/** Throws `not_found` for a run that does not exist. */
export async function readSeries(request: SeriesRequest, surroundings: SeriesSurroundings): Promise<Answer<'runs.series'>> {
  const { runs, phases, epochs } = surroundings;
  const runIds = [...new Set(request.runs.map((reference) => resolveRun(runs, reference).runId))];
  const phasesOf = phases.listMany(runIds);
  const curves = runIds.flatMap((runId) => listCurves(runId, phasesOf.get(runId) ?? []));
  const room = (answerBytes - curves.length * seriesBytes) / (epochBytes + request.metrics.length * numberBytes);
  const maxPoints = Math.min(request.maxPoints, Math.max(2, Math.floor(room / Math.max(1, curves.length))));
  const series: RunSeries[] = [];
  let turnBegan = performance.now();
  const rest = async (): Promise<void> => {
    if (performance.now() - turnBegan < turnMs) return;
    await giveWay();
    turnBegan = performance.now();
  };
  for (const curve of curves) {
    const points: EpochPoint[] = [];
    let piece: EpochPoint[];
    do {
      piece = epochs.listPoints(curve.runId, curve.phase, points.at(-1)?.[0] ?? 0, pieceEpochs);
      points.push(...piece);
      await rest();
    } while (piece.length === pieceEpochs);
    if (points.length > 0) series.push(toSeries(curve, points, maxPoints, request.metrics));
  }
  return { series };
}

function listCurves(runId: RunId, phases: readonly StoredPhase[]): Curve[] {
  return phases.flatMap(({ epochs, best }, phase) => (epochs === 0 ? [] : [{ runId, phase, bestEpoch: best?.epoch ?? null }]));
}

function toSeries({ runId, phase, bestEpoch }: Curve, points: readonly EpochPoint[], maxPoints: number, asked: readonly SeriesMetric[]) {
  const column = (metric: SeriesMetric): (number | null)[] => points.map((point) => point[1 + seriesMetrics.indexOf(metric)] ?? null);
  const metrics = seriesMetrics.filter((metric) => asked.includes(metric));
  // The best epochs are marked in charts, so they are there however few points there are.
  const best = [points.findIndex((point) => point[0] === bestEpoch), ...bestValidated(column)].filter((position) => position >= 0);
  const kept = choosePoints({ length: points.length, curves: metrics.map(column) }, maxPoints, best);
  const values = (metric: SeriesMetric): (number | null)[] => {
    if (!metrics.includes(metric)) return [];
    const all = column(metric);
    return kept.map((position) => round(all[position] ?? null));
  };
  const complete = (metric: SeriesMetric): number[] => values(metric).map((value) => value ?? 0);
  const series: RunSeries = {
    runId,
    phase,
    epoch: kept.map((position) => points[position]?.[0] ?? 0),
    seconds: complete('seconds'),
    learningRate: complete('learningRate'),
    trainLoss: complete('trainLoss'),
    trainAccuracy: complete('trainAccuracy'),
    validationLoss: values('validationLoss'),
    validationAccuracy: values('validationAccuracy'),
  };
  return series;
}

function bestValidated(column: (metric: SeriesMetric) => (number | null)[]): number[] {
  return [...findExtremes(column('validationLoss')).slice(0, 1), ...findExtremes(column('validationAccuracy')).slice(1)];
}

/** Six significant digits; four times as fast as toPrecision, which takes over where a power of ten would not be exact. */
function round(value: number | null): number | null {
  if (value === null || value === 0) return value;
  const power = digits - Math.ceil(Math.log10(Math.abs(value)));
  if (power < 0 || power > 22) return Number(value.toPrecision(digits));
  const factor = 10 ** power;
  return Math.round(value * factor) / factor;
}
