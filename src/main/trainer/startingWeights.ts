// The weights a phase starts with: those that the phase before kept, or fresh ones: the base from its file, everything else drawn.
import type { Recipe } from '../../shared/contract/schema.ts';
import type { BaseWeights } from '../../shared/contract/worker.ts';
import { selectPhaseLayers } from '../../shared/domain/recipeNetwork.ts';
import type { Executor } from '../engine/executor.ts';
import { planTraining } from '../engine/plan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { readBaseWeights } from './baseWeights.ts';
import { programOptions, type PhasePlan } from './phasePlan.ts';
import { PhaseSession } from './phaseSession.ts';

/** Weights to write over those that a session draws; empty when all are drawn. Throws as readBaseWeights. */
export function chooseStart(
  plan: PhasePlan,
  recipe: Recipe,
  baseWeights: BaseWeights | null,
  carried: readonly NamedTensor[] | null,
): readonly NamedTensor[] {
  if (plan.phase.startFrom === 'previous' && carried !== null) return carried;
  return readBaseWeights(baseWeights, recipe, plan.network) ?? [];
}

/** Weights of the cached layers: from `start` where it has them all, otherwise with the missing ones drawn. */
export function findPrefixWeights(fresh: FreshWeights, start: readonly NamedTensor[]): readonly NamedTensor[] {
  const known = new Set(start.map((weight) => weight.name));
  const wanted = listPrefixWeights(fresh.plan);
  if (wanted.every((name) => known.has(name))) return start;
  return [...start, ...drawWeights(fresh).filter((weight) => !known.has(weight.name))];
}

/** Paths of the weights of the cached layers. */
export function listPrefixWeights({ network, prefix }: PhasePlan): string[] {
  return network.layers.slice(0, prefix.length).flatMap((layer) => layer.weights.map((weight) => weight.path));
}

/** Whether no phase trained a cached layer since the weights were fresh: then other runs may want the same features. */
export function isPrefixFresh({ network, prefix }: PhasePlan, recipe: Recipe, index: number): boolean {
  const weighted = network.layers.slice(0, prefix.length).filter((layer) => layer.weights.length > 0);
  for (let phase = index; phase > 0 && recipe.phases[phase]?.startFrom === 'previous'; phase -= 1) {
    const before = recipe.phases[phase - 1];
    const trained = before === undefined ? new Set<string>() : selectPhaseLayers(network, before);
    if (weighted.some((layer) => trained.has(layer.name))) return false;
  }
  return true;
}

export interface FreshWeights {
  readonly executor: Executor;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly plan: PhasePlan;
  readonly index: number;
  readonly classCounts: readonly number[];
}

/** All weights as this phase would draw them, in a session of their own because features are needed before its program. */
function drawWeights({ executor, recipe, seed, plan, index, classCounts }: FreshWeights): NamedTensor[] {
  const parts = { phase: index, seed, stepsPerEpoch: 1, classCounts, useFeatures: false };
  const session = new PhaseSession(executor, planTraining(programOptions(plan, recipe, parts)));
  try {
    session.initialize();
    return session.readWeights();
  } finally {
    session.close();
  }
}
