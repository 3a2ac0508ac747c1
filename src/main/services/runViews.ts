import type { RunDetails, RunSummary } from '../../shared/contract/answers.ts';
import type { SplitRecord } from '../../shared/contract/events.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { selectionNames } from '../../shared/domain/run.ts';
import type { LogLine, StoredEpoch } from '../db/epochs.ts';
import type { StoredPhase } from '../db/phases.ts';
import type { StoredRun } from '../db/runs.ts';

export function toSummary(run: StoredRun, phases: readonly StoredPhase[]): RunSummary {
  const { runId, name, recipeId, seed, group, state, createdAt, seconds } = run;
  return { runId, name, recipeId, seed, group, state, createdAt, seconds, phases: phases.map(toPhase) };
}

export interface RunParts {
  readonly run: StoredRun;
  readonly recipe: Recipe;
  readonly phases: readonly StoredPhase[];
  readonly log: readonly LogLine[];
  readonly isDatasetPresent: boolean;
}

export function toDetails({ run, recipe, phases, log, isDatasetPresent }: RunParts): RunDetails {
  const splits: SplitRecord[] = [];
  for (const [phase, { split }] of phases.entries()) if (split !== null) splits.push({ phase, ...split });
  return {
    ...toSummary(run, phases),
    phases: phases.map((phase) => ({
      ...toPhase(phase),
      nonTrainable: phase.nonTrainable,
      plannedEpochs: phase.plannedEpochs,
      stoppedBy: phase.stoppedBy,
      best: phase.best === null ? null : { epoch: phase.best.epoch, rule: selectionNames[phase.best.rule] },
      features: phase.features,
      weights: phase.weights,
      predictions: phase.predictions,
      confusion: phase.confusion === null ? null : phase.confusion.map((row) => [...row]),
    })),
    recipe,
    protocol: run.protocol,
    dataset: { id: run.datasetId, fingerprint: run.datasetFingerprint, isPresent: isDatasetPresent },
    splits,
    versions: run.versions,
    machine: run.machine,
    device: run.device,
    build: run.build,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    trashedAt: run.trashedAt,
    archivedAt: run.archivedAt,
    tags: [...run.tags],
    notes: run.notes,
    error: run.error,
    log: [...log],
  };
}

export function toEpochAnswer(epoch: StoredEpoch, phases: readonly StoredPhase[]): NonNullable<RunDetails['epochs']>[number] {
  return { ...epoch, phase: phases[epoch.phase]?.name ?? `phase ${epoch.phase + 1}` };
}

/** The median over the epochs after the first, which pays for warming up; of all when there is only one. Seconds. */
export function medianEpochSeconds(times: readonly number[]): number | null {
  const counted = (times.length > 1 ? times.slice(1) : [...times]).sort((a, b) => a - b);
  const middle = Math.floor(counted.length / 2);
  const upper = counted[middle];
  if (upper === undefined) return null;
  const lower = counted.length % 2 === 0 ? (counted[middle - 1] ?? upper) : upper;
  return (lower + upper) / 2;
}

function toPhase({ name, epochs, seconds, secondsPerEpoch, total, trainable, test }: StoredPhase): RunSummary['phases'][number] {
  return { name, epochs, seconds, secondsPerEpoch, total, trainable, test };
}
