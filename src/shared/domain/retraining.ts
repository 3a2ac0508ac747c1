// "Find the best epoch, then retrain on training and validation pictures" as a second phase of a recipe, and how many epochs that phase
// trains once the first has spoken. The search keeps its last weights: only the number of epochs goes on from it.
import { LabError } from '../contract/errors.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import { chooseEpoch, type EpochMetrics } from './policies.ts';

export type RetrainingMonitor = NonNullable<Phase['epochsFrom']>['monitor'];

/** Whether a phase of the recipe takes its epochs from another. */
export function hasRetraining(recipe: Recipe): boolean {
  return recipe.phases.some(({ epochsFrom }) => epochsFrom !== null);
}

/** Appends the second phase to a recipe of one phase; throws LabError bad_recipe for several phases. */
export function withRetraining(recipe: Recipe, monitor: RetrainingMonitor): Recipe {
  const [search, ...others] = withoutRetraining(recipe).phases;
  if (search === undefined || others.length > 0) {
    throw new LabError('bad_recipe', 'Only a recipe of one phase can be retrained as a whole.', {
      expected: '1 phase',
      received: `${others.length + 1} phases`,
      help: 'Set epochsFrom and trainOn of a phase by hand.',
    });
  }
  const retrain: Phase = {
    ...search,
    name: search.name === 'retrain' ? 'retrain on all' : 'retrain',
    startFrom: 'fresh',
    trainOn: 'trainAndValidation',
    epochsFrom: { phase: search.name, monitor },
    keep: 'last',
    earlyStopping: null,
    schedule: watchTraining(search.schedule),
  };
  return { ...recipe, phases: [{ ...search, keep: 'last' }, retrain] };
}

/** Removes phases that take their epochs from another. */
export function withoutRetraining(recipe: Recipe): Recipe {
  return hasRetraining(recipe) ? { ...recipe, phases: recipe.phases.filter(({ epochsFrom }) => epochsFrom === null) } : recipe;
}

/** A plateau of the validation set cannot be seen while training on it; that of the training set comes closest. */
function watchTraining(schedule: Phase['schedule']): Phase['schedule'] {
  if (schedule.type !== 'reduceOnPlateau') return schedule;
  return { ...schedule, monitor: schedule.monitor.endsWith('ccuracy') ? 'accuracy' : 'loss' };
}

/** Epochs that the phase trains, with a sentence for the log; `epochsOf` answers the metrics of an earlier phase, null when they are lost. */
export function settleEpochs(
  recipe: Recipe,
  index: number,
  epochsOf: (phase: number) => readonly EpochMetrics[] | null,
): { readonly epochs: number; readonly text: string | null } {
  const phase = recipe.phases[index];
  if (phase === undefined) throw new LabError('internal', `The recipe has no phase ${index}.`);
  if (phase.epochsFrom === null) return { epochs: phase.epochs, text: null };
  const { phase: name, monitor } = phase.epochsFrom;
  const position = recipe.phases.findIndex((one) => one.name === name);
  const epochs = position < index ? epochsOf(position) : null;
  const best = epochs === null ? null : chooseEpoch(epochs, monitor === 'valLoss' ? 'best-val-loss' : 'best-val-accuracy');
  if (best === null) {
    throw new LabError('training_failed', `The best epoch of phase ${name} is not known.`, {
      expected: 'validated epochs of that phase in the folder of the run',
      received: epochs === null ? 'none' : `${epochs.length} epochs without validation`,
      help: 'Start the recipe as a new run.',
    });
  }
  const count = Math.min(best, phase.epochs);
  const what = monitor === 'valLoss' ? 'validation loss' : 'validation accuracy';
  const told =
    best === count
      ? `the best epoch of phase ${name} by ${what}`
      : `the most it may; the best epoch of phase ${name} by ${what} is ${best}`;
  return { epochs: count, text: `Retraining for ${count} ${count === 1 ? 'epoch' : 'epochs'}, ${told}.` };
}
