// Keras 3.15's update rules through TensorFlow's fused ResourceApply ops, one per variable; scalars that all variables share are computed
// once per step. Owns no variable: the planner makes the slots named here and says what must run before an update.
import type { Optimizer } from '../../shared/contract/schema.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { castTo, multiply } from './arithmetic.ts';
import { bool } from './attributes.ts';
import type { Graph, Node, Tensor, Variable } from './graph.ts';

export interface OptimizerSlot {
  readonly name: string;
  /** Value of every element before the first step. */
  readonly initial: number;
}

export interface UpdateRequest {
  readonly variable: Variable;
  /** One variable of the same shape for each of slotsOf(optimizer). */
  readonly slots: Readonly<Record<string, Variable>>;
  readonly gradient: Tensor;
  /** Readers of the variable: the update is made in place only after the last of them. */
  readonly controls: readonly Node[];
}

export interface LoweredOptimizer {
  apply(request: UpdateRequest): Node;
}

type Rule = (request: UpdateRequest) => Node;
type OptimizerOf<Type extends Optimizer['type']> = Extract<Optimizer, { type: Type }>;

/** Names are Keras's. RMSprop always has a momentum slot, because the fused op has one. */
export function slotsOf(optimizer: Optimizer): readonly OptimizerSlot[] {
  const zeros = (...names: readonly string[]): readonly OptimizerSlot[] => names.map((name) => ({ name, initial: 0 }));
  switch (optimizer.type) {
    case 'SGD':
      return optimizer.momentum === 0 ? [] : zeros('momentum');
    case 'RMSprop':
      return optimizer.centered ? zeros('average_gradient', 'velocity', 'momentum') : zeros('velocity', 'momentum');
    case 'Adam':
    case 'AdamW':
      return optimizer.amsgrad ? zeros('momentum', 'velocity', 'velocity_hat') : zeros('momentum', 'velocity');
    case 'Adadelta':
      return zeros('accumulated_grad', 'accumulated_delta_var');
    case 'Adagrad':
      // Keras divides by sqrt(accumulator + epsilon), the fused op by sqrt(accumulator): the epsilon is added once, here.
      return [{ name: 'accumulator', initial: optimizer.initialAccumulatorValue + optimizer.epsilon }];
  }
}

/** `stepsDone` is an int32 scalar, 0 in the first step; `learningRate` a float32 scalar. */
export function lowerOptimizer(graph: Graph, optimizer: Optimizer, learningRate: Tensor, stepsDone: Tensor): LoweredOptimizer {
  switch (optimizer.type) {
    case 'SGD':
      return { apply: optimizer.momentum === 0 ? plainDescent(graph, learningRate) : momentumDescent(graph, optimizer, learningRate) };
    case 'RMSprop':
      return { apply: rmsprop(graph, optimizer, learningRate) };
    case 'Adam':
      return { apply: adam(graph, optimizer, learningRate, stepsDone) };
    case 'AdamW':
      return { apply: adamW(graph, optimizer, learningRate, stepsDone) };
    case 'Adadelta':
      return { apply: adadelta(graph, optimizer, learningRate) };
    case 'Adagrad':
      return { apply: adagrad(graph, learningRate) };
  }
}

function plainDescent(graph: Graph, learningRate: Tensor): Rule {
  return ({ variable, gradient, controls }) =>
    graph.effect('ResourceApplyGradientDescent', [variable.handle, learningRate, gradient], unlocked, { controls });
}

function momentumDescent(graph: Graph, optimizer: OptimizerOf<'SGD'>, learningRate: Tensor): Rule {
  const momentum = graph.constant(optimizer.momentum, 'float32');
  const attributes = { ...unlocked, use_nesterov: bool(optimizer.nesterov) };
  return (request) =>
    graph.effect(
      'ResourceApplyKerasMomentum',
      [request.variable.handle, slot(request, 'momentum'), learningRate, request.gradient, momentum],
      attributes,
      { controls: request.controls },
    );
}

