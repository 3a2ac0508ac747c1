// What the draft will cost: counts and memory answered by the core shortly after every edit, and times measured when a person asks.
import { computed, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue';
import type { Calibration, Preflight } from '../../../shared/contract/methods/recipes.ts';
import { toWire, type WireError } from '../../../shared/contract/errors.ts';
import type { Draft } from '../../../shared/domain/draft/draft.ts';
import { timingKey } from '../../../shared/domain/draft/planned.ts';
import type { LabConnection } from '../../connection.ts';

const restMs = 350;

export interface DraftCosts {
  readonly preflight: ShallowRef<Preflight | null>;
  readonly preflightError: ShallowRef<WireError | null>;
  /** The answer belongs to an earlier state of the draft. */
  readonly isPreflightOld: Ref<boolean>;
  /** Measured for a recipe whose steps take as long as the draft's; null otherwise. */
  readonly calibration: ComputedRef<Calibration | null>;
  readonly calibrationError: ShallowRef<WireError | null>;
  readonly isMeasuring: ComputedRef<boolean>;
  measure(): Promise<void>;
  cancelMeasuring(): void;
  /** Asks again, when the datasets may be others than before. */
  refresh(): void;
}

export function createDraftCosts(connection: LabConnection, draft: ShallowRef<Draft | null>): DraftCosts {
  return { ...followPreflight(connection, draft), ...createMeasuring(connection, draft) };
}

function followPreflight(connection: LabConnection, draft: ShallowRef<Draft | null>) {
  const preflight = shallowRef<Preflight | null>(null);
  const preflightError = shallowRef<WireError | null>(null);
  const isPreflightOld = shallowRef(false);
  let asking = new AbortController();

  const ask = async (): Promise<void> => {
    asking.abort();
    const mine = new AbortController();
    asking = mine;
    if (draft.value === null) return;
    const { recipe, datasetId } = draft.value;
    isPreflightOld.value = true;
    await rest(restMs);
    if (asking !== mine) return;
    try {
      const answer = await connection.call(
        'recipes.preflight',
        { recipe: { from: 'content', content: recipe }, datasetId },
        { signal: mine.signal },
      );
      if (asking !== mine) return;
      preflight.value = answer;
      preflightError.value = null;
    } catch (error) {
      if (asking !== mine) return;
      preflight.value = null;
      preflightError.value = toWire(error);
    }
    isPreflightOld.value = false;
  };
  // At once, so that no answer of an earlier state is taken for one of this.
  watch([() => draft.value?.recipe, () => draft.value?.datasetId], () => void ask(), { flush: 'sync' });
  return { preflight, preflightError, isPreflightOld, refresh: () => void ask() };
}

function createMeasuring(connection: LabConnection, draft: ShallowRef<Draft | null>) {
  const measured = shallowRef<{ readonly key: string; readonly calibration: Calibration } | null>(null);
  const calibrationError = shallowRef<WireError | null>(null);
  const running = shallowRef<AbortController | null>(null);
  const key = computed(() => (draft.value === null ? '' : timingKey(draft.value.recipe, draft.value.datasetId)));

  const measure = async (): Promise<void> => {
    if (draft.value === null || running.value !== null) return;
    const control = new AbortController();
    const { recipe, datasetId } = draft.value;
    running.value = control;
    calibrationError.value = null;
    try {
      const request = { recipe: { from: 'content', content: recipe }, datasetId } as const;
      const calibration = await connection.call('recipes.calibrate', request, { signal: control.signal });
      measured.value = { key: timingKey(recipe, datasetId), calibration };
    } catch (error) {
      const wire = toWire(error);
      calibrationError.value = wire.code === 'cancelled' ? null : wire;
    }
    running.value = null;
  };
  return {
    calibration: computed(() => (measured.value?.key === key.value ? measured.value.calibration : null)),
    calibrationError,
    isMeasuring: computed(() => running.value !== null),
    measure,
    cancelMeasuring: () => running.value?.abort(),
  };
}

function rest(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
