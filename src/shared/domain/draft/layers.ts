// Editing the list of layers: adding, removing, moving, renaming. Every edit first writes down all layer names, because names that are
// counted (conv2d, conv2d_1) would otherwise wander to other layers, and with them inputs and freeze lines; references follow the edit.
import { layerSchema, type Layer, type LayerType } from '../../contract/layers.ts';
import type { Phase, Recipe, Trainable } from '../../contract/schema.ts';
import { inputName, resolveNetwork } from '../network.ts';
import { describeVariant } from './fields.ts';
import { startMember } from './starters.ts';

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

/** Explicit names for all, equal to those that the network would count. */
export function nameEveryLayer(layers: readonly Layer[]): (Layer & { readonly name: string })[] {
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

/** `position` counts the layers before it; the layer gets a name that is free. */
export function insertLayer(recipe: Recipe, position: number, layer: Layer): Recipe {
  const layers = nameEveryLayer(recipe.network.layers);
  const taken = new Set(layers.map(({ name }) => name));
  const isFree = layer.name !== undefined && !taken.has(layer.name);
  const named = isFree ? layer : { ...layer, name: findFreeName(layer, taken) };
  const joined = named.type === 'Add' || named.type === 'Concatenate';
  const inserted = joined ? { ...named, inputs: nearestTwo(layers, position, named.inputs) } : named;
  return withLayers(recipe, [...layers.slice(0, position), inserted, ...layers.slice(position)]);
}

/** A joining layer that came without real inputs begins with the two layers before it. */
function nearestTwo(layers: readonly { readonly name: string }[], position: number, given: readonly string[]): string[] {
  if (given.some((one) => one !== inputName)) return [...given];
  const names = [inputName, ...layers.slice(0, position).map(({ name }) => name)].slice(-2);
  return names.length === 2 ? names : [inputName, inputName];
}

/** A copy right after the layer, under a name of its own. */
export function duplicateLayer(recipe: Recipe, index: number): Recipe {
  const layer = nameEveryLayer(recipe.network.layers)[index];
  return layer === undefined ? recipe : insertLayer(recipe, index + 1, layer);
}

/** Layers that took the removed one as input take its inputs; a freeze line at it moves to the layer before. */
export function removeLayer(recipe: Recipe, index: number): Recipe {
  const layers = nameEveryLayer(recipe.network.layers);
  const removed = layers[index];
  if (removed === undefined || layers.length === 1) return recipe;
  const before = layers[index - 1]?.name;
  const heirs = removed.inputs ?? [before ?? inputName];
  const kept = layers.filter((layer) => layer !== removed).map((layer) => replaceInputs(layer, removed.name, heirs));
  return withLayers(recipe, kept, (trainable) => forgetLayer(trainable, removed.name, before));
}

function replaceInputs(layer: Layer, gone: string, heirs: readonly string[]): Layer {
  if (layer.inputs?.includes(gone) !== true) return layer;
  return { ...layer, inputs: layer.inputs.flatMap((input) => (input === gone ? heirs : [input])) };
}

function forgetLayer(trainable: Trainable, gone: string, before: string | undefined): Trainable {
  if (trainable.type === 'freezeUpTo' && trainable.layer === gone) {
    return before === undefined ? { type: 'all' } : { type: 'freezeUpTo', layer: before };
  }
  if (trainable.type !== 'layers') return trainable;
  const names = trainable.names.filter((name) => name !== gone);
  return names.length === 0 ? { type: 'none' } : { type: 'layers', names };
}

/** The freeze line stays at its height while layers cross it. */
export function moveLayer(recipe: Recipe, from: number, to: number): Recipe {
  const before = nameEveryLayer(recipe.network.layers);
  const layers = [...before];
  const [moved] = layers.splice(from, 1);
  if (moved === undefined || to < 0 || to > layers.length) return recipe;
  layers.splice(to, 0, moved);
  return withLayers(recipe, layers, (trainable) => {
    if (trainable.type !== 'freezeUpTo') return trainable;
    const layer = layers[before.findIndex(({ name }) => name === trainable.layer)]?.name;
    return layer === undefined ? trainable : { type: 'freezeUpTo', layer };
  });
}

/** Other options for one layer; where its name changes, all references follow. */
export function replaceLayer(recipe: Recipe, index: number, layer: Layer): Recipe {
  const layers = nameEveryLayer(recipe.network.layers);
  const old = layers[index]?.name;
  if (old === undefined) return recipe;
  const name = layer.name ?? findFreeName(layer, new Set(layers.filter((_, other) => other !== index).map((one) => one.name)));
  const replaced = layers.map((one, other) => (other === index ? { ...layer, name } : replaceInputs(one, old, [name])));
  return withLayers(recipe, replaced, (trainable) => renameIn(trainable, old, name));
}

function renameIn(trainable: Trainable, old: string, name: string): Trainable {
  if (trainable.type === 'freezeUpTo' && trainable.layer === old) return { type: 'freezeUpTo', layer: name };
  if (trainable.type !== 'layers') return trainable;
  return { type: 'layers', names: trainable.names.map((one) => (one === old ? name : one)) };
}

function withLayers(recipe: Recipe, layers: readonly Layer[], follow: (trainable: Trainable) => Trainable = (same) => same): Recipe {
  const phases = recipe.phases.map((phase): Phase => ({ ...phase, trainable: follow(phase.trainable) }));
  return { ...recipe, network: { ...recipe.network, layers: [...layers] }, phases };
}
