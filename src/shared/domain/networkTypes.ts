// What domain/network computes and everyone else (engine, params table, pre-flight) reads.
import type { Initializer, Layer, Regularizer } from '../contract/layers.ts';

/** Without the batch dimension, [height, width, channels] or [features]. */
export type LayerShape = readonly number[];

export interface WeightSpec {
  /** Keras's weight name: kernel, bias, gamma, beta, moving_mean, moving_variance, depthwise_kernel, pointwise_kernel. */
  readonly name: string;
  /** `layer/weight`, unique in the network. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
  readonly regularizer: Regularizer | null;
  /** False for moving statistics, which no optimizer ever changes. */
  readonly isOptimized: boolean;
}

export interface ResolvedLayer {
  readonly name: string;
  readonly config: Layer;
  /** Names of the layers that feed this one; the network's input is called `input`. */
  readonly inputs: readonly string[];
  readonly inputShapes: readonly LayerShape[];
  readonly outputShape: LayerShape;
  readonly weights: readonly WeightSpec[];
  readonly parameters: number;
}

export interface ResolvedNetwork {
  readonly inputShape: LayerShape;
  readonly layers: readonly ResolvedLayer[];
  /** Name of the last layer. */
  readonly output: string;
}

export interface NetworkProblem {
  readonly layer: string;
  readonly message: string;
  readonly fix: string;
}

export interface ParameterCounts {
  readonly total: number;
  readonly trainable: number;
  readonly nonTrainable: number;
}
