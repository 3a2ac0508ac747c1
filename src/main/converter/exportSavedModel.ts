// A trained network as a SavedModel without variables: uint8 pixels in, class probabilities out, with the input pipeline and the weights as
// constants inside the graph. `tf.saved_model.load(folder).signatures['serving_default']` calls it; nothing of Keras is needed.
import type { InputPipeline } from '../../shared/contract/schema.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import { lowerForward, NetworkWeights } from '../engine/forward.ts';
import { Graph, type Tensor } from '../engine/graph.ts';
import { lowerInputPipeline } from '../engine/inputPipeline.ts';
import { opTable } from '../engine/ops/table.ts';
import { loadMessages } from '../engine/protobuf.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { writeSavedModel } from '../engine/savedModel.ts';

export interface InferenceGraph {
  readonly graph: Graph;
  /** uint8, any number of pictures of the network's size. */
  readonly pixels: Tensor;
  readonly probabilities: Tensor;
}

/** Bytes of saved_model.pb. */
export function encodeSavedModel(network: ResolvedNetwork, tensors: readonly NamedTensor[], input: InputPipeline): Uint8Array {
  const { graph, pixels, probabilities } = buildInferenceGraph(network, tensors, input);
  return writeSavedModel(graph, loadMessages(), { inputs: { pixels }, outputs: { probabilities } });
}

/** In float32, whatever the precision of the training was. */
export function buildInferenceGraph(network: ResolvedNetwork, tensors: readonly NamedTensor[], input: InputPipeline): InferenceGraph {
  const graph = new Graph(opTable);
  const pixels = graph.placeholder('pixels', 'uint8', [null, ...network.inputShape]);
  const output = lowerForward({
    graph,
    mode: 'inference',
    layers: network.layers,
    input: lowerInputPipeline(graph, pixels, input),
    entry: 'input',
    weights: new ConstantWeights(graph, tensors),
    trainableLayers: new Set(),
    frozenBatchNormalization: 'inference',
    computeType: 'float32',
    productType: 'float32',
    seed: 0,
    step: null,
    asLogits: false,
    onUpdate: () => undefined,
  });
  return { graph, pixels, probabilities: graph.op('Identity', [output], {}, { name: 'probabilities' }) };
}

/** The kept values in place of the variables of a training. */
class ConstantWeights extends NetworkWeights {
  readonly #constants: Graph;
  readonly #values: ReadonlyMap<string, NamedTensor>;
  readonly #made = new Map<string, Tensor>();

  constructor(graph: Graph, tensors: readonly NamedTensor[]) {
    super(graph, new Map());
    this.#constants = graph;
    this.#values = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  }

  override read(path: string): Tensor {
    const known = this.#made.get(path);
    if (known !== undefined) return known;
    const value = this.#values.get(path);
    if (value === undefined) throw new LabError('internal', `The kept weights have no ${path}.`);
    const constant = this.#constants.constant(value.data, 'float32', value.shape, { name: `weights/${path}` });
    this.#made.set(path, constant);
    return constant;
  }
}
