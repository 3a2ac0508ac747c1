// From a phase's plan to its cached features, said to the people who watch: what was computed, what another run had left, and why there are
// none.
import { join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { Base } from '../../shared/contract/base.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { openFeatures, type PhaseFeatures, type SharedFeatures } from './features.ts';
import type { PhasePlan } from './phasePlan.ts';
import type { PhaseSurroundings } from './phaseSurroundings.ts';
import type { PhaseData } from './runData.ts';
import { findPrefixWeights, isPrefixFresh } from './startingWeights.ts';

/** Null when the phase does not cache, or cannot. */
export async function prepareFeatures(
  run: PhaseSurroundings,
  plan: PhasePlan,
  data: PhaseData,
  start: readonly NamedTensor[],
  index: number,
): Promise<PhaseFeatures | null | 'stopped'> {
  if (plan.prefix.length === 0) return null;
  const { recipe, seed, cacheFolder, runId, featureCacheBytes } = run.command;
  const fresh = { executor: run.executor, recipe, seed, plan, index, classCounts: data.classCounts };
  try {
    const features = await openFeatures({
      executor: run.executor,
      plan,
      input: recipe.input,
      data,
      weights: findPrefixWeights(fresh, start),
      ownFolder: join(cacheFolder, `${runId}-phase-${index + 1}`),
      shared: isPrefixFresh(plan, recipe, index) ? describeShared(run) : null,
      heldBytes: featureCacheBytes,
      measureDisk: run.measureDisk,
      async breathe() {
        await run.control.breathe();
        if (run.control.wish === 'stop') throw new LabError('stopped', 'The run was stopped while features were computed.');
      },
    });
    tell(run, plan, index, features);
    return features;
  } catch (error) {
    if (error instanceof LabError && error.code === 'stopped') return 'stopped';
    throw error;
  }
}

function describeShared({ command, data }: PhaseSurroundings): SharedFeatures {
  const { manifest } = data.store;
  const { base } = command.recipe.network;
  const origin = { madeBy: command.runId, recipe: command.recipe.title, base: base === null ? null : nameBase(base), dataset: manifest.id };
  return { folder: command.featuresFolder, fingerprint: manifest.fingerprint, origin };
}

function nameBase({ network, alpha, weights }: Base): string {
  return `${network}${alpha === 1 ? '' : ` with alpha ${alpha}`}, ${weights === 'random' ? 'random weights' : weights}`;
}

function tell({ report }: PhaseSurroundings, plan: PhasePlan, index: number, features: PhaseFeatures | null): void {
  const say = (text: string): void => report({ type: 'log', level: 'info', text });
  const last = plan.network.layers[plan.prefix.length - 1]?.name ?? '';
  if (features === null) {
    say(`The disk has no room for the features of the frozen layers up to ${last}: they are computed in every step.`);
    return;
  }
  const { computed, reused } = features;
  if (reused !== null) {
    say(
      `Features of ${reused.images} pictures (${megabytes(reused.bytes)}) were read from the cache (made by ${reused.makers.join(', ')}).`,
    );
  }
  if (computed === null) return;
  const { images, bytes, seconds, isShared } = computed;
  const kept = isShared ? ' and kept for later runs' : '';
  say(`The frozen layers up to ${last} were computed once for ${images} pictures (${megabytes(bytes)})${kept}.`);
  report({ type: 'featuresComputed', phase: index, images, seconds, bytes });
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
