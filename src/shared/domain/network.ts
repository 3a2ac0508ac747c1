// From a layer list to shapes, weights, parameter counts and a memory estimate. The only place that knows them: the engine lowers this
// result, the command line and the pages print it. Rules of single layers are in networkRules.ts; what a recipe needs besides (classes,
// softmax, phases) is in recipe.ts.
import { LabError } from '../contract/errors.ts';
import type { Layer } from '../contract/layers.ts';
import type { Optimizer, Trainable } from '../contract/schema.ts';
import { findNearest } from './nearest.ts';
import { applyLayerRule } from './networkRules.ts';
import { findOutputProblem } from './networkOutput.ts';
import type { LayerShape, NetworkProblem, ParameterCounts, ResolvedLayer, ResolvedNetwork } from './networkTypes.ts';

/** The name under which layers refer to the pictures that enter the network. */
export const inputName = 'input';

export type NetworkResult =
  | { readonly ok: true; readonly network: ResolvedNetwork }
  | { readonly ok: false; readonly network: ResolvedNetwork; readonly problem: NetworkProblem };

/** With a problem, `network` holds the layers before it, so that counts so far can be shown; null as classCount leaves the output unchecked. */
export function resolveNetwork(layers: readonly Layer[], inputShape: LayerShape, classCount: number | null): NetworkResult {
  const names = nameLayers(layers);
  const resolved: ResolvedLayer[] = [];
  const shapes = new Map<string, LayerShape>([[inputName, inputShape]]);
  const finish = (): ResolvedNetwork => ({ inputShape, layers: resolved, output: resolved.at(-1)?.name ?? inputName });
  for (const [index, config] of layers.entries()) {
    const name = names[index] ?? '';
    const outcome = resolveLayer(config, name, config.inputs ?? [resolved.at(-1)?.name ?? inputName], shapes, names);
    if (!outcome.ok) return { ok: false, network: finish(), problem: { layer: name, message: outcome.message, fix: outcome.fix } };
    resolved.push(outcome.layer);
    shapes.set(name, outcome.layer.outputShape);
  }
  const network = finish();
  const problem = findUnusedLayer(network) ?? (classCount === null ? null : findOutputProblem(network, classCount));
  return problem === null ? { ok: true, network } : { ok: false, network, problem };
}

/** Keras's rule for layers without a name: the type in snake_case, then _1, _2 ... per type; names given explicitly are skipped. */
function nameLayers(layers: readonly Layer[]): string[] {
  const explicit = new Set(layers.flatMap((layer) => (layer.name === undefined ? [] : [layer.name])));
  const counters = new Map<string, number>();
  return layers.map((layer) => {
    if (layer.name !== undefined) return layer.name;
    const base = toSnakeCase(layer.type);
    for (let count = counters.get(base) ?? 0; ; count += 1) {
      const name = count === 0 ? base : `${base}_${count}`;
      counters.set(base, count + 1);
      if (!explicit.has(name)) return name;
    }
  });
}

