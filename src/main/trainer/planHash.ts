// What a checkpoint depends on besides its values; a checkpoint of another plan is never continued.
import { createHash } from 'node:crypto';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import type { TrainCommand } from '../../shared/contract/worker.ts';
import { chooseSplit } from '../../shared/domain/recipe.ts';

export function hashPlan(command: TrainCommand, dataset: DatasetManifest): string {
  const { input, network, phases } = command.recipe;
  const plan = { input, network, phases, split: chooseSplit(command.recipe, dataset.id), seed: command.seed, dataset: dataset.fingerprint };
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex');
}
