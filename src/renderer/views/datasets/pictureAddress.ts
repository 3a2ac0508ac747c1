// What the address of a dataset page says: the part of the dataset, the classes and the picture that are shown.
import { computed, onBeforeUnmount, ref, watch, type Ref } from 'vue';
import { useRoute, useRouter, type LocationQuery } from 'vue-router';
import type { PictureFilter, PictureSplit } from '../../../shared/domain/pictures.ts';

export interface PictureAddress {
  readonly filter: Readonly<Ref<PictureFilter>>;
  /** Index of the chosen picture in the dataset. */
  readonly at: Ref<number | null>;
  showSplit(split: PictureSplit): void;
  showClasses(classes: readonly number[] | null): void;
}

/** Browsers limit how often an address may change, and a held arrow key is faster. */
const settleMs = 200;

export function usePictureAddress(): PictureAddress {
  const route = useRoute();
  const router = useRouter();
  const split = ref<PictureSplit>(readSplit(route.query));
  const classes = ref<readonly number[] | null>(readClasses(route.query));
  const at = ref(readIndex(route.query));
  const filter = computed<PictureFilter>(() => ({ split: split.value, classes: classes.value }));
  let timer: ReturnType<typeof setTimeout> | undefined;

  const query = computed(() => ({
    ...(split.value === 'all' ? {} : { split: split.value }),
    ...(classes.value === null ? {} : { class: classes.value.join('.') }),
    ...(at.value === null ? {} : { at: String(at.value) }),
  }));
  watch(query, (next) => {
    clearTimeout(timer);
    timer = setTimeout(() => void router.replace({ query: next }), settleMs);
  });
  // Back, forward and links to the same page.
  watch(
    () => route.query,
    (now) => {
      if (isSame(now, query.value)) return;
      split.value = readSplit(now);
      classes.value = readClasses(now);
      at.value = readIndex(now);
    },
  );
  onBeforeUnmount(() => clearTimeout(timer));
  return {
    filter,
    at,
    showSplit: (next) => {
      split.value = next;
    },
    showClasses: (next) => {
      classes.value = next === null || next.length === 0 ? null : [...next].sort((a, b) => a - b);
    },
  };
}

function readSplit(query: LocationQuery): PictureSplit {
  const value = query['split'];
  return value === 'train' || value === 'test' ? value : 'all';
}

function readClasses(query: LocationQuery): readonly number[] | null {
  const value = query['class'];
  if (typeof value !== 'string' || !/^\d{1,5}(\.\d{1,5})*$/.test(value)) return null;
  return [...new Set(value.split('.').map(Number))].sort((a, b) => a - b);
}

function readIndex(query: LocationQuery): number | null {
  const value = query['at'];
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : null;
}

function isSame(query: LocationQuery, other: Readonly<Record<string, string>>): boolean {
  return ['split', 'class', 'at'].every((name) => (query[name] ?? undefined) === other[name]);
}
