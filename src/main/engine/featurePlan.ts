// The frozen prefix as a program of its own: pixels in, features of its last layer out, in inference mode.
import type { InputPipeline } from '../../shared/contract/schema.ts';
import type { ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import { castTo } from './arithmetic.ts';
import { bool } from './attributes.ts';
import { lowerForward, NetworkWeights } from './forward.ts';
import { Graph, type Tensor } from './graph.ts';
import { lowerInputPipeline } from './inputPipeline.ts';
import { computeTypes, type Precision } from './precision.ts';
import { opTable } from './ops/table.ts';

export interface FeatureProgram {
  readonly graph: Graph;
  readonly pixels: Tensor;
  /** float32 [n, ...shape of the prefix's output]. */
  readonly features: Tensor;
  /** What to feed and fetch to set each weight of the prefix. */
  readonly assign: ReadonlyMap<string, { readonly feed: Tensor; readonly done: Tensor }>;
}

/** Builds the program for the first `prefixLength` layers, computing as the phase does (`precision`). */
export function planFeatures(network: ResolvedNetwork, prefixLength: number, input: InputPipeline, precision: Precision): FeatureProgram {
  const graph = new Graph(opTable);
  const layers = network.layers.slice(0, prefixLength);
  const specs = layers.flatMap((layer) => layer.weights);
  const weights = new Map(specs.map((spec) => [spec.path, graph.variable(spec.path, 'float32', spec.shape)]));
  const pixels = graph.placeholder('pixels', 'uint8', [null, ...network.inputShape]);
  const output = lowerForward({
    graph,
    mode: 'inference',
    layers,
    input: lowerInputPipeline(graph, pixels, input),
    entry: 'input',
    weights: new NetworkWeights(graph, weights),
    trainableLayers: new Set(),
    frozenBatchNormalization: 'inference',
    ...computeTypes(precision),
    seed: 0,
    step: null,
    asLogits: false,
    onUpdate: () => undefined,
  });
  const assign = new Map(
    [...weights.values()].map((variable) => {
      const feed = graph.placeholder(`value/${variable.name}`, variable.dtype, variable.shape);
      const effect = graph.effect('AssignVariableOp', [variable.handle, feed], { validate_shape: bool(false) });
      const one = graph.constant(1, 'int32');
      return [variable.name, { feed, done: graph.op('Identity', [one], {}, { name: `assign/${variable.name}`, controls: [effect] }) }];
    }),
  );
  return { graph, pixels, features: castTo(graph, output, 'float32'), assign };
}
