// Recipe phase -> training program: one graph with the endpoints initialize, trainStep, evaluateStep, predict and access to every value.
// Each endpoint is one native call. Gradients stop at the lowest trainable layer; metrics and the learning-rate table live in variables.
// Called by trainer/session; knows no files, no data order and no policies.
import type { InputPipeline, Optimizer } from '../../shared/contract/schema.ts';
import type { ResolvedNetwork, WeightSpec } from '../../shared/domain/networkTypes.ts';
import { deriveSeedPair } from '../../shared/domain/rng.ts';
import { bool } from './attributes.ts';
import { castTo } from './arithmetic.ts';
import { lowerForward, NetworkWeights, type ForwardOptions } from './forward.ts';
import { gradients } from './gradients.ts';
import { Graph, type DataType, type Node, type Tensor, type Variable } from './graph.ts';
import { lowerInitializer } from './initializers.ts';
import { countCorrect, countPictures, lowerInputPipeline } from './inputPipeline.ts';
import { lowerLoss, type LossOptions } from './losses.ts';
import { lowerOptimizer, slotsOf } from './optimizers.ts';
import { opTable } from './ops/table.ts';
import { computeTypes, type Precision } from './precision.ts';
import { regularizationLoss } from './regularizers.ts';
import { endsInSoftmax } from './layers/lower.ts';

export interface PlanOptions {
  readonly network: ResolvedNetwork;
  readonly trainableLayers: ReadonlySet<string>;
  readonly frozenBatchNormalization: 'inference' | 'batchStatistics';
  readonly input: InputPipeline;
  /** uint8 pixels as stored, float32 pixels 0..255 after augmentation, or features of the frozen prefix. */
  readonly source: { readonly kind: 'pixels' | 'augmented' } | { readonly kind: 'features'; readonly prefixLength: number };
  readonly optimizer: Optimizer;
  readonly loss: LossOptions;
  readonly precision: Precision;
  readonly stepsPerEpoch: number;
  /** Already mixed with the phase, so that two phases never share a stream. */
  readonly seed: number;
}

export interface TrainingProgram {
  readonly graph: Graph;
  readonly feeds: { readonly training: Tensor; readonly evaluation: Tensor; readonly labels: Tensor; readonly learningRates: Tensor };
  /** Weights by path, in the network's order. */
  readonly weights: ReadonlyMap<string, Variable>;
  /** Everything else a checkpoint needs: slots, step, learning-rate table and metric accumulators. */
  readonly state: ReadonlyMap<string, Variable>;
  readonly endpoints: {
    readonly initialize: Tensor;
    readonly setLearningRates: Tensor;
    /** The batch's mean loss, after the update. */
    readonly trainStep: Tensor;
    /** Class probabilities of the batch; also adds to the accumulators. */
    readonly evaluateStep: Tensor;
    /** [loss total, correct, pictures]. */
    readonly metrics: readonly Tensor[];
    readonly resetMetrics: Tensor;
  };
  /** Reads and writes for each variable of weights and state. */
  readonly access: ReadonlyMap<string, { readonly read: Tensor; readonly feed: Tensor; readonly assign: Tensor }>;
}

interface Accumulators {
  readonly loss: Variable;
  readonly correct: Variable;
  readonly pictures: Variable;
}

/** Builds the whole program of one phase. */
export function planTraining(options: PlanOptions): TrainingProgram {
  const graph = new Graph(opTable);
  const weights = createWeightVariables(graph, options.network);
  const state = new Map<string, Variable>();
  const addState = (name: string, dtype: DataType, shape: readonly number[]): Variable => {
    const variable = graph.variable(name, dtype, shape);
    state.set(name, variable);
    return variable;
  };
  const step = addState('step', 'int32', []);
  const learningRates = addState('learningRates', 'float32', [options.stepsPerEpoch]);
  const accumulators: Accumulators = {
    loss: addState('metrics/loss', 'float32', []),
    correct: addState('metrics/correct', 'int32', []),
    pictures: addState('metrics/pictures', 'int32', []),
  };
  const totals = [accumulators.loss, accumulators.correct, accumulators.pictures];
  const feeds = createFeeds(graph, options);
  const values = new NetworkWeights(graph, weights);
  const trainStep = planTrainStep({ graph, options, weights, values, step, learningRates, accumulators, feeds, addState });
  const evaluateStep = planEvaluateStep(graph, options, values, accumulators, feeds);
  return {
    graph,
    feeds,
    weights,
    state,
    endpoints: {
      initialize: planInitialize(graph, options, weights, state),
      setLearningRates: done(graph, 'setLearningRates', [assign(graph, learningRates, feeds.learningRates)]),
      trainStep,
      evaluateStep,
      metrics: totals.map((variable) => graph.read(variable)),
      resetMetrics: done(
        graph,
        'resetMetrics',
        totals.map((variable) => assignZero(graph, variable)),
      ),
    },
    access: planAccess(graph, [...weights.values(), ...state.values()]),
  };
}

