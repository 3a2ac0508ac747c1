// The transfer ladder: one recipe becomes several that differ only in how far they go, from features of frozen layers to training everything.
// Split, seed, head and batch size stay; each rung adds one thing to the rung before. Gradual unfreezing is the same climb inside one recipe.
import { LabError } from '../contract/errors.ts';
import type { Augmentation } from '../contract/augmentation.ts';
import { augmentationSchema } from '../contract/augmentation.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import { withoutRetraining } from './retraining.ts';
import { findTransfer, trainHead, trainParts, type Transfer } from './unfreezing.ts';

export interface Rung {
  readonly id: 'features' | 'features-augmented' | 'finetune-last' | 'finetune-all';
  readonly title: string;
  readonly description: string;
  readonly recipe: Recipe;
}

/**
 * The rungs of a recipe with a base, or of one like document 000 whose last phase goes on from an earlier one. A part that is the only one
 * has no rung of its own, because it is everything. Throws LabError bad_recipe with the reason when there is nothing to climb.
 */
export function makeLadder(given: Recipe): readonly Rung[] {
  const recipe = withoutRetraining(given);
  const transfer = findTransfer(recipe);
  const augmentation = findAugmentation(recipe);
  const last = transfer.parts[0]?.name ?? '';
  const hasBase = recipe.network.base !== null;
  const what = hasBase ? `the layers of ${recipe.network.base?.network ?? ''}` : `the layers up to ${transfer.lastFrozen}`;
  const changed = recipe.phases.some((phase) => phase.augmentation !== null) ? 'the augmentation of the recipe' : 'slight augmentation';
  const head = trainHead(transfer, 'head', augmentation);
  const tuneLast = trainParts(transfer, 1, `tune ${last}`, augmentation, 0.1);
  const tuneAll = trainParts(transfer, transfer.parts.length, 'tune all', augmentation, hasBase ? 0.01 : 0.1);
  const rungs: (readonly [Rung['id'], string, string, readonly Phase[]])[] = [
    [
      'features',
      'Features',
      `Freezes ${what} and trains what follows on their features, which are computed once.`,
      [trainHead(transfer, 'head', null)],
    ],
    ['features-augmented', 'Features, augmented', `Freezes ${what} and trains what follows with ${changed}.`, [head]],
    ['finetune-last', `Fine-tune ${last}`, `After that, trains ${last} too, at a tenth of the learning rate.`, [head, tuneLast]],
    [
      'finetune-all',
      'Fine-tune everything',
      `Trains everything instead, at ${hasBase ? 'a hundredth' : 'a tenth'} of the rate.`,
      [head, tuneAll],
    ],
  ];
  return rungs
    .filter(([id]) => id !== 'finetune-last' || tuneLast.trainable.type !== 'all')
    .map(([id, title, description, phases]) => ({
      id,
      title,
      description,
      recipe: nameRung(recipe, transfer, { id, title, description, phases }),
    }));
}

/**
 * A head phase, then `steps` phases that each unfreeze one part more from the top, at a tenth of the learning rate and half as much each
 * time. The last phase's epochs are shared among them. Throws LabError bad_usage for more steps than there are parts.
 */
export function makeGradualUnfreezing(given: Recipe, steps: number): Recipe {
  const recipe = withoutRetraining(given);
  const transfer = findTransfer(recipe);
  const most = Math.min(transfer.parts.length, 19 - transfer.before.length);
  if (!Number.isInteger(steps) || steps < 1 || steps > most) {
    throw new LabError('bad_usage', `The network cannot be unfrozen in ${steps} steps.`, {
      expected: `1 to ${most} steps`,
      received: String(steps),
      help: 'Every step unfreezes one part more.',
    });
  }
  const augmentation = transfer.tune.augmentation;
  const epochs = Math.ceil(transfer.tune.epochs / steps);
  const phases = transfer.parts.slice(0, steps).map(({ name }, index) => ({
    ...trainParts(transfer, index + 1, `unfreeze ${name}`, augmentation, 0.1 / 2 ** index),
    epochs,
  }));
  return {
    ...recipe,
    published: [],
    phases: renamed(transfer.before, [trainHead(transfer, 'head', transfer.head.augmentation), ...phases]),
  };
}

interface RungParts extends Omit<Rung, 'recipe'> {
  readonly phases: readonly Phase[];
}

function nameRung(recipe: Recipe, transfer: Transfer, { id, title, description, phases }: RungParts): Recipe {
  const room = 64 - id.length - 1;
  return {
    ...recipe,
    id: `${recipe.id.slice(0, room).replace(/-+$/, '')}-${id}`,
    title: `${recipe.title.slice(0, 120 - title.length - 2)}: ${title}`,
    description,
    document: null,
    phases: renamed(transfer.before, phases),
    published: [],
    knownErrors: [],
  };
}

/** Earlier phases keep their names; one of the climb that has the same gets another. */
function renamed(before: readonly Phase[], phases: readonly Phase[]): Phase[] {
  const taken = new Set(before.map(({ name }) => name));
  const rename = (name: string): string => (taken.has(name) ? rename(`${name.slice(0, 50)} again`) : name);
  return [...before, ...phases.map((phase) => ({ ...phase, name: rename(phase.name) }))];
}

/** The recipe's own, that of its last phase that has one; otherwise what leaves the meaning of nearly every picture alone. */
function findAugmentation(recipe: Recipe): Augmentation {
  const own = recipe.phases.findLast(({ augmentation }) => augmentation !== null)?.augmentation ?? null;
  if (own !== null) return own;
  const horizontalFlip = !recipe.dataset.classes.every(isDigit);
  return augmentationSchema.parse({ rotationRange: 15, widthShiftRange: 0.1, heightShiftRange: 0.1, zoomRange: 0.1, horizontalFlip });
}

const digits: ReadonlySet<string> = new Set(['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']);

/** A mirrored digit is no digit. */
function isDigit(name: string): boolean {
  return /^\d+$/.test(name) || digits.has(name.toLowerCase());
}
