// The freeze line of a phase: how many layers of the whole list, counted from the input, keep their weights. Where single layers were chosen there is no line.
import type { Layer } from '../../contract/layers.ts';
import type { Trainable } from '../../contract/schema.ts';
import { nameEveryLayer } from './layers.ts';

/** `hasWeights` tells of each layer whether it has any, as far as that is known. */
export interface LineLayers {
  readonly layers: readonly Layer[];
  readonly hasWeights: (name: string) => boolean;
}

/** Layers above the line; null when the phase names single layers, or a layer that does not exist. */
export function findFreezeLine({ layers, hasWeights }: LineLayers, trainable: Trainable): number | null {
  const names = nameEveryLayer(layers).map(({ name }) => name);
  switch (trainable.type) {
    case 'all':
      return 0;
    case 'none':
      return names.length;
    case 'freezeUpTo': {
      const index = names.indexOf(trainable.layer);
      return index < 0 ? null : index + 1;
    }
    case 'lastLayers': {
      const weighted = names.flatMap((name, index) => (hasWeights(name) ? [index] : []));
      return weighted.at(-trainable.count) ?? null;
    }
    case 'layers':
      return null;
  }
}

/** What the phase says when the line stands below the first `position` layers. */
export function freezeUpTo(layers: readonly Layer[], position: number): Trainable {
  if (position <= 0) return { type: 'all' };
  if (position >= layers.length) return { type: 'none' };
  return { type: 'freezeUpTo', layer: nameEveryLayer(layers)[position - 1]?.name ?? '' };
}

/** Freezes or frees one layer. */
export function toggleTrainable(lineLayers: LineLayers, trained: ReadonlySet<string>, name: string): Trainable {
  return trainLayers(lineLayers, trained, [name], !trained.has(name));
}

/** Freezes or frees the named layers; the answer is a line again where the frozen layers with weights are the first ones. */
export function trainLayers(
  { layers, hasWeights }: LineLayers,
  trained: ReadonlySet<string>,
  changed: readonly string[],
  isWanted: boolean,
): Trainable {
  const weighted = nameEveryLayer(layers).flatMap((layer, index) => (hasWeights(layer.name) ? [{ name: layer.name, index }] : []));
  const isTrained = (one: string): boolean => (changed.includes(one) ? isWanted : trained.has(one));
  const names = weighted.filter((one) => isTrained(one.name)).map((one) => one.name);
  if (names.length === 0) return { type: 'none' };
  if (names.length === weighted.length) return { type: 'all' };
  const frozen = weighted.length - names.length;
  const isLine = weighted.slice(0, frozen).every((one) => !isTrained(one.name));
  return isLine ? freezeUpTo(layers, (weighted[frozen - 1]?.index ?? 0) + 1) : { type: 'layers', names };
}
