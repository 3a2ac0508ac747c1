// What the address of a results page says: the part that is shown, which predictions, in which order, and the chosen one.
import { computed, onBeforeUnmount, ref, watch, type Ref } from 'vue';
import { useRoute, useRouter, type LocationQuery, type LocationQueryRaw } from 'vue-router';
import type { PredictionFilter } from '../../stores/predictionList.ts';

export const tabs = ['summary', 'confusion', 'classes', 'predictions', 'try'] as const;
export type ResultsTab = (typeof tabs)[number];

export const outcomes = ['all', 'right', 'wrong'] as const;
export const orders = ['position', 'confidence', 'surprise'] as const;

export const everything: PredictionFilter = { outcome: 'all', label: null, predicted: null, order: 'position' };

export interface ResultsAddress {
  readonly tab: Readonly<Ref<ResultsTab>>;
  readonly filter: Readonly<Ref<PredictionFilter>>;
  /** The chosen prediction by its place in the list that the filter leaves. */
  readonly at: Ref<number | null>;
  showTab(tab: ResultsTab): void;
  /** To the predictions that fit; what is not said is unfiltered. */
  showPredictions(filter: Partial<PredictionFilter>, at?: number): void;
  /** Changes the filter of the list that is shown. */
  narrow(change: Partial<PredictionFilter>): void;
}

/** Browsers limit how often an address may change, and a held arrow key is faster. */
const settleMs = 200;

export function useResultsAddress(): ResultsAddress {
  const route = useRoute();
  const router = useRouter();
  const tab = computed(() => tabs.find((name) => name === route.query['tab']) ?? 'summary');
  const filter = computed(() => readFilter(route.query));
  const at = ref(readNumber(route.query['at']));
  let timer: ReturnType<typeof setTimeout> | undefined;

  const query = (wanted: ResultsTab, only: PredictionFilter, chosen: number | null) => ({
    ...(wanted === 'summary' ? {} : { tab: wanted }),
    ...writeFilter(only),
    ...(chosen === null ? {} : { at: String(chosen) }),
  });
  const go = (wanted: ResultsTab, only: PredictionFilter, chosen: number | null): void => {
    clearTimeout(timer);
    at.value = chosen;
    void router.push({ query: query(wanted, only, chosen) });
  };
  watch(at, (chosen) => {
    clearTimeout(timer);
    if (chosen === readNumber(route.query['at'])) return;
    timer = setTimeout(() => void router.replace({ query: query(tab.value, filter.value, chosen) }), settleMs);
  });
  // Back, forward and links to the same page.
  watch(
    () => route.query['at'],
    (chosen) => {
      at.value = readNumber(chosen);
    },
  );
  onBeforeUnmount(() => clearTimeout(timer));
  return {
    tab,
    filter,
    at,
    showTab: (next) => go(next, filter.value, at.value),
    showPredictions: (only, chosen) => go('predictions', { ...everything, ...only }, chosen ?? null),
    narrow: (change) => go('predictions', { ...filter.value, ...change }, null),
  };
}

function readFilter(query: LocationQuery): PredictionFilter {
  return {
    outcome: outcomes.find((name) => name === query['outcome']) ?? 'all',
    label: readNumber(query['label']),
    predicted: readNumber(query['predicted']),
    order: orders.find((name) => name === query['order']) ?? 'position',
  };
}

function writeFilter({ outcome, label, predicted, order }: PredictionFilter): LocationQueryRaw {
  return {
    ...(outcome === 'all' ? {} : { outcome }),
    ...(label === null ? {} : { label: String(label) }),
    ...(predicted === null ? {} : { predicted: String(predicted) }),
    ...(order === 'position' ? {} : { order }),
  };
}

function readNumber(value: unknown): number | null {
  return typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : null;
}
