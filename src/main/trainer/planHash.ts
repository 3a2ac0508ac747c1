// What a checkpoint depends on besides its values; a checkpoint of another plan is never continued.
import { createHash } from 'node:crypto';
import type { TrainCommand } from '../../shared/contract/worker.ts';

export function hashPlan(command: TrainCommand, datasetFingerprint: string): string {
  const { input, network, phases, splits, protocol } = command.recipe;
  const plan = { input, network, phases, split: splits[protocol], seed: command.seed, datasetFingerprint };
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex');
}
