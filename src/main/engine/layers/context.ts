// What a layer may ask of the planner while it is lowered. The same layer is lowered once for training and once for inference; both parts
// of the graph share its variables.
import type { Layer, LayerType } from '../../../shared/contract/layers.ts';
import type { ResolvedLayer } from '../../../shared/domain/networkTypes.ts';
import type { DataType, Graph, Node, Tensor, Variable } from '../graph.ts';

export interface LoweringContext {
  readonly graph: Graph;
  readonly mode: 'training' | 'inference';
  readonly isTrainable: boolean;
  /** What a frozen BatchNormalization does in training mode; it never moves its averages. */
  readonly frozenBatchNormalization: 'inference' | 'batchStatistics';
  readonly computeType: DataType;
  /** Type in which convolutions and matrix products compute; float32 where the device has no units for the compute type. */
  readonly productType: DataType;
  /** The layer's weight in float32. */
  weight(name: string): Tensor;
  /** The layer's weight cast to computeType. */
  computeWeight(name: string): Tensor;
  variable(name: string): Variable;
  /** int32 [2], of this layer, purpose and step; only in training mode. */
  randomSeed(purpose: string): Tensor;
  /** An effect that runs with the train step: moving averages. */
  addUpdate(node: Node): void;
}

export interface LoweringOptions {
  /** Stops before the layer's activation: the logits of a softmax output. */
  readonly withoutActivation?: boolean;
}

export type LayerOf<Type extends LayerType> = Extract<Layer, { type: Type }>;

/** One layer of a known type with its inputs, in Keras's order. */
export interface Lowering<Type extends LayerType> {
  readonly layer: ResolvedLayer;
  readonly config: LayerOf<Type>;
  readonly input: Tensor;
  readonly inputs: readonly Tensor[];
  readonly context: LoweringContext;
  readonly options: LoweringOptions;
}
