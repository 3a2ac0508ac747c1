// The comparison that the address says: views change it by changing the address, so that a reload and a shared link show the same.
import { computed, watch, type ComputedRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import { keyOf, readChoice, writeChoice, type ComparisonChoice } from '../../stores/comparison/choice.ts';
import { useComparisonsStore } from '../../stores/comparison.ts';

export interface ComparisonAddress {
  readonly choice: ComputedRef<ComparisonChoice>;
  /** Chosen entries as `run:phase`. */
  readonly keys: ComputedRef<ReadonlySet<string>>;
  choose(choice: ComparisonChoice): void;
  /** The same choice, for a link to another view. */
  readonly query: ComputedRef<Readonly<Record<string, string>>>;
}

/** Keeps the rest of the query. */
export function useComparisonAddress(): ComparisonAddress {
  const route = useRoute();
  const router = useRouter();
  const store = useComparisonsStore();
  const ownName = route.name;
  const query = computed(() => writeChoice(readChoice(route.query)));
  const choice = computed(() => readChoice(query.value));
  const choose = (next: ComparisonChoice): void => {
    const rest = Object.entries(route.query).filter(([name]) => !['entries', 'base', 'rule'].includes(name));
    void router.replace({ query: { ...Object.fromEntries(rest), ...writeChoice(next) } });
  };
  watch(
    () => JSON.stringify(query.value),
    () => {
      if (route.name === ownName) void store.show(choice.value);
    },
    { immediate: true },
  );
  return { choice, keys: computed(() => new Set(choice.value.entries.map(keyOf))), choose, query };
}
