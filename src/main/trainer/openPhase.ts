// Everything a phase needs before its first step: resolved plan, data (or cached features of the frozen layers) and the session with its
// starting weights.
import { join } from 'node:path';
import type { TrainCommand, Report } from '../../shared/contract/worker.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import type { BatchSource } from '../data/batches.ts';
import type { Executor } from '../engine/executor.ts';
import { planTraining } from '../engine/plan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import type { Control } from './control.ts';
import { computeFeatures, type PhaseFeatures } from './features.ts';
import { planPhase, programOptions, type PhasePlan } from './phasePlan.ts';
import { PhaseSession } from './phaseSession.ts';
import type { PhaseData, RunData } from './runData.ts';

export interface OpenPhase {
  readonly index: number;
  readonly plan: PhasePlan;
  readonly session: PhaseSession;
  readonly train: BatchSource;
  readonly validation: BatchSource | null;
  readonly test: BatchSource | null;
  readonly classCount: number;
  close(): void;
}

export interface PhaseSurroundings {
  readonly command: TrainCommand;
  readonly data: RunData;
  readonly executor: Executor;
  readonly control: Control;
  readonly report: (report: Report) => void;
}

/** Opens phase `index` with the weights of the phase before (`carried`), unless the recipe draws them anew. */
export async function openPhase(
  run: PhaseSurroundings,
  index: number,
  carried: readonly NamedTensor[] | null,
): Promise<OpenPhase | 'stopped'> {
  const { command, executor, report } = run;
  const data = run.data.openPhase(index);
  const plan = planPhase(command.recipe, index, {
    pictureShape: run.data.store.manifest.shape,
    classCount: data.classCount,
    bfloat16: executor.bfloat16,
  });
  if (plan.precision === 'mixed_bfloat16_wide') {
    const text = 'This processor has no matrix units for bfloat16: values are rounded to it, products are computed in float32.';
    report({ type: 'log', level: 'info', text });
  }
  report({ type: 'phaseStarted', phase: index });
  const seed = command.seed;
  const parts = { phase: index, seed, classCounts: data.classCounts };
  const starting = plan.phase.startFrom === 'previous' ? carried : null;
  const features = plan.prefix.length === 0 ? null : await prepareFeatures(run, plan, data, starting, index);
  if (features === 'stopped') return 'stopped';
  const sources = features ?? data;
  const options = programOptions(plan, command.recipe, { ...parts, stepsPerEpoch: sources.train.steps, useFeatures: features !== null });
  const session = new PhaseSession(executor, planTraining(options));
  session.initialize();
  if (starting !== null) session.write(starting);
  return {
    index,
    plan,
    session,
    train: sources.train,
    validation: sources.validation,
    test: sources.test,
    classCount: data.classCount,
    close() {
      session.close();
      features?.close();
      data.close();
    },
  };
}

async function prepareFeatures(
  run: PhaseSurroundings,
  plan: PhasePlan,
  data: PhaseData,
  carried: readonly NamedTensor[] | null,
  index: number,
): Promise<PhaseFeatures | 'stopped'> {
  const started = performance.now();
  const { recipe, seed } = run.command;
  const weights = carried ?? drawWeights({ executor: run.executor, recipe, seed, plan, index, classCounts: data.classCounts });
  try {
    const features = await computeFeatures({
      executor: run.executor,
      plan,
      input: run.command.recipe.input,
      data,
      weights,
      folder: join(run.command.cacheFolder, `${run.command.runId}-phase-${index + 1}`),
      heldBytes: run.command.featureCacheBytes,
      async breathe() {
        await run.control.breathe();
        if (run.control.wish === 'stop') throw new LabError('stopped', 'The run was stopped while features were computed.');
      },
    });
    const seconds = (performance.now() - started) / 1000;
    const last = plan.network.layers[plan.prefix.length - 1]?.name ?? '';
    run.report({
      type: 'log',
      level: 'info',
      text: `The frozen layers up to ${last} were computed once for ${features.images} pictures (${Math.round(features.bytes / 1e6)} MB).`,
    });
    run.report({ type: 'featuresComputed', phase: index, images: features.images, seconds, bytes: features.bytes });
    return features;
  } catch (error) {
    if (error instanceof LabError && error.code === 'stopped') return 'stopped';
    throw error;
  }
}

export interface FreshWeights {
  readonly executor: Executor;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly plan: PhasePlan;
  readonly index: number;
  readonly classCounts: readonly number[];
}

/** The weights this phase would start from by itself; drawn in a session of their own because features are needed before its program. */
export function drawWeights({ executor, recipe, seed, plan, index, classCounts }: FreshWeights): NamedTensor[] {
  const parts = { phase: index, seed, stepsPerEpoch: 1, classCounts, useFeatures: false };
  const session = new PhaseSession(executor, planTraining(programOptions(plan, recipe, parts)));
  try {
    session.initialize();
    return session.readWeights();
  } finally {
    session.close();
  }
}
