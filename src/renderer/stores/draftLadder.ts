// The transfer ladder of the draft: its rungs with what each costs, which of them shall run, and their way into the queue as one group.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import { LabError, toWire, type WireError } from '../../shared/contract/errors.ts';
import type { Calibration, Preflight } from '../../shared/contract/methods/recipes.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { parseSeeds } from '../../shared/domain/draft/draft.ts';
import { makeLadder, type Rung } from '../../shared/domain/ladder.ts';
import type { LabConnection } from '../connection.ts';
import { useConnection } from '../injection.ts';
import { useDraftStore } from './draft.ts';

export interface RungPlan {
  readonly rung: Rung;
  readonly isChosen: boolean;
  /** null until it is answered. */
  readonly preflight: Preflight | null;
  readonly calibration: Calibration | null;
  readonly error: WireError | null;
}

type RungId = Rung['id'];

export const useLadderStore = defineStore('ladder', () => {
  const connection = useConnection();
  const draft = useDraftStore();
  const plans = shallowRef<readonly RungPlan[]>([]);
  const seedText = ref('');
  const seeds = computed(() => parseSeeds(seedText.value));
  const chosen = computed(() => plans.value.filter(({ isChosen }) => isChosen));
  const change = (id: RungId, next: Partial<RungPlan>): void => {
    plans.value = plans.value.map((plan) => (plan.rung.id === id ? { ...plan, ...next } : plan));
  };
  const costs = createRungCosts(connection, {
    plans: () => plans.value,
    datasetId: () => draft.draft?.datasetId ?? null,
    change,
  });

  return {
    plans,
    seedText,
    /** A sentence where the text holds no seeds. */
    seedFault: computed(() => (typeof seeds.value === 'string' ? seeds.value : null)),
    /** The rungs of the draft can be made; otherwise why not. */
    reason: computed(() => (draft.recipe === null ? 'There is no recipe.' : findReason(draft.recipe))),
    runCount: computed(() => (typeof seeds.value === 'string' ? 0 : chosen.value.length * seeds.value.length)),
    /** Makes the rungs of the draft as it is and asks what they cost; throws `bad_recipe` with the reason when there are none. */
    open: async (): Promise<void> => {
      const { draft: begun } = draft;
      if (begun === null) return;
      costs.cancelMeasuring();
      seedText.value = begun.seeds.join(', ');
      const make = (rung: Rung): RungPlan => ({ rung, isChosen: true, preflight: null, calibration: null, error: null });
      plans.value = makeLadder(begun.recipe).map(make);
      await costs.ask();
    },
    choose: (id: RungId, isChosen: boolean): void => change(id, { isChosen }),
    ...costs,
    /** Queues every chosen rung with every seed; the group of the runs. All begin or none. */
    start: async (): Promise<string | null> => {
      if (draft.draft === null || typeof seeds.value === 'string') return null;
      const { datasetId, name } = draft.draft;
      const requests = chosen.value.map(({ rung }) => ({
        recipe: { from: 'content' as const, content: rung.recipe },
        datasetId,
        seeds: [...(seeds.value as readonly number[])],
        name: name.trim() === '' ? null : `${name.trim()}: ${rung.title}`.slice(0, 120),
      }));
      return (await connection.call('runs.createGroup', { requests })).group;
    },
  };
});

/** Why no ladder can be made of the recipe; null when one can. */
function findReason(recipe: Recipe): string | null {
  try {
    makeLadder(recipe);
    return null;
  } catch (error) {
    if (error instanceof LabError) return error.message;
    throw error;
  }
}

interface RungCosts {
  readonly plans: () => readonly RungPlan[];
  readonly datasetId: () => string | null;
  readonly change: (id: RungId, next: Partial<RungPlan>) => void;
}

function createRungCosts(connection: LabConnection, { plans, datasetId, change }: RungCosts) {
  const measuring = shallowRef<{ readonly done: number; readonly total: number; readonly title: string } | null>(null);
  let control = new AbortController();
  const askFor = async <Value>(plan: RungPlan, work: () => Promise<Value>, take: (value: Value) => Partial<RungPlan>): Promise<void> => {
    try {
      change(plan.rung.id, { ...take(await work()), error: null });
    } catch (error) {
      const wire = toWire(error);
      if (wire.code !== 'cancelled') change(plan.rung.id, { error: wire });
    }
  };
  const contentOf = ({ rung }: RungPlan) => ({ recipe: { from: 'content' as const, content: rung.recipe }, datasetId: datasetId() });
  return {
    /** The rung whose steps are timed, and how many were; null while none is. */
    measuring,
    ask: async (): Promise<void> => {
      await Promise.all(
        plans().map((plan) =>
          askFor(
            plan,
            () => connection.call('recipes.preflight', contentOf(plan)),
            (preflight) => ({ preflight }),
          ),
        ),
      );
    },
    /** Times a few steps of each chosen rung, one after the other; what was measured before a cancel stays. */
    measure: async (): Promise<void> => {
      if (measuring.value !== null) return;
      control = new AbortController();
      const { signal } = control;
      const wanted = plans().filter(({ isChosen }) => isChosen);
      for (const [done, plan] of wanted.entries()) {
        if (signal.aborted) break;
        measuring.value = { done, total: wanted.length, title: plan.rung.title };
        await askFor(
          plan,
          () => connection.call('recipes.calibrate', contentOf(plan), { signal }),
          (calibration) => ({ calibration }),
        );
      }
      measuring.value = null;
    },
    cancelMeasuring: (): void => control.abort(new LabError('cancelled', 'The measurement was cancelled.')),
  };
}
