// Recipe phase -> training program: one graph with the endpoints initialize, trainStep, evaluateStep, predict and access to every value.
// Each endpoint is one native call. Gradients stop at the lowest trainable layer; metrics and the learning-rate table live in variables.
// Called by trainer/session; knows no files, no data order and no policies.
import type { InputPipeline, Optimizer } from '../../shared/contract/schema.ts';
import type { ResolvedLayer, ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import { castTo, multiply } from './arithmetic.ts';
import { lowerForward, NetworkWeights, type ForwardOptions } from './forward.ts';
import { gradients } from './gradients.ts';
import { Graph, type DataType, type Node, type Tensor, type Variable } from './graph.ts';
import { countCorrect, countPictures, lowerInputPipeline } from './inputPipeline.ts';
import { lowerLoss, lowerMixedLoss, mainLabels, type LossOptions, type LossTarget } from './losses.ts';
import { lowerOptimizer, slotsOf, type LoweredOptimizer } from './optimizers.ts';
import { opTable } from './ops/table.ts';
import { computeTypes, type Precision } from './precision.ts';
import { regularizationLoss } from './regularizers.ts';
import { endsInSoftmax } from './layers/lower.ts';
import { assign, assignFill, done, planAccess, planInitialize, type ValueAccess } from './programValues.ts';

export interface PlanOptions {
  readonly network: ResolvedNetwork;
  readonly trainableLayers: ReadonlySet<string>;
  readonly frozenBatchNormalization: 'inference' | 'batchStatistics';
  readonly input: InputPipeline;
  /** uint8 pixels as stored, float32 pixels 0..255 after augmentation, or features of the frozen prefix. */
  readonly source: { readonly kind: 'pixels' | 'augmented' } | { readonly kind: 'features'; readonly prefixLength: number };
  readonly optimizer: Optimizer;
  /** Factor of the learning rate by layer; 1 for layers it does not name. */
  readonly learningRateMultipliers?: ReadonlyMap<string, number>;
  readonly loss: LossOptions;
  /** Training pictures are blended with others, labels too: the training step takes the partners' labels and the shares. */
  readonly mixesLabels?: boolean;
  readonly precision: Precision;
  readonly stepsPerEpoch: number;
  /** Already mixed with the phase, so that two phases never share a stream. */
  readonly seed: number;
}

export interface TrainingProgram {
  readonly graph: Graph;
  readonly feeds: {
    readonly training: Tensor;
    readonly evaluation: Tensor;
    readonly labels: Tensor;
    /** Only of the training step, and only where labels are mixed. */
    readonly mix: { readonly labels: Tensor; readonly shares: Tensor } | null;
    readonly learningRates: Tensor;
  };
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
  readonly access: ReadonlyMap<string, ValueAccess>;
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
        totals.map((variable) => assignFill(graph, variable, 0)),
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
  const mix =
    options.mixesLabels === true
      ? { labels: graph.placeholder('mixLabels', 'int32', [null]), shares: graph.placeholder('mixShares', 'float32', [null]) }
      : null;
  const source = options.source;
  if (source.kind === 'features') {
    const shape = options.network.layers[source.prefixLength - 1]?.outputShape ?? [];
    const features = graph.placeholder('features', 'float32', [null, ...shape]);
    return { training: features, evaluation: features, labels, mix, learningRates };
  }
  const shape = [null, ...options.network.inputShape];
  const evaluation = graph.placeholder('pixels', 'uint8', shape);
  const training = source.kind === 'pixels' ? evaluation : graph.placeholder('augmentedPixels', 'float32', shape);
  return { training, evaluation, labels, mix, learningRates };
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
  const scores32 = castTo(graph, scores, 'float32');
  const target = { labels: feeds.labels, mix: feeds.mix };
  const loss = lowerObjective(graph, options, values, scores32, target);
  updates.push(...lowerUpdates(parts, loss, stepsDone));
  updates.push(...accumulate(graph, parts.accumulators, loss, scores32, mainLabels(graph, target)));
  const one = graph.constant(1, 'int32', [], { controls: [stepsDone.node] });
  updates.push(graph.effect('AssignAddVariableOp', [parts.step.handle, one]));
  return graph.op('Identity', [loss], {}, { name: 'trainStep', controls: updates });
}

/** One update per trained weight; layers with the same multiplier share one scaled learning rate. */
function lowerUpdates({ graph, options, values, learningRates, addState }: TrainStepParts, loss: Tensor, stepsDone: Tensor): Node[] {
  const wanted = trainableLayers(options).flatMap(({ name, weights }) =>
    weights.filter((spec) => spec.isOptimized).map((spec) => ({ spec, multiplier: options.learningRateMultipliers?.get(name) ?? 1 })),
  );
  const reads = wanted.map(({ spec }) => values.read(spec.path));
  const slopes = gradients(graph, loss, reads);
  const rate = currentLearningRate(graph, options, learningRates, stepsDone);
  const optimizers = new Map<number, LoweredOptimizer>();
  const optimizerOf = (multiplier: number): LoweredOptimizer => {
    const known = optimizers.get(multiplier);
    if (known !== undefined) return known;
    const scaled = multiplier === 1 ? rate : multiply(graph, rate, graph.constant(multiplier, 'float32'));
    const lowered = lowerOptimizer(graph, options.optimizer, scaled, stepsDone);
    optimizers.set(multiplier, lowered);
    return lowered;
  };
  return wanted.flatMap(({ spec, multiplier }, index) => {
    const [read, gradient] = [reads[index], slopes[index]];
    if (read === undefined || gradient === undefined) return [];
    const slots = Object.fromEntries(
      slotsOf(options.optimizer).map((slot) => [slot.name, addState(`optimizer/${slot.name}/${spec.path}`, 'float32', spec.shape)]),
    );
    // The fused update writes in place only when nothing still reads the old value; these edges make it wait for the last reader.
    const readers = graph.nodes.filter((node) => node.inputs.includes(read));
    return optimizerOf(multiplier).apply({ variable: values.variable(spec.path), slots, gradient, controls: readers });
  });
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

/** Mean loss of the batch and the penalty of the trained weights. */
function lowerObjective(graph: Graph, options: PlanOptions, values: NetworkWeights, scores: Tensor, target: LossTarget): Tensor {
  const areLogits = endsInSoftmax(options.network);
  const meanLoss =
    target.mix === null
      ? lowerLoss(graph, scores, target.labels, options.loss, areLogits)
      : lowerMixedLoss(graph, scores, { labels: target.labels, mix: target.mix }, options.loss, areLogits);
  const specs = trainableLayers(options).flatMap((layer) => layer.weights);
  const penalty = regularizationLoss(graph, specs, (path) => values.read(path));
  return penalty === null ? meanLoss : graph.op('AddV2', [meanLoss, penalty]);
}

function trainableLayers(options: PlanOptions): readonly ResolvedLayer[] {
  return options.network.layers.filter((layer) => options.trainableLayers.has(layer.name));
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
  const scores32 = castTo(graph, scores, 'float32');
  const loss = lowerObjective(graph, options, values, scores32, { labels: feeds.labels, mix: null });
  const updates = accumulate(graph, accumulators, loss, scores32, feeds.labels);
  const probabilities = isSoftmax ? graph.op('Softmax', [scores32]) : scores32;
  return graph.op('Identity', [probabilities], {}, { name: 'evaluateStep', controls: updates });
}
