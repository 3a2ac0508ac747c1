// Discriminative learning rates as a table: one multiplier for each block of the base and one for what follows, or one per layer with
// weights where there is no base. A recipe keeps them as stretches that end at a layer.
import type { Phase, Recipe } from '../../contract/schema.ts';
import { listLayers, type ListedLayers, type NamedLayer } from './layers.ts';

export interface RateGroup {
  readonly name: string;
  /** The last layer of the stretch. */
  readonly upTo: string;
  readonly multiplier: number;
}

type Entries = Phase['learningRateMultipliers'];

/** In the order of the layers; a stretch that ends inside a block stands for itself. `hasWeights` tells of layers without a base. */
export function listRateGroups(recipe: Recipe, entries: Entries, hasWeights: (name: string) => boolean): readonly RateGroup[] {
  const listed = listLayers(recipe.network);
  const { all } = listed;
  const ends = new Map(findEnds(listed, hasWeights));
  for (const { upTo } of entries) {
    const index = all.findIndex(({ name }) => name === upTo);
    if (index >= 0 && !ends.has(index)) ends.set(index, `up to ${upTo}`);
  }
  return [...ends]
    .sort(([a], [b]) => a - b)
    .map(([index, name]) => ({ name, upTo: all[index]?.name ?? '', multiplier: findMultiplier(all, entries, index) }));
}

function findEnds({ all, blocks }: ListedLayers, hasWeights: (name: string) => boolean): [number, string][] {
  if (blocks.length === 0) return all.flatMap(({ name }, index): [number, string][] => (hasWeights(name) ? [[index, name]] : []));
  return [...blocks.map(({ name, end }): [number, string] => [end - 1, name]), [all.length - 1, 'behind the base']];
}

/** Of the layer at `index`: that of the first stretch that reaches it, else 1. */
function findMultiplier(all: readonly NamedLayer[], entries: Entries, index: number): number {
  const reaching = entries.find(({ upTo }) => all.findIndex(({ name }) => name === upTo) >= index);
  return reaching?.multiplier ?? 1;
}

/** The stretches that say what the groups say, as few as possible. */
export function writeRates(groups: readonly RateGroup[]): Entries {
  const merged = groups.filter(({ multiplier }, index) => multiplier !== groups[index + 1]?.multiplier);
  const last = merged.at(-1);
  const written = last?.multiplier === 1 ? merged.slice(0, -1) : merged;
  return written.map(({ upTo, multiplier }) => ({ upTo, multiplier }));
}

/** The last group learns at the full rate, each one before it at half of the next; frozen groups are skipped and keep the full rate. */
export function halvePerGroup(groups: readonly RateGroup[], isTrained: (group: RateGroup) => boolean): readonly RateGroup[] {
  let multiplier = 2;
  return groups
    .toReversed()
    .map((group) => {
      if (!isTrained(group)) return { ...group, multiplier: 1 };
      multiplier /= 2;
      return { ...group, multiplier };
    })
    .toReversed();
}
