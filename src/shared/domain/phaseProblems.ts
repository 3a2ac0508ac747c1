// Why the phases of a recipe cannot follow one another as they say: learning rates for layers that are not there, epochs of a phase that
// comes later, validation pictures that were trained on. Asked by recipe.ts, which has the problems of single phases.
import type { Phase, Recipe, Split } from '../contract/schema.ts';
import { findNearest } from './nearest.ts';
import type { NetworkProblem, ResolvedNetwork } from './networkTypes.ts';

/** Entries of learningRateMultipliers name layers of the network, in its order, each once. */
export function findMultiplierProblem(phase: Phase, index: number, network: ResolvedNetwork): NetworkProblem | null {
  const layer = `phases.${index}.learningRateMultipliers`;
  const names = network.layers.map(({ name }) => name);
  let before = -1;
  for (const { upTo } of phase.learningRateMultipliers) {
    const position = names.indexOf(upTo);
    if (position < 0) {
      const near = findNearest(upTo, names).map((name) => `'${name}'`);
      const fix = near.length > 0 ? `Use ${near.join(' or ')}.` : 'Write the name of a layer as `recipes params` prints it.';
      return { layer, message: `The network has no layer called '${upTo}'.`, fix };
    }
    const previous = names[before] ?? '';
    if (position === before) {
      return { layer, message: `Phase '${phase.name}' gives '${upTo}' two multipliers.`, fix: 'Keep one of them.' };
    }
    if (position < before) {
      const message = `'${upTo}' comes before '${previous}' in the network, so its multiplier would cover nothing.`;
      return { layer, message, fix: `Write '${upTo}' before '${previous}', in the order of the network.` };
    }
    before = position;
  }
  return null;
}

const soundFix = "Choose the protocol 'sound', or hold out validation pictures in the split.";

/** What a phase takes from other phases and from the split: its epochs, its pictures, and what it may watch. */
export function findSequenceProblem(recipe: Recipe, index: number, split: Split): NetworkProblem | null {
  const phase = recipe.phases[index];
  if (phase === undefined) return null;
  const place = `phases.${index}`;
  return findEpochsProblem(recipe, phase, index, split) ?? findJoinedProblem(phase, place, split) ?? findSpentProblem(recipe, index, split);
}

function findEpochsProblem({ phases }: Recipe, phase: Phase, index: number, split: Split): NetworkProblem | null {
  if (phase.epochsFrom === null) return null;
  const layer = `phases.${index}.epochsFrom`;
  const wanted = phase.epochsFrom.phase;
  const earlier = phases.slice(0, index);
  const source = earlier.find(({ name }) => name === wanted);
  if (source === undefined) {
    const usable = earlier.filter(({ trainOn }) => trainOn === 'train').map(({ name }) => `'${name}'`);
    const fix = usable.length > 0 ? `Name ${usable.join(' or ')}.` : 'Set epochsFrom to null: there is no phase before this one.';
    return { layer, message: `Phase '${phase.name}' takes its epochs from '${wanted}', which is no earlier phase.`, fix };
  }
  if (source.trainOn === 'train' && split.validation.type !== 'none') return null;
  const why = source.trainOn === 'train' ? 'the split holds out no validation pictures' : 'it trains on the validation pictures too';
  const fix = source.trainOn === 'train' ? soundFix : `Set trainOn of '${wanted}' to 'train'.`;
  return { layer, message: `Phase '${wanted}' cannot tell its best epoch: ${why}.`, fix };
}

/** A phase that trains on the validation pictures has none left to watch, and must not take the test pictures for them. */
function findJoinedProblem(phase: Phase, place: string, split: Split): NetworkProblem | null {
  if (phase.trainOn === 'train') return null;
  if (split.validation.type === 'testSet') {
    return {
      layer: `${place}.trainOn`,
      message: `Phase '${phase.name}' would train on the test pictures, because the split uses them for validation.`,
      fix: soundFix,
    };
  }
  const { schedule } = phase;
  const watching: readonly (readonly [field: string, isWatching: boolean, fix: string])[] = [
    ['keep', phase.keep !== 'last', "Set keep to 'last'."],
    ['earlyStopping', phase.earlyStopping?.monitor.startsWith('val') ?? false, 'Set earlyStopping to null, or watch the training loss.'],
    ['schedule', schedule.type === 'reduceOnPlateau' && schedule.monitor.startsWith('val'), "Set its monitor to 'loss' or 'accuracy'."],
  ];
  const found = watching.find(([, isWatching]) => isWatching);
  if (found === undefined) return null;
  const [field, , fix] = found;
  const message = `${field} of phase '${phase.name}' watches the validation set, but the phase trains on it.`;
  return { layer: `${place}.${field}`, message, fix };
}

/** Weights that have seen the validation pictures cannot be validated with them. */
function findSpentProblem({ phases }: Recipe, index: number, split: Split): NetworkProblem | null {
  const phase = phases[index];
  if (phase?.trainOn !== 'train' || phase.startFrom === 'fresh' || split.validation.type === 'none') return null;
  const firstOfChain = phases.findLastIndex(({ startFrom }, position) => position <= index && startFrom === 'fresh');
  const joined = phases.slice(Math.max(0, firstOfChain), index).find(({ trainOn }) => trainOn === 'trainAndValidation');
  if (joined === undefined) return null;
  return {
    layer: `phases.${index}.trainOn`,
    message: `Phase '${phase.name}' would validate with pictures that '${joined.name}' has trained on.`,
    fix: "Set its trainOn to 'trainAndValidation', or its startFrom to 'fresh'.",
  };
}
