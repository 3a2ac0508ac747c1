// One phase of the recipe, resolved: network, trainable layers, where it may be cut, and the program's options. Pure.
import { LabError } from '../../shared/contract/errors.ts';
import type { Phase, Recipe } from '../../shared/contract/schema.ts';
import { resolveWholeNetwork, selectMultipliers, selectPhaseLayers } from '../../shared/domain/recipeNetwork.ts';
import type { ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import { createStream } from '../../shared/domain/rng.ts';
import { findCachedPrefix, type FrozenPrefix } from '../../shared/domain/frozenPrefix.ts';
import type { Executor } from '../engine/executor.ts';
import type { PlanOptions } from '../engine/plan.ts';
import type { Precision } from '../engine/precision.ts';

export interface PhasePlan {
  readonly phase: Phase;
  readonly network: ResolvedNetwork;
  readonly trainableLayers: ReadonlySet<string>;
  /** length 0 when features of this phase must not be cached. */
  readonly prefix: FrozenPrefix;
  readonly precision: Precision;
}

export interface PhaseFacts {
  readonly pictureShape: readonly number[];
  readonly classCount: number;
  /** How this device computes mixed_bfloat16. */
  readonly bfloat16: Executor['bfloat16'];
}

/** Resolves phase `index`; throws bad_recipe when the network cannot work for the classes. */
export function planPhase(recipe: Recipe, index: number, facts: PhaseFacts): PhasePlan {
  const phase = recipe.phases[index];
  if (phase === undefined) throw new LabError('internal', `The recipe has no phase ${index}.`);
  const result = resolveWholeNetwork(recipe, facts.pictureShape, facts.classCount);
  if (!result.ok) {
    const { layer, message, fix } = result.problem;
    throw new LabError('bad_recipe', `The network cannot work: ${layer}: ${message}`, { help: fix });
  }
  const trainableLayers = selectPhaseLayers(result.network, phase);
  return {
    phase,
    network: result.network,
    trainableLayers,
    prefix: findCachedPrefix(result.network, phase, trainableLayers),
    precision: choosePrecision(phase.precision, facts.bfloat16),
  };
}

/** Layers that are trained have no frozen mode. */
function normalizationMode(phase: Phase): PlanOptions['frozenBatchNormalization'] {
  return phase.frozenBatchNormalization === 'batchStatistics' ? 'batchStatistics' : 'inference';
}

function choosePrecision(precision: Phase['precision'], bfloat16: Executor['bfloat16']): Precision {
  if (precision !== 'mixed_float16') return precision === 'float32' ? precision : bfloat16;
  throw new LabError('unsupported', 'mixed_float16 needs a GPU and is not available on this device.', {
    expected: 'float32 or mixed_bfloat16',
    received: precision,
    help: 'Choose mixed_bfloat16, which needs no loss scaling.',
  });
}

/** What the engine needs to build the training program of this phase. */
export function programOptions(
  plan: PhasePlan,
  recipe: Recipe,
  parts: {
    readonly phase: number;
    readonly seed: number;
    readonly stepsPerEpoch: number;
    readonly classCounts: readonly number[];
    readonly useFeatures: boolean;
  },
): PlanOptions {
  const { phase, network } = plan;
  const source: PlanOptions['source'] = parts.useFeatures
    ? { kind: 'features', prefixLength: plan.prefix.length }
    : { kind: phase.augmentation === null ? 'pixels' : 'augmented' };
  return {
    network,
    trainableLayers: plan.trainableLayers,
    frozenBatchNormalization: normalizationMode(phase),
    input: recipe.input,
    source,
    optimizer: phase.optimizer,
    learningRateMultipliers: selectMultipliers(network, phase),
    mixesLabels: phase.augmentation !== null && (phase.augmentation.mixup !== null || phase.augmentation.cutmix !== null),
    loss: { ...phase.loss, classWeights: resolveClassWeights(phase.classWeights, parts.classCounts) },
    precision: plan.precision,
    stepsPerEpoch: parts.stepsPerEpoch,
    seed: createStream(parts.seed, 'phase', parts.phase).word(),
  };
}

/** balanced: pictures / (classes * pictures of the class), as in scikit-learn's compute_class_weight. */
function resolveClassWeights(weights: Phase['classWeights'], classCounts: readonly number[]): readonly number[] | null {
  if (weights !== 'balanced') return weights;
  const total = classCounts.reduce((sum, count) => sum + count, 0);
  return classCounts.map((count) => (count === 0 ? 0 : total / (classCounts.length * count)));
}
