// What a checkpoint depends on besides its values; a checkpoint of another plan is never continued.
import { createHash } from 'node:crypto';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import type { TrainCommand } from '../../shared/contract/worker.ts';
import { chooseSplit } from '../../shared/domain/recipe.ts';

export function hashPlan(command: TrainCommand, dataset: DatasetManifest): string {
  const { input, network, phases } = command.recipe;
  const split = chooseSplit(command.recipe, dataset.id);
  // Left out of the text when there are none.
  const weights = command.baseWeights?.sha256;
  const plan = { input, network, phases, split, seed: command.seed, dataset: dataset.fingerprint, weights };
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex');
}
