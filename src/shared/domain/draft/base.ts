// Choosing the base of a network. What follows the base stays as it is; phases that named layers of the old base are taken to where the
// same stands in the new one, counted in blocks from the end, because that is how far a base is opened for training.
import { baseSchema, type Base, type ZooNetwork } from '../../contract/base.ts';
import type { WeightsEntry } from '../../contract/methods/weights.ts';
import type { Recipe } from '../../contract/schema.ts';
import { listBlocks } from '../zoo/blocks.ts';
import { makeBaseLayers } from '../zoo/expand.ts';
import { listLayers, type ListedLayers } from './layers.ts';
import { followNames, type Followed } from './references.ts';

/** How people call the networks. */
export const networkTitles: Readonly<Record<ZooNetwork, string>> = {
  VGG16: 'VGG16',
  VGG19: 'VGG19',
  MobileNet: 'MobileNet',
  EfficientNetLite0: 'EfficientNet-Lite0',
};

/** Width multipliers for which Keras publishes weights; others can only start at random. */
export const publishedAlphas: readonly number[] = [0.25, 0.5, 0.75, 1];

/** Another base, or none; its weights are those of `weights` that fit it best, else a random start. */
export function chooseBase(recipe: Recipe, network: ZooNetwork | null, weights: readonly WeightsEntry[]): Recipe {
  if (network === null) return setBase(recipe, null);
  const base = baseSchema.parse({ network });
  return setBase(recipe, { ...base, weights: listFitting(base, weights)[0]?.id ?? 'random' });
}

/** Those of this network and width, checked ones first. */
export function listFitting(base: Base, weights: readonly WeightsEntry[]): readonly WeightsEntry[] {
  const order = ['bundled', 'official', 'unverified'];
  return weights
    .filter(({ network, alpha }) => network === base.network && alpha === base.alpha)
    .sort((a, b) => order.indexOf(a.verified) - order.indexOf(b.verified));
}

/** What a base begins with whose weights are not there. */
export type BaseStart = 'random' | 'EfficientNetLite0';

export function replaceStart(recipe: Recipe, start: BaseStart, weights: readonly WeightsEntry[]): Recipe {
  const { base } = recipe.network;
  if (start === 'EfficientNetLite0') return chooseBase(recipe, start, weights);
  return base === null ? recipe : setBase(recipe, { ...base, weights: 'random' });
}

/** The id of weights that the recipe wants and that are not there for its base; null when it can start. */
export function findMissingWeights({ network: { base } }: Recipe, weights: readonly WeightsEntry[]): string | null {
  if (base === null || base.weights === 'random') return null;
  return listFitting(base, weights).some(({ id }) => id === base.weights) ? null : base.weights;
}

/** The recipe with this base; a fingerprint belongs to a run and is forgotten. */
export function setBase(recipe: Recipe, base: Base | null): Recipe {
  const next = base === null ? null : { ...base, weightsFingerprint: null };
  const changed = { ...recipe, network: { ...recipe.network, base: next } };
  const before = listLayers(recipe.network);
  const after = listLayers(changed.network);
  const names = new Set(after.all.map(({ name }) => name));
  return followNames(changed, (name) => (names.has(name) ? name : findSuccessor(name, before, after)));
}

/** A layer that neither base had is left to be told as a problem. */
function findSuccessor(name: string, before: ListedLayers, after: ListedLayers): Followed {
  const index = before.all.findIndex((layer) => layer.name === name);
  if (index < 0 || index >= before.baseCount) return name;
  const fromEnd = before.blocks.length - before.blocks.findIndex(({ end }) => index < end);
  const isWholeBlock = before.blocks.some(({ end }) => end === index + 1);
  // Within a block there is no same place: all of it stays free.
  const block = after.blocks.at(isWholeBlock ? -fromEnd : -fromEnd - 1);
  const isBelow = fromEnd > after.blocks.length || block === undefined;
  return { chosen: null, last: isBelow ? null : (after.all[block.end - 1]?.name ?? null) };
}

/** Blocks of the whole network, before it is cut, with the names of their layers. */
export function listWholeBlocks(base: Base): readonly { readonly name: string; readonly layers: readonly string[] }[] {
  const whole = { ...base, cutAt: null };
  const names = makeBaseLayers(whole).map((layer) => layer.name ?? '');
  return listBlocks(whole).map(({ name, firstLayer, lastLayer }) => {
    return { name, layers: names.slice(names.indexOf(firstLayer), names.indexOf(lastLayer) + 1) };
  });
}

/** The file of Keras's applications with the ImageNet weights of this base without its top; null where none is published. */
export function findKerasFile({ network, alpha }: Base): string | null {
  switch (network) {
    case 'VGG16':
    case 'VGG19':
      return `${network.toLowerCase()}_weights_tf_dim_ordering_tf_kernels_notop.h5`;
    case 'MobileNet': {
      const widths: Readonly<Record<string, string>> = { '0.25': '2_5', '0.5': '5_0', '0.75': '7_5', '1': '1_0' };
      const width = widths[String(alpha)];
      return width === undefined ? null : `mobilenet_${width}_224_tf_no_top.h5`;
    }
    case 'EfficientNetLite0':
      return null;
  }
}
