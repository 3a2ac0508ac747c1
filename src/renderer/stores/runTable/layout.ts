// Which columns the run history shows, in which order and how wide; remembered on this machine.
import { computed, ref, shallowRef } from 'vue';
import type { Answer } from '../../../shared/contract/api.ts';
import { recall, remember } from '../../memory.ts';
import { defaultColumns, fixedColumns, recipeColumn, requiredColumn, type RunColumn } from './columns.ts';

export type RecipeField = Answer<'runs.fields'>['fields'][number];

const leastWidth = 48;
const mostWidth = 800;
/** What the core answers in one query, see contract/methods/runs.ts. */
const mostRecipeColumns = 30;
const recipePrefix = 'recipe.';

export function createColumnLayout() {
  const shown = ref<readonly string[]>(recallShown());
  const widths = ref<Readonly<Record<string, number>>>(recall('runs.widths', {}));
  const fields = shallowRef<readonly RecipeField[]>([]);

  const find = (id: string): RunColumn | null => {
    const fixed = fixedColumns.find((column) => column.id === id);
    if (fixed !== undefined) return fixed;
    if (!id.startsWith(recipePrefix)) return null;
    return recipeColumn(id, fields.value.find(({ field }) => field === id)?.kind ?? 'text');
  };
  const show = (ids: readonly string[]): void => {
    shown.value = ids;
    remember('runs.columns', ids);
  };
  const setWidth = (id: string, pixels: number): void => {
    widths.value = { ...widths.value, [id]: Math.round(Math.min(mostWidth, Math.max(leastWidth, pixels))) };
    remember('runs.widths', widths.value);
  };
  return {
    fields,
    find,
    columns: computed(() => shown.value.flatMap((id) => find(id) ?? [])),
    recipeColumns: computed(() => shown.value.filter((id) => id.startsWith(recipePrefix))),
    isFull: computed(() => shown.value.filter((id) => id.startsWith(recipePrefix)).length >= mostRecipeColumns),
    widthOf: (column: RunColumn): number => widths.value[column.id] ?? column.width,
    /** The name takes what the others leave, until somebody gave it a width. */
    isFlexible: (column: RunColumn): boolean => column.id === requiredColumn && widths.value[column.id] === undefined,
    setWidth,
    isShown: (id: string): boolean => shown.value.includes(id),
    toggle: (id: string): void => {
      if (id === requiredColumn) return;
      show(shown.value.includes(id) ? shown.value.filter((one) => one !== id) : [...shown.value, id]);
    },
    /** Puts a shown column before the one at `gap`, counted before it moves. */
    move: (id: string, gap: number): void => {
      const before = shown.value[gap];
      const others = shown.value.filter((one) => one !== id);
      const place = before === undefined ? others.length : before === id ? shown.value.indexOf(id) : others.indexOf(before);
      show(others.toSpliced(place, 0, id));
    },
    reset: (): void => {
      show(defaultColumns);
      widths.value = {};
      remember('runs.widths', {});
    },
  };
}

/** Columns of another version are left out. */
function recallShown(): readonly string[] {
  const stored = recall<unknown>('runs.columns', defaultColumns);
  const ids = Array.isArray(stored) ? stored.filter((id): id is string => typeof id === 'string') : defaultColumns;
  const known = ids.filter((id) => id.startsWith(recipePrefix) || fixedColumns.some((column) => column.id === id));
  return known.includes(requiredColumn) ? [...new Set(known)] : defaultColumns;
}
