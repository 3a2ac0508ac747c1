// What phases say of layers by name: the freeze line, single layers, learning rates up to a layer. When layers go or get other names, what
// names them follows.
import type { Phase, Recipe, Trainable } from '../../contract/schema.ts';

/**
 * A name that stays or changes; or where a layer that was meant as the last of a stretch is followed by another one than a layer that was
 * meant alone. `chosen` null forgets the layer, `last` null ends the stretch before the first layer.
 */
export type Followed = string | { readonly chosen: string | null; readonly last: string | null };

/** The recipe with every reference of its phases to a layer taken to where `follow` says. */
export function followNames(recipe: Recipe, follow: (name: string) => Followed): Recipe {
  const lastOf = (name: string): string | null => {
    const followed = follow(name);
    return typeof followed === 'string' ? followed : followed.last;
  };
  const chosenOf = (name: string): string | null => {
    const followed = follow(name);
    return typeof followed === 'string' ? followed : followed.chosen;
  };
  const phases = recipe.phases.map((phase): Phase => ({
    ...phase,
    trainable: followTrainable(phase.trainable, lastOf, chosenOf),
    learningRateMultipliers: followMultipliers(phase.learningRateMultipliers, lastOf),
  }));
  return { ...recipe, phases };
}

type Find = (name: string) => string | null;

function followTrainable(trainable: Trainable, lastOf: Find, chosenOf: Find): Trainable {
  if (trainable.type === 'freezeUpTo') {
    const layer = lastOf(trainable.layer);
    return layer === null ? { type: 'all' } : { type: 'freezeUpTo', layer };
  }
  if (trainable.type !== 'layers') return trainable;
  const names = trainable.names.flatMap((name) => chosenOf(name) ?? []);
  return names.length === 0 ? { type: 'none' } : { type: 'layers', names: [...new Set(names)] };
}

/** Stretches that end at the same layer afterwards keep the multiplier of the last of them. */
function followMultipliers(entries: Phase['learningRateMultipliers'], lastOf: Find): Phase['learningRateMultipliers'] {
  const followed = entries.flatMap(({ upTo, multiplier }) => {
    const last = lastOf(upTo);
    return last === null ? [] : [{ upTo: last, multiplier }];
  });
  return followed.filter(({ upTo }, index) => followed.findLastIndex((other) => other.upTo === upTo) === index);
}
