// Editing the list of layers: adding, removing, moving, renaming. Every edit first writes down all layer names, because names that are
// counted (conv2d, conv2d_1) would otherwise wander to other layers, and with them inputs and freeze lines; references follow the edit.
// Only the layers behind a base can be edited: positions count those alone, and their names stay apart from the names of the base.
import type { Base } from '../../contract/base.ts';
import { LabError } from '../../contract/errors.ts';
import { layerSchema, type Layer, type LayerType } from '../../contract/layers.ts';
import type { Recipe } from '../../contract/schema.ts';
import { inputName, resolveNetwork } from '../network.ts';
import { listBlocks } from '../zoo/blocks.ts';
import { makeBaseLayers } from '../zoo/expand.ts';
import { describeVariant } from './fields.ts';
import { followNames } from './references.ts';
import { startMember } from './starters.ts';

export type NamedLayer = Layer & { readonly name: string };

/** A block of the base as positions in the list of layers; `end` is the first one behind it. */
export interface LayerBlock {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The layers of a network as they are listed: those of the base, which nobody edits, and those behind it. */
export interface ListedLayers {
  readonly all: readonly NamedLayer[];
  /** How many of them are the base's. */
  readonly baseCount: number;
  /** Together all layers of the base. */
  readonly blocks: readonly LayerBlock[];
}

/** Families as the menu for adding shows them; together they hold every type once. */
export const layerFamilies: readonly { readonly label: string; readonly types: readonly LayerType[] }[] = [
  { label: 'Convolution', types: ['Conv2D', 'SeparableConv2D', 'DepthwiseConv2D', 'ZeroPadding2D'] },
  { label: 'Pooling', types: ['MaxPooling2D', 'AveragePooling2D', 'GlobalAveragePooling2D', 'GlobalMaxPooling2D'] },
  { label: 'Core', types: ['Flatten', 'Dense', 'Activation', 'Rescaling'] },
  { label: 'Regularisation', types: ['Dropout', 'SpatialDropout2D', 'GaussianNoise'] },
  { label: 'Normalisation', types: ['BatchNormalization', 'LayerNormalization'] },
  { label: 'Joining branches', types: ['Add', 'Concatenate'] },
];

/** A layer of the type with its defaults; `options` replace them. */
export function createLayer(type: LayerType, options: Readonly<Record<string, unknown>> = {}): Layer {
  const member = describeVariant(layerSchema).find((one) => one.type === type);
  const start = member === undefined ? { type } : startMember(member);
  const inputs = type === 'Add' || type === 'Concatenate' ? { inputs: [inputName, inputName] } : {};
  return layerSchema.parse({ ...start, ...inputs, ...options });
}

/** A base that cannot be cut where the recipe says is listed whole. */
export function listLayers(network: Recipe['network']): ListedLayers {
  if (network.base === null) return { all: nameEveryLayer(network.layers), baseCount: 0, blocks: [] };
  const { base, layers } = makeListed(network.base);
  const positions = new Map(layers.map(({ name }, index) => [name, index]));
  const blocks = listBlocks(base).map(({ name, firstLayer, lastLayer }) => {
    return { name, start: positions.get(firstLayer) ?? 0, end: (positions.get(lastLayer) ?? 0) + 1 };
  });
  return { all: nameEveryLayer([...layers, ...network.layers]), baseCount: layers.length, blocks };
}

function makeListed(base: Base): { readonly base: Base; readonly layers: readonly Layer[] } {
  try {
    return { base, layers: makeBaseLayers(base) };
  } catch (error) {
    if (!(error instanceof LabError) || base.cutAt === null) throw error;
    return makeListed({ ...base, cutAt: null });
  }
}

/** Explicit names for all, equal to those that the network would count. */
export function nameEveryLayer(layers: readonly Layer[]): NamedLayer[] {
  const taken = new Set(layers.flatMap(({ name }) => (name === undefined ? [] : [name])));
  return layers.map((layer) => {
    if (layer.name !== undefined) return { ...layer, name: layer.name };
    const name = findFreeName(layer, taken);
    taken.add(name);
    return { ...layer, name };
  });
}

/** Keras's name for the type with the first number that nobody has. */
function findFreeName(layer: Layer, taken: ReadonlySet<string>): string {
  const base = nameOfType(layer);
  for (let count = 0; ; count += 1) {
    const name = count === 0 ? base : `${base}_${count}`;
    if (!taken.has(name)) return name;
  }
}

/** The name that the network would give to the only layer of this type. */
function nameOfType(layer: Layer): string {
  const alone = resolveNetwork([createLayer(layer.type)], [64, 64, 3], null);
  return alone.network.layers[0]?.name ?? (alone.ok ? layer.type : alone.problem.layer);
}

/** `position` counts the layers before it, without those of the base; the layer gets a name that is free. */
export function insertLayer(recipe: Recipe, position: number, layer: Layer): Recipe {
  const { all, baseCount } = listLayers(recipe.network);
  const taken = new Set(all.map(({ name }) => name));
  const isFree = layer.name !== undefined && !taken.has(layer.name);
  const named = isFree ? layer : { ...layer, name: findFreeName(layer, taken) };
  const joined = named.type === 'Add' || named.type === 'Concatenate';
  const inserted = joined ? { ...named, inputs: nearestTwo(all, baseCount + position, named.inputs) } : named;
  return withLayers(recipe, all.slice(baseCount).toSpliced(position, 0, { ...inserted, name: inserted.name ?? '' }));
}

/** A joining layer that came without real inputs begins with the two layers before it. */
function nearestTwo(layers: readonly NamedLayer[], position: number, given: readonly string[]): string[] {
  if (given.some((one) => one !== inputName)) return [...given];
  const names = [inputName, ...layers.slice(0, position).map(({ name }) => name)].slice(-2);
  return names.length === 2 ? names : [inputName, inputName];
}

/** A copy right after the layer, under a name of its own. */
export function duplicateLayer(recipe: Recipe, index: number): Recipe {
  const { all, baseCount } = listLayers(recipe.network);
  const layer = all[baseCount + index];
  return layer === undefined ? recipe : insertLayer(recipe, index + 1, layer);
}

/** Layers that took the removed one as input take its inputs; a freeze line at it moves to the layer before. */
export function removeLayer(recipe: Recipe, index: number): Recipe {
  const { all, baseCount } = listLayers(recipe.network);
  const head = all.slice(baseCount);
  const removed = head[index];
  if (removed === undefined || head.length === 1) return recipe;
  const before = all[baseCount + index - 1]?.name;
  const heirs = removed.inputs ?? [before ?? inputName];
  const kept = head.filter((layer) => layer !== removed).map((layer) => replaceInputs(layer, removed.name, heirs));
  return followNames(withLayers(recipe, kept), (name) => (name === removed.name ? { chosen: null, last: before ?? null } : name));
}

function replaceInputs(layer: NamedLayer, gone: string, heirs: readonly string[]): NamedLayer {
  if (layer.inputs?.includes(gone) !== true) return layer;
  return { ...layer, inputs: layer.inputs.flatMap((input) => (input === gone ? heirs : [input])) };
}

/** The freeze line stays at its height while layers cross it. */
export function moveLayer(recipe: Recipe, from: number, to: number): Recipe {
  const { all, baseCount } = listLayers(recipe.network);
  const before = all.slice(baseCount);
  const layers = [...before];
  const [moved] = layers.splice(from, 1);
  if (moved === undefined || to < 0 || to > layers.length) return recipe;
  layers.splice(to, 0, moved);
  return followNames(withLayers(recipe, layers), (name) => {
    const last = layers[before.findIndex((layer) => layer.name === name)]?.name;
    return last === undefined ? name : { chosen: name, last };
  });
}

/** Other options for one layer; where its name changes, all references follow. */
export function replaceLayer(recipe: Recipe, index: number, layer: Layer): Recipe {
  const { all, baseCount } = listLayers(recipe.network);
  const old = all[baseCount + index]?.name;
  if (index < 0 || old === undefined) return recipe;
  const name = layer.name ?? findFreeName(layer, new Set(all.filter((_, other) => other !== baseCount + index).map((one) => one.name)));
  const replaced = all.slice(baseCount).map((one, other) => (other === index ? { ...layer, name } : replaceInputs(one, old, [name])));
  return followNames(withLayers(recipe, replaced), (one) => (one === old ? name : one));
}

function withLayers(recipe: Recipe, layers: readonly Layer[]): Recipe {
  return { ...recipe, network: { ...recipe.network, layers: [...layers] } };
}
