// Which weights the base of a recipe starts from, settled when a run is made and checked again whenever it trains.
import { LabError } from '../../shared/contract/errors.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import type { BaseWeights } from '../../shared/contract/worker.ts';
import type { WeightsService } from './weights.ts';

/** The recipe with its weights named by fingerprint; `wanted` replaces the recipe's own choice. Throws `weights_missing` or `bad_usage`. */
export function settleWeights(recipe: Recipe, wanted: string | null, weights: WeightsService): Recipe {
  const { base } = recipe.network;
  if (base === null) {
    if (wanted === null || wanted === 'random') return recipe;
    throw new LabError('bad_usage', `The recipe ${recipe.id} has no base network that could start from weights.`, {
      expected: 'random, or no choice of weights',
      received: wanted,
      help: 'Choose a recipe with a base network, such as cifar-mobilenet-features.',
    });
  }
  const id = wanted ?? base.weights;
  const weightsFingerprint = id === 'random' ? null : requireFitting(recipe, id, weights);
  return { ...recipe, network: { ...recipe.network, base: { ...base, weights: id, weightsFingerprint } } };
}

/** What the trainer reads, or null for a random start; throws `weights_missing` when they are gone or are others than the run began with. */
export function locateWeights(recipe: Recipe, weights: WeightsService): BaseWeights | null {
  const { base } = recipe.network;
  if (base === null || base.weights === 'random') return null;
  const found = weights.locate(base.weights);
  if (base.weightsFingerprint === null || found.sha256 === base.weightsFingerprint) return found;
  throw new LabError('weights_missing', `The weights ${base.weights} are not those that this run began with.`, {
    expected: base.weightsFingerprint,
    received: found.sha256,
    help: 'Import the file again that was used then, or start a run of its own with these weights.',
  });
}

function requireFitting(recipe: Recipe, id: string, weights: WeightsService): string {
  const { base } = recipe.network;
  const entry = weights.find(id);
  if (entry === undefined) throw missing(recipe, id, weights);
  if (base !== null && (entry.network !== base.network || entry.alpha !== base.alpha)) {
    throw new LabError('bad_usage', `The weights ${id} belong to another network than the base of ${recipe.id}.`, {
      expected: `weights of ${base.network} with alpha ${base.alpha}`,
      received: `weights of ${entry.network} with alpha ${entry.alpha}`,
      help: '`lab weights list` shows which weights belong to which network.',
    });
  }
  return entry.fingerprint;
}

function missing(recipe: Recipe, id: string, weights: WeightsService): LabError {
  const { base } = recipe.network;
  const fitting = weights.list().weights.filter((entry) => entry.network === base?.network && entry.alpha === base.alpha);
  const instead = ['random', ...fitting.map((entry) => entry.id)].map((choice) => `--weights ${choice}`).join(' or ');
  return new LabError('weights_missing', `The recipe ${recipe.id} starts from the weights ${id}, which are not in the lab.`, {
    help: `Import Keras's file with \`lab weights import FILE --network ${base?.network ?? ''} --name ${id}\`, or use ${instead}.`,
  });
}
