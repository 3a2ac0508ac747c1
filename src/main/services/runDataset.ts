import { LabError } from '../../shared/contract/errors.ts';
import type { StoredRun } from '../db/runs.ts';

/** Throws `dataset_missing` without a fingerprint, and `dataset_changed` when it is not the one the run began with. */
export function requireDataset({ runId, datasetId, datasetFingerprint }: StoredRun, found: string | undefined): void {
  if (found === undefined) {
    throw new LabError('dataset_missing', `The run ${runId} needs the dataset ${datasetId}, which is not in the workspace.`, {
      help: 'Import it again with `lab datasets import`.',
    });
  }
  if (datasetFingerprint === null || datasetFingerprint === found) return;
  throw new LabError('dataset_changed', `The dataset ${datasetId} is not the one the run ${runId} began with.`, {
    expected: `fingerprint ${datasetFingerprint}`,
    received: `fingerprint ${found}`,
    help: 'Import the original dataset again, or start a new run.',
  });
}