function rmsprop(graph: Graph, optimizer: OptimizerOf<'RMSprop'>, learningRate: Tensor): Rule {
  const [rho, momentum, epsilon] = [optimizer.rho, optimizer.momentum, optimizer.epsilon].map((value) => graph.constant(value, 'float32'));
  const scalars = [learningRate, rho, momentum, epsilon].filter((scalar) => scalar !== undefined);
  const op = optimizer.centered ? 'ResourceApplyCenteredRMSProp' : 'ResourceApplyRMSProp';
  return (request) => {
    const slots = slotsOf(optimizer).map(({ name }) => slot(request, name));
    return graph.effect(op, [request.variable.handle, ...slots, ...scalars, request.gradient], unlocked, { controls: request.controls });
  };
}

/**
 * The op forms 1 - beta in float32, Keras in double before it rounds: for beta2 = 0.999 the moments differ by 1.3e-5, which the bias
 * correction takes back over time, so the first steps differ by 6e-6 of their length.
 */
function adam(graph: Graph, optimizer: OptimizerOf<'Adam' | 'AdamW'>, learningRate: Tensor, stepsDone: Tensor): Rule {
  const one = graph.constant(1, 'int32');
  const step = castTo(graph, graph.op('AddV2', [stepsDone, one]), 'float32');
  const beta1 = graph.constant(optimizer.beta1, 'float32');
  const beta2 = graph.constant(optimizer.beta2, 'float32');
  const power1 = graph.op('Pow', [beta1, step]);
  const power2 = graph.op('Pow', [beta2, step]);
  const scalars = [power1, power2, learningRate, beta1, beta2, graph.constant(optimizer.epsilon, 'float32')];
  const op = optimizer.amsgrad ? 'ResourceApplyAdamWithAmsgrad' : 'ResourceApplyAdam';
  return (request) => {
    const slots = slotsOf(optimizer).map(({ name }) => slot(request, name));
    return graph.effect(op, [request.variable.handle, ...slots, ...scalars, request.gradient], unlocked, { controls: request.controls });
  };
}

/** Keras decays w by w * weightDecay * learningRate before Adam's update, which does not see the decay (decoupled). */
function adamW(graph: Graph, optimizer: OptimizerOf<'AdamW'>, learningRate: Tensor, stepsDone: Tensor): Rule {
  const update = adam(graph, optimizer, learningRate, stepsDone);
  if (optimizer.weightDecay === 0) return update;
  const rate = multiply(graph, learningRate, graph.constant(optimizer.weightDecay, 'float32'));
  return (request) => {
    const decay = multiply(graph, graph.read(request.variable, { controls: request.controls }), rate);
    const decayed = graph.effect('AssignSubVariableOp', [request.variable.handle, decay]);
    return update({ ...request, controls: [...request.controls, decayed] });
  };
}

function adadelta(graph: Graph, optimizer: OptimizerOf<'Adadelta'>, learningRate: Tensor): Rule {
  const rho = graph.constant(optimizer.rho, 'float32');
  const epsilon = graph.constant(optimizer.epsilon, 'float32');
  return (request) => {
    const slots = slotsOf(optimizer).map(({ name }) => slot(request, name));
    const inputs = [request.variable.handle, ...slots, learningRate, rho, epsilon, request.gradient];
    return graph.effect('ResourceApplyAdadelta', inputs, unlocked, { controls: request.controls });
  };
}

function adagrad(graph: Graph, learningRate: Tensor): Rule {
  return (request) =>
    graph.effect(
      'ResourceApplyAdagrad',
      [request.variable.handle, slot(request, 'accumulator'), learningRate, request.gradient],
      { ...unlocked, update_slots: bool(true) },
      { controls: request.controls },
    );
}

const unlocked = { use_locking: bool(false) } as const;

function slot(request: UpdateRequest, name: string): Tensor {
  const variable = request.slots[name];
  if (variable === undefined) throw new LabError('internal', `The optimizer has no slot ${name} for ${request.variable.name}.`);
  return variable.handle;
}
