// Everything a phase needs before its first step: resolved plan, data (or cached features of the frozen layers) and the session with its
// starting weights.
import { settleEpochs } from '../../shared/domain/retraining.ts';
import type { BatchSource } from '../data/batches.ts';
import { planTraining } from '../engine/plan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { planPhase, programOptions, type PhasePlan } from './phasePlan.ts';
import { PhaseSession } from './phaseSession.ts';
import type { PhaseSurroundings } from './phaseSurroundings.ts';
import { prepareFeatures } from './prepareFeatures.ts';
import { readStory } from './phaseStory.ts';
import { chooseStart, listPrefixWeights } from './startingWeights.ts';

export interface OpenPhase {
  readonly index: number;
  readonly plan: PhasePlan;
  readonly session: PhaseSession;
  readonly train: BatchSource;
  readonly validation: BatchSource | null;
  readonly test: BatchSource | null;
  readonly classCount: number;
  /** That it trains at most; where an earlier phase decides, fewer than the recipe says. */
  readonly epochs: number;
  close(): void;
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
  const { epochs, text } = settleEpochs(command.recipe, index, (phase) => readStory(command.runFolder, phase)?.epochs ?? null);
  report({ type: 'phaseStarted', phase: index, epochs });
  if (text !== null) report({ type: 'log', level: 'info', text });
  const seed = command.seed;
  const parts = { phase: index, seed, classCounts: data.classCounts };
  const start = chooseStart(plan, command.recipe, command.baseWeights, carried);
  const features = await prepareFeatures(run, plan, data, start, index);
  if (features === 'stopped') return 'stopped';
  const sources = features ?? data;
  const options = programOptions(plan, command.recipe, { ...parts, stepsPerEpoch: sources.train.steps, useFeatures: features !== null });
  const fixed = new Set(features === null ? [] : listPrefixWeights(plan));
  const session = new PhaseSession(executor, planTraining(options), fixed);
  session.initialize();
  session.write(start);
  return {
    index,
    plan,
    session,
    train: sources.train,
    validation: sources.validation,
    test: sources.test,
    classCount: data.classCount,
    epochs,
    close() {
      session.close();
      features?.close();
      data.close();
    },
  };
}
