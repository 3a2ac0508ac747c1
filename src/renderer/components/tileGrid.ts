// What every grid of tiles does alike: measures its scroller, knows what is in view, moves by key, chooses by click. How tiles look and
// when the grid scrolls by itself belongs to the component.
import { computed, onBeforeUnmount, onMounted, ref, watch, type ComputedRef, type Ref } from 'vue';
import { layoutGrid, moveByKey, positionsInView, scrollTopFor, type GridMeasures } from './gridLayout.ts';

export interface TileGridInput {
  readonly scroller: Readonly<Ref<HTMLElement | null>>;
  readonly selected: () => number | null;
  /** The measures for a scroller of this size, in pixels. */
  readonly measure: (view: { readonly width: number; readonly height: number }) => GridMeasures;
  readonly select: (position: number) => void;
  /** What came into view. */
  readonly show: (from: number, to: number) => void;
}

/** For the setup of a component whose options carry `data-position`. */
export function useTileGrid({ scroller, selected, measure, select, show }: TileGridInput) {
  const scrollTop = ref(0);
  const view = ref({ width: 0, height: 0 });
  const measures: ComputedRef<GridMeasures> = computed(() => measure(view.value));
  const layout = computed(() => layoutGrid(measures.value));
  const inView = computed(() => positionsInView(layout.value, measures.value, scrollTop.value));

  const reveal = (position: number): void => {
    const element = scroller.value;
    if (element === null || view.value.height === 0) return;
    element.scrollTop = scrollTopFor(layout.value, measures.value, element.scrollTop, position);
    scrollTop.value = element.scrollTop;
  };
  const choose = (event: MouseEvent): void => {
    const found = event.target instanceof Element ? event.target.closest('[data-position]') : null;
    const position = Number(found?.getAttribute('data-position') ?? NaN);
    if (Number.isInteger(position)) select(position);
  };
  const move = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const from = selected() ?? -1;
    const isFirst = from < 0 && event.key.startsWith('Arrow');
    const to = isFirst ? (inView.value?.from ?? 0) : moveByKey(event.key, from, measures.value.total, layout.value);
    if (to === undefined) return;
    event.preventDefault();
    select(to);
  };
  const observer = new ResizeObserver(([entry]) => {
    if (entry !== undefined) view.value = { width: entry.contentRect.width, height: entry.contentRect.height };
  });
  onMounted(() => {
    if (scroller.value !== null) observer.observe(scroller.value);
  });
  onBeforeUnmount(() => observer.disconnect());
  watch(inView, (seen) => {
    if (seen !== undefined) show(seen.from, seen.to);
  });
  return { scrollTop, view, measures, layout, inView, reveal, choose, move };
}
