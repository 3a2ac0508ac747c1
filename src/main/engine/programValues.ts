// Values of a program outside its steps: what the variables hold before the first step, and how each is read and written by name.
import type { Optimizer } from '../../shared/contract/schema.ts';
import type { ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import { deriveSeedPair } from '../../shared/domain/rng.ts';
import { bool } from './attributes.ts';
import type { Graph, Node, Tensor, Variable } from './graph.ts';
import { lowerInitializer } from './initializers.ts';
import { slotsOf } from './optimizers.ts';

export interface ValueAccess {
  readonly read: Tensor;
  readonly feed: Tensor;
  readonly assign: Tensor;
}

export interface InitialOptions {
  readonly network: ResolvedNetwork;
  readonly optimizer: Optimizer;
  readonly seed: number;
}

/** Draws every weight with the initializer of its layer and sets slots, step and accumulators to what they hold before the first step. */
export function planInitialize(
  graph: Graph,
  options: InitialOptions,
  weights: ReadonlyMap<string, Variable>,
  state: ReadonlyMap<string, Variable>,
): Tensor {
  const specs = options.network.layers.flatMap((layer) => layer.weights);
  const nodes = specs.map((spec) => {
    const value = lowerInitializer(graph, spec.initializer, spec.shape, deriveSeedPair(options.seed, `initial/${spec.path}`));
    const variable = weights.get(spec.path);
    return variable === undefined ? value.node : assign(graph, variable, value);
  });
  const initials = new Map(slotsOf(options.optimizer).map((slot) => [slot.name, slot.initial]));
  for (const [name, variable] of state) {
    const slot = name.startsWith('optimizer/') ? (name.split('/')[1] ?? '') : '';
    nodes.push(assignFill(graph, variable, initials.get(slot) ?? 0));
  }
  return done(graph, 'initialize', nodes);
}

/** Reads and writes for each variable, by its name. */
export function planAccess(graph: Graph, variables: readonly Variable[]): ReadonlyMap<string, ValueAccess> {
  return new Map(
    variables.map((variable) => {
      const feed = graph.placeholder(`value/${variable.name}`, variable.dtype, variable.shape);
      const assigned = done(graph, `assign/${variable.name}`, [assign(graph, variable, feed)]);
      return [variable.name, { read: graph.read(variable), feed, assign: assigned }];
    }),
  );
}

export function assign(graph: Graph, variable: Variable, value: Tensor): Node {
  return graph.effect('AssignVariableOp', [variable.handle, value], { validate_shape: bool(false) });
}

/** Every element becomes `value`. */
export function assignFill(graph: Graph, variable: Variable, value: number): Node {
  const dimensions = graph.constant(Int32Array.from(variable.shape), 'int32', [variable.shape.length]);
  return assign(graph, variable, graph.op('Fill', [dimensions, graph.constant(value, variable.dtype)]));
}

/** An endpoint without a value of its own: it runs the effects. */
export function done(graph: Graph, name: string, controls: readonly Node[]): Tensor {
  return graph.op('Identity', [graph.constant(1, 'int32')], {}, { name, controls });
}