function createWeightVariables(graph: Graph, network: ResolvedNetwork): ReadonlyMap<string, Variable> {
  const specs = network.layers.flatMap((layer) => layer.weights);
  return new Map(specs.map((spec) => [spec.path, graph.variable(spec.path, 'float32', spec.shape)]));
}

function createFeeds(graph: Graph, options: PlanOptions): TrainingProgram['feeds'] {
  const labels = graph.placeholder('labels', 'int32', [null]);
  const learningRates = graph.placeholder('learningRates', 'float32', [options.stepsPerEpoch]);
  const source = options.source;
  if (source.kind === 'features') {
    const shape = options.network.layers[source.prefixLength - 1]?.outputShape ?? [];
    const features = graph.placeholder('features', 'float32', [null, ...shape]);
    return { training: features, evaluation: features, labels, learningRates };
  }
  const shape = [null, ...options.network.inputShape];
  const evaluation = graph.placeholder('pixels', 'uint8', shape);
  const training = source.kind === 'pixels' ? evaluation : graph.placeholder('augmentedPixels', 'float32', shape);
  return { training, evaluation, labels, learningRates };
}

interface TrainStepParts {
  readonly graph: Graph;
  readonly options: PlanOptions;
  readonly weights: ReadonlyMap<string, Variable>;
  readonly values: NetworkWeights;
  readonly step: Variable;
  readonly learningRates: Variable;
  readonly accumulators: Accumulators;
  readonly feeds: TrainingProgram['feeds'];
  readonly addState: (name: string, dtype: DataType, shape: readonly number[]) => Variable;
}

function planTrainStep(parts: TrainStepParts): Tensor {
  const { graph, options, values, feeds } = parts;
  const stepsDone = graph.read(parts.step);
  const updates: Node[] = [];
  const scores = lowerForward({
    ...forwardOptions(graph, options, values, feeds.training),
    mode: 'training',
    step: stepsDone,
    asLogits: endsInSoftmax(options.network),
    onUpdate: (node) => updates.push(node),
  });
  const { meanLoss, scores32 } = lowerBatchLoss(graph, options, scores, feeds.labels);
  const penalty = regularizationLoss(graph, trainableSpecs(options), (path) => values.read(path));
  const loss = penalty === null ? meanLoss : graph.op('AddV2', [meanLoss, penalty]);
  const wanted = trainableSpecs(options).filter((spec) => spec.isOptimized);
  const reads = wanted.map((spec) => values.read(spec.path));
  const slopes = gradients(graph, loss, reads);
  const optimizer = lowerOptimizer(
    graph,
    options.optimizer,
    currentLearningRate(graph, options, parts.learningRates, stepsDone),
    stepsDone,
  );
  for (const [index, spec] of wanted.entries()) {
    const [read, gradient] = [reads[index], slopes[index]];
    if (read === undefined || gradient === undefined) continue;
    const slots = Object.fromEntries(
      slotsOf(options.optimizer).map((slot) => [slot.name, parts.addState(`optimizer/${slot.name}/${spec.path}`, 'float32', spec.shape)]),
    );
    // The fused update writes in place only when nothing still reads the old value; these edges make it wait for the last reader.
    const readers = graph.nodes.filter((node) => node.inputs.includes(read));
    updates.push(optimizer.apply({ variable: values.variable(spec.path), slots, gradient, controls: readers }));
  }
  updates.push(...accumulate(graph, parts.accumulators, loss, scores32, feeds.labels));
  const one = graph.constant(1, 'int32', [], { controls: [stepsDone.node] });
  updates.push(graph.effect('AssignAddVariableOp', [parts.step.handle, one]));
  return graph.op('Identity', [loss], {}, { name: 'trainStep', controls: updates });
}

