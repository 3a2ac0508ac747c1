// The phase's policies (early stopping, which weights are kept, plateau learning rate) as one JSON state that a checkpoint holds.
import { z } from 'zod';
import type { Phase } from '../../shared/contract/schema.ts';
import { earlyStoppingStart, keepStart, reduceEarlyStopping, reduceKeep, type EpochMetrics } from '../../shared/domain/policies.ts';
import { learningRates, reducePlateau, startPlateau } from '../../shared/domain/schedules.ts';

export const policyStateSchema = z.strictObject({
  earlyStopping: z.strictObject({ best: z.number().nullable(), bestEpoch: z.int().nullable(), wait: z.int() }),
  keep: z.strictObject({ best: z.number().nullable(), epoch: z.int().nullable() }),
  plateau: z.strictObject({ learningRate: z.number(), best: z.number().nullable(), wait: z.int(), cooldown: z.int() }),
});
export type PolicyState = z.infer<typeof policyStateSchema>;

export function startPolicies(phase: Phase): PolicyState {
  return { earlyStopping: earlyStoppingStart, keep: keepStart, plateau: startPlateau(phase.optimizer.learningRate) };
}

export interface PolicyDecision {
  readonly state: PolicyState;
  readonly isStopping: boolean;
  /** This epoch's weights replace the kept ones. */
  readonly isKept: boolean;
}

/** What follows from a finished epoch. */
export function decideAfterEpoch(state: PolicyState, metrics: EpochMetrics, phase: Phase): PolicyDecision {
  const stopping = phase.earlyStopping === null ? null : reduceEarlyStopping(state.earlyStopping, metrics, phase.earlyStopping);
  const keep = reduceKeep(state.keep, metrics, phase.keep);
  const plateau = phase.schedule.type === 'reduceOnPlateau' ? reducePlateau(state.plateau, metrics, phase.schedule) : state.plateau;
  return {
    state: { earlyStopping: stopping?.state ?? state.earlyStopping, keep: keep.state, plateau },
    isStopping: stopping?.isStopping ?? false,
    isKept: keep.isKept,
  };
}

/** Learning rates of each step of `epoch` (from 1). */
export function ratesOfEpoch(phase: Phase, state: PolicyState, stepsPerEpoch: number, epoch: number): Float64Array {
  const baseLearningRate = phase.schedule.type === 'reduceOnPlateau' ? state.plateau.learningRate : phase.optimizer.learningRate;
  return learningRates({ schedule: phase.schedule, baseLearningRate, stepsPerEpoch, epochs: phase.epochs, epoch });
}
