// A network of the lab as the JSON from which Keras builds the same model: a Functional model whose layers have our names and options.
// The order is the one in which Keras itself lists the layers, because its `.h5` files are read in that order. Pure.
import type { Layer } from '../../shared/contract/layers.ts';
import type { ResolvedLayer, ResolvedNetwork } from '../../shared/domain/networkTypes.ts';

export const inputLayerName = 'input';

/** What `model.get_config` gives, in the form that Keras 2 and 3 both read; without the input layer's weights there is nothing missing. */
export function describeModel(network: ResolvedNetwork, name: string): object {
  const input = {
    class_name: 'InputLayer',
    name: inputLayerName,
    config: { batch_shape: [null, ...network.inputShape], dtype: 'float32', name: inputLayerName },
    inbound_nodes: [],
  };
  const layers = orderLayers(network).map((layer) => ({
    class_name: layer.config.type,
    name: layer.name,
    config: { name: layer.name, dtype: 'float32', ...describeOptions(layer.config) },
    inbound_nodes: [layer.inputs.map((source) => [source, 0, 0, {}])],
  }));
  const config = {
    name,
    trainable: true,
    layers: [input, ...layers],
    input_layers: [[inputLayerName, 0, 0]],
    output_layers: [[network.output, 0, 0]],
  };
  return { class_name: 'Functional', config };
}

/**
 * By distance from the output, farthest first, and at equal distance in the order of a walk from the output over the inputs: Keras's
 * map_graph (keras/src/ops/function.py). Where branches meet, this is not the order in which the layers were written.
 */
export function orderLayers(network: ResolvedNetwork): ResolvedLayer[] {
  const layers = new Map(network.layers.map((layer) => [layer.name, layer]));
  const walked = new Map<string, number>();
  const walk = (name: string): void => {
    if (walked.has(name)) return;
    walked.set(name, walked.size);
    for (const source of layers.get(name)?.inputs ?? []) walk(source);
  };
  walk(network.output);
  const distances = new Map<string, number>([[network.output, 0]]);
  for (const layer of network.layers.toReversed()) {
    const distance = (distances.get(layer.name) ?? 0) + 1;
    for (const source of layer.inputs) distances.set(source, Math.max(distances.get(source) ?? 0, distance));
  }
  const rank = (of: ReadonlyMap<string, number>, layer: ResolvedLayer): number => of.get(layer.name) ?? 0;
  return [...network.layers].sort((a, b) => rank(distances, b) - rank(distances, a) || rank(walked, a) - rank(walked, b));
}

/** null means Keras's default, and is left out as such. */
function describeOptions(layer: Layer): Record<string, unknown> {
  const own = Object.entries(layer).filter(([key, value]) => key !== 'type' && key !== 'name' && key !== 'inputs' && value !== null);
  return Object.fromEntries(own.map(([key, value]: [string, unknown]) => [toSnakeCase(key), describeOption(key, value)]));
}

function describeOption(key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (key.endsWith('Regularizer')) return { class_name: 'L1L2', config: value };
  if (!key.endsWith('Initializer') || !('type' in value)) return value;
  const { type, ...config } = value;
  return { class_name: type, config };
}

function toSnakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
