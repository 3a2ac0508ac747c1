// What runs a graph. The trainer and the tests see only this interface; native.ts implements it over libtensorflow.
import type { Graph, Tensor } from './graph.ts';

export type HostArray = Float32Array | Int32Array | Uint8Array;

export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** A fixed choice of feeds and fetches; calling it is exactly one native call. */
export type PreparedCall = (inputs: readonly HostTensor[]) => readonly HostTensor[];

export interface SessionStatistics {
  readonly nativeCalls: number;
  readonly bytesFed: number;
}

/** A loaded graph with its variables' values. */
export interface Session {
  /** Fed arrays may be aliased by the library until the call returns; fetched arrays are copies. */
  prepare(feeds: readonly Tensor[], fetches: readonly Tensor[]): PreparedCall;
  readonly statistics: SessionStatistics;
  close(): void;
}

export interface Executor {
  /** The faster of the two ways to compute mixed_bfloat16 on this device. */
  readonly bfloat16: 'mixed_bfloat16' | 'mixed_bfloat16_wide';
  readonly version: string;
  readonly device: string;
  readonly build: 'cpu' | 'gpu';
  load(graph: Graph): Session;
  /** Tensors alive in the library: constant over steps unless something leaks. */
  countTensors(): number;
}
