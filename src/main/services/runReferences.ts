import { LabError } from '../../shared/contract/errors.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import type { RunStore, StoredRun } from '../db/runs.ts';

/** Finds a run by its id, the beginning of one, or `last`; throws `not_found`, or `bad_usage` when several runs begin so. */
export function resolveRun(runs: RunStore, reference: string): StoredRun {
  const exact = runs.find(reference === 'last' ? (runs.findNewest() ?? '') : reference);
  if (exact !== undefined) return exact;
  const [first, ...others] = runs.findByBeginning(reference, 5);
  if (first === undefined) throw missingRun(reference);
  if (others.length > 0) throw ambiguousRun(reference, [first, ...others]);
  return getRun(runs, first);
}

/** Throws `not_found`. */
export function getRun(runs: RunStore, runId: RunId): StoredRun {
  const run = runs.find(runId);
  if (run === undefined) throw missingRun(runId);
  return run;
}

/** Throws `conflict` for a run in the trash, with how to bring it back. */
export function requireKept({ runId, trashedAt }: StoredRun): void {
  if (trashedAt === null) return;
  throw new LabError('conflict', `The run ${runId} is in the trash.`, { help: `Bring it back with \`lab runs restore ${runId}\`.` });
}

function ambiguousRun(reference: string, candidates: readonly RunId[]): LabError {
  return new LabError('bad_usage', `Several runs begin with ${JSON.stringify(reference)}.`, {
    expected: `one of ${candidates.join(', ')}`,
    help: 'Type more of the id.',
  });
}

function missingRun(reference: string): LabError {
  const what = reference === 'last' ? 'There is no run in the workspace yet.' : `There is no run ${JSON.stringify(reference)}.`;
  return new LabError('not_found', what, { help: '`lab runs list` shows all runs; the beginning of an id, or `last`, is enough.' });
}