function toSnakeCase(type: string): string {
  return type
    .replace(/([A-Z])([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

type LayerOutcome =
  { readonly ok: true; readonly layer: ResolvedLayer } | { readonly ok: false; readonly message: string; readonly fix: string };

function resolveLayer(
  config: Layer,
  name: string,
  inputs: readonly string[],
  shapes: ReadonlyMap<string, LayerShape>,
  names: readonly string[],
): LayerOutcome {
  if (shapes.has(name)) {
    const message =
      name === inputName
        ? `The name '${inputName}' is reserved for the pictures that enter the network.`
        : `Two layers are called '${name}'.`;
    return { ok: false, message, fix: 'Give the layer another name.' };
  }
  const inputShapes: LayerShape[] = [];
  for (const input of inputs) {
    const shape = shapes.get(input);
    if (shape === undefined) return refuseInput(input, names, [...shapes.keys()]);
    inputShapes.push(shape);
  }
  const result = applyLayerRule(config, inputShapes);
  if (!result.ok) return result;
  const weights = result.weights.map((draft) => ({ ...draft, path: `${name}/${draft.name}` }));
  const parameters = weights.reduce((sum, weight) => sum + countElements(weight.shape), 0);
  return { ok: true, layer: { name, config, inputs, inputShapes, outputShape: result.outputShape, weights, parameters } };
}

function refuseInput(input: string, names: readonly string[], earlier: readonly string[]): LayerOutcome {
  if (names.includes(input)) {
    return {
      ok: false,
      message: `The input '${input}' comes at the same place or later in the list; a layer can only use layers before it.`,
      fix: `Move '${input}' before this layer.`,
    };
  }
  const near = findNearest(input, earlier);
  const fix =
    near.length > 0 ? `Use ${near.map((name) => `'${name}'`).join(' or ')}.` : `Use '${inputName}' or the name of an earlier layer.`;
  return { ok: false, message: `There is no layer called '${input}' to take as input.`, fix };
}

function findUnusedLayer(network: ResolvedNetwork): NetworkProblem | null {
  const used = new Set([network.output, ...network.layers.flatMap((layer) => layer.inputs)]);
  const unused = network.layers.find((layer) => !used.has(layer.name));
  if (unused === undefined) return null;
  return {
    layer: unused.name,
    message: `The output of '${unused.name}' is used by no other layer and is not the end of the network.`,
    fix: `Name '${unused.name}' among the inputs of a later layer, or remove it.`,
  };
}

/** Names of the layers whose weights the phase trains; an unknown layer name is LabError bad_recipe with the nearest names. */
export function selectTrainableLayers(network: ResolvedNetwork, trainable: Trainable): ReadonlySet<string> {
  const names = network.layers.map((layer) => layer.name);
  switch (trainable.type) {
    case 'all':
      return new Set(names);
    case 'none':
      return new Set();
    case 'freezeUpTo':
      return new Set(names.slice(findLayerIndex(names, trainable.layer) + 1));
    case 'lastLayers': {
      const weighted = network.layers.filter((layer) => layer.parameters > 0).map((layer) => layer.name);
      if (trainable.count > weighted.length) {
        throw new LabError('bad_recipe', 'The phase wants to train more layers than the network has.', {
          expected: `at most ${weighted.length} layers with weights`,
          received: String(trainable.count),
          help: "Use a smaller count, or trainable type 'all'.",
        });
      }
      return new Set(weighted.slice(-trainable.count));
    }
    case 'layers':
      return new Set(trainable.names.map((name) => names[findLayerIndex(names, name)] ?? name));
  }
}

function findLayerIndex(names: readonly string[], wanted: string): number {
  const index = names.indexOf(wanted);
  if (index >= 0) return index;
  const near = findNearest(wanted, names);
  throw new LabError('bad_recipe', `The network has no layer called '${wanted}'.`, {
    expected: near.length > 0 ? `a layer of the network, for example ${near.join(', ')}` : `one of ${names.slice(0, 12).join(', ')}`,
    received: wanted,
    help: 'Write the name of a layer as `recipes params` prints it.',
  });
}

export interface LayerParameters {
  readonly name: string;
  readonly parameters: number;
  readonly trainable: number;
}

export interface NetworkParameters extends ParameterCounts {
  readonly layers: readonly LayerParameters[];
}

/** Counts as Keras's summary: moving statistics never train, and a frozen BatchNormalization trains nothing. */
export function countParameters(network: ResolvedNetwork, trainableLayers: ReadonlySet<string>): NetworkParameters {
  const layers = network.layers.map((layer) => ({
    name: layer.name,
    parameters: layer.parameters,
    trainable: trainableLayers.has(layer.name) ? countOptimized(layer) : 0,
  }));
  const total = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const trainable = layers.reduce((sum, layer) => sum + layer.trainable, 0);
  return { total, trainable, nonTrainable: total - trainable, layers };
}

function countOptimized(layer: ResolvedLayer): number {
  return layer.weights.filter((weight) => weight.isOptimized).reduce((sum, weight) => sum + countElements(weight.shape), 0);
}

function countElements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Bytes while training in float32. */
export interface MemoryEstimate {
  readonly weights: number;
  readonly gradients: number;
  readonly slots: number;
  /** What the forward pass keeps for the backward pass, plus the two largest gradients alive at once. */
  readonly activations: number;
  readonly total: number;
}

const bytesPerNumber = 4;

/** An estimate of what the library holds, without its own workspace; frozen layers shrink it when `trainableLayers` is given. */
export function estimateMemory(
  network: ResolvedNetwork,
  batchSize: number,
  optimizer: Optimizer,
  trainableLayers?: ReadonlySet<string>,
): MemoryEstimate {
  const counts = countParameters(network, trainableLayers ?? new Set(network.layers.map((layer) => layer.name)));
  const lowest = counts.layers.findIndex((layer) => layer.trainable > 0);
  const sizes = network.layers.map((layer) => countElements(layer.outputShape));
  const kept = lowest < 0 ? [] : sizes.slice(Math.max(0, lowest - 1));
  const live = [...sizes].sort((a, b) => b - a).slice(0, 2);
  const numbers = [countElements(network.inputShape), ...kept, ...live].reduce((sum, size) => sum + size, 0);
  const weights = counts.total * bytesPerNumber;
  const gradients = counts.trainable * bytesPerNumber;
  const slots = gradients * countSlots(optimizer);
  const activations = numbers * batchSize * bytesPerNumber;
  return { weights, gradients, slots, activations, total: weights + gradients + slots + activations };
}

function countSlots(optimizer: Optimizer): number {
  switch (optimizer.type) {
    case 'SGD':
      return optimizer.momentum > 0 ? 1 : 0;
    case 'RMSprop':
      return 1 + (optimizer.momentum > 0 ? 1 : 0) + (optimizer.centered ? 1 : 0);
    case 'Adam':
    case 'AdamW':
      return optimizer.amsgrad ? 3 : 2;
    case 'Adadelta':
      return 2;
    case 'Adagrad':
      return 1;
  }
}
