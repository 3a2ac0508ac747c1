// One forward pass over resolved layers, in training or inference mode. Owns which tensor feeds which layer, how a layer reaches its
// weights and random seeds, and casts for mixed precision; what a layer computes is in layers/.
import { deriveSeedPair } from '../../shared/domain/rng.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { ResolvedLayer } from '../../shared/domain/networkTypes.ts';
import { castTo } from './arithmetic.ts';
import type { DataType, Graph, Node, Tensor, Variable } from './graph.ts';
import { lowerActivation } from './activations.ts';
import { lowerLayer, outputActivation, type LoweringContext } from './layers/lower.ts';
import type { ActivationName } from '../../shared/contract/layers.ts';

export interface ForwardOptions {
  readonly graph: Graph;
  readonly mode: 'training' | 'inference';
  readonly layers: readonly ResolvedLayer[];
  /** Tensor that stands for `entry`: the network's input or the last layer of a frozen prefix. */
  readonly input: Tensor;
  readonly entry: string;
  readonly weights: NetworkWeights;
  readonly trainableLayers: ReadonlySet<string>;
  readonly frozenBatchNormalization: 'inference' | 'batchStatistics';
  readonly computeType: DataType;
  readonly productType: DataType;
  readonly seed: number;
  /** int32 scalar: the number of steps done; null where nothing random may happen. */
  readonly step: Tensor | null;
  /** Leave out the softmax of the last layer. */
  readonly asLogits: boolean;
  readonly onUpdate: (node: Node) => void;
}

/** Reads every weight at most once per graph and casts it at most once. */
export class NetworkWeights {
  readonly #graph: Graph;
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #reads = new Map<string, Tensor>();
  readonly #casts = new Map<string, Tensor>();

  constructor(graph: Graph, variables: ReadonlyMap<string, Variable>) {
    this.#graph = graph;
    this.#variables = variables;
  }

  variable(path: string): Variable {
    const variable = this.#variables.get(path);
    if (variable === undefined) throw new LabError('internal', `The network has no weight ${path}.`);
    return variable;
  }

  /** The float32 value; the same tensor for every caller, so that gradients meet in it. */
  read(path: string): Tensor {
    const known = this.#reads.get(path);
    if (known !== undefined) return known;
    const value = this.#graph.read(this.variable(path));
    this.#reads.set(path, value);
    return value;
  }

  readAs(path: string, dtype: DataType): Tensor {
    const value = this.read(path);
    if (value.dtype === dtype) return value;
    const known = this.#casts.get(path);
    if (known !== undefined) return known;
    const cast = castTo(this.#graph, value, dtype);
    this.#casts.set(path, cast);
    return cast;
  }
}

/** Lowers the layers in order and returns the output of the last one. */
export function lowerForward(options: ForwardOptions): Tensor {
  const outputs = new Map<string, Tensor>([[options.entry, castTo(options.graph, options.input, options.computeType)]]);
  const deferred = findDeferredActivations(options.layers);
  let result: Tensor | undefined;
  for (const [index, layer] of options.layers.entries()) {
    const inputs = layer.inputs.map((name) => {
      const input = outputs.get(name);
      if (input === undefined) throw new LabError('internal', `The layer ${layer.name} reads ${name}, which lies behind a cut.`);
      return input;
    });
    const isLogits = options.asLogits && index === options.layers.length - 1;
    const withoutActivation = isLogits || deferred.sources.has(layer.name);
    const output = lowerLayer(layer, inputs, createContext(layer, options), { withoutActivation });
    const activation = deferred.pools.get(layer.name);
    result = activation === undefined ? output : lowerActivation(options.graph, activation, output);
    outputs.set(layer.name, result);
  }
  if (result === undefined) throw new LabError('internal', 'There is no layer to lower.');
  return result;
}

interface DeferredActivations {
  /** Layers that leave their activation to the pooling behind them. */
  readonly sources: ReadonlySet<string>;
  /** Pooling layers that apply it. */
  readonly pools: ReadonlyMap<string, ActivationName>;
}

/**
 * relu and relu6 never decrease, so max(relu(x)) = relu(max(x)) with the same gradient; behind the pooling they touch a fraction of the
 * elements (3 % of a step of document 000). Only where nothing but the pooling reads the activation.
 */
function findDeferredActivations(layers: readonly ResolvedLayer[]): DeferredActivations {
  const sources = new Set<string>();
  const pools = new Map<string, ActivationName>();
  for (const layer of layers) {
    const activation = outputActivation(layer.config);
    if (activation !== 'relu' && activation !== 'relu6') continue;
    const readers = layers.filter((candidate) => candidate.inputs.includes(layer.name));
    const pool = readers.length === 1 ? readers[0] : undefined;
    if (pool?.config.type !== 'MaxPooling2D' || layer === layers.at(-1)) continue;
    sources.add(layer.name);
    pools.set(pool.name, activation);
  }
  return { sources, pools };
}

function createContext(layer: ResolvedLayer, options: ForwardOptions): LoweringContext {
  const { graph, weights, step, seed } = options;
  return {
    graph,
    mode: options.mode,
    isTrainable: options.trainableLayers.has(layer.name),
    frozenBatchNormalization: options.frozenBatchNormalization,
    computeType: options.computeType,
    productType: options.productType,
    weight: (name) => weights.read(`${layer.name}/${name}`),
    computeWeight: (name) => weights.readAs(`${layer.name}/${name}`, options.computeType),
    variable: (name) => weights.variable(`${layer.name}/${name}`),
    randomSeed: (purpose) => {
      if (step === null) throw new LabError('internal', `The layer ${layer.name} asks for random numbers outside training.`);
      const [high] = deriveSeedPair(seed, `${layer.name}/${purpose}`);
      return graph.op('Pack', [graph.constant(high, 'int32'), step], { axis: { kind: 'int', value: 0 } });
    },
    addUpdate: options.onUpdate,
  };
}