function forwardOptions(
  graph: Graph,
  options: PlanOptions,
  values: NetworkWeights,
  feed: Tensor,
): Omit<ForwardOptions, 'mode' | 'step' | 'asLogits' | 'onUpdate'> {
  const { network, source } = options;
  const prefix = source.kind === 'features' ? source.prefixLength : 0;
  return {
    graph,
    layers: network.layers.slice(prefix),
    entry: prefix === 0 ? 'input' : (network.layers[prefix - 1]?.name ?? 'input'),
    input: prefix === 0 ? lowerInputPipeline(graph, feed, options.input) : feed,
    weights: values,
    trainableLayers: options.trainableLayers,
    frozenBatchNormalization: options.frozenBatchNormalization,
    ...computeTypes(options.precision),
    seed: options.seed,
  };
}

function lowerBatchLoss(graph: Graph, options: PlanOptions, scores: Tensor, labels: Tensor): { meanLoss: Tensor; scores32: Tensor } {
  const scores32 = castTo(graph, scores, 'float32');
  return { meanLoss: lowerLoss(graph, scores32, labels, options.loss, endsInSoftmax(options.network)), scores32 };
}

function trainableSpecs(options: PlanOptions): readonly WeightSpec[] {
  return options.network.layers.filter((layer) => options.trainableLayers.has(layer.name)).flatMap((layer) => layer.weights);
}

function currentLearningRate(graph: Graph, options: PlanOptions, table: Variable, stepsDone: Tensor): Tensor {
  const position = graph.op('FloorMod', [stepsDone, graph.constant(options.stepsPerEpoch, 'int32')]);
  return graph.op('GatherV2', [graph.read(table), position, graph.constant(0, 'int32')]);
}

function accumulate(graph: Graph, accumulators: Accumulators, loss: Tensor, scores: Tensor, labels: Tensor): Node[] {
  const pictures = countPictures(graph, labels);
  const total = graph.op('Mul', [loss, castTo(graph, pictures, 'float32')]);
  return [
    graph.effect('AssignAddVariableOp', [accumulators.loss.handle, total]),
    graph.effect('AssignAddVariableOp', [accumulators.correct.handle, countCorrect(graph, scores, labels)]),
    graph.effect('AssignAddVariableOp', [accumulators.pictures.handle, pictures]),
  ];
}

function planEvaluateStep(
  graph: Graph,
  options: PlanOptions,
  values: NetworkWeights,
  accumulators: Accumulators,
  feeds: TrainingProgram['feeds'],
): Tensor {
  const isSoftmax = endsInSoftmax(options.network);
  const scores = lowerForward({
    ...forwardOptions(graph, options, values, feeds.evaluation),
    mode: 'inference',
    step: null,
    asLogits: isSoftmax,
    onUpdate: () => undefined,
  });
  const { meanLoss, scores32 } = lowerBatchLoss(graph, options, scores, feeds.labels);
  const penalty = regularizationLoss(graph, trainableSpecs(options), (path) => values.read(path));
  const loss = penalty === null ? meanLoss : graph.op('AddV2', [meanLoss, penalty]);
  const updates = accumulate(graph, accumulators, loss, scores32, feeds.labels);
  const probabilities = isSoftmax ? graph.op('Softmax', [scores32]) : scores32;
  return graph.op('Identity', [probabilities], {}, { name: 'evaluateStep', controls: updates });
}

function planInitialize(
  graph: Graph,
  options: PlanOptions,
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
    nodes.push(assignZero(graph, variable, initials.get(slot) ?? 0));
  }
  return done(graph, 'initialize', nodes);
}

function planAccess(graph: Graph, variables: readonly Variable[]): TrainingProgram['access'] {
  return new Map(
    variables.map((variable) => {
      const feed = graph.placeholder(`value/${variable.name}`, variable.dtype, variable.shape);
      const assigned = done(graph, `assign/${variable.name}`, [assign(graph, variable, feed)]);
      return [variable.name, { read: graph.read(variable), feed, assign: assigned }];
    }),
  );
}

function assign(graph: Graph, variable: Variable, value: Tensor): Node {
  return graph.effect('AssignVariableOp', [variable.handle, value], { validate_shape: bool(false) });
}

function assignZero(graph: Graph, variable: Variable, value = 0): Node {
  const dimensions = graph.constant(Int32Array.from(variable.shape), 'int32', [variable.shape.length]);
  return assign(graph, variable, graph.op('Fill', [dimensions, graph.constant(value, variable.dtype)]));
}

function done(graph: Graph, name: string, controls: readonly Node[]): Tensor {
  return graph.op('Identity', [graph.constant(1, 'int32')], {}, { name, controls });
}
