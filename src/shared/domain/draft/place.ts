// Changing one place of a recipe without touching the rest: values are never changed in place, so that undo is keeping the old one.
import { recipeSchema, type Recipe } from '../../contract/schema.ts';

export type Place = readonly (string | number)[];

/** A copy of `value` with `next` at the place; undefined removes the key. Places that do not exist are made. */
export function setAt(value: unknown, place: Place, next: unknown): unknown {
  const [key, ...rest] = place;
  if (key === undefined) return next;
  if (typeof key === 'number') {
    const list: unknown[] = Array.isArray(value) ? [...(value as unknown[])] : [];
    list[key] = setAt(list[key], rest, next);
    return list;
  }
  const { [key]: old, ...others } = isRecord(value) ? value : {};
  const changed = setAt(old, rest, next);
  if (changed === undefined) return others;
  // The order of keys stays, which keeps the JSON readable.
  return isRecord(value) && key in value ? { ...value, [key]: changed } : { ...others, [key]: changed };
}

export function readAt(value: unknown, place: Place): unknown {
  return place.reduce<unknown>(
    (found, key) => (isRecord(found) || Array.isArray(found) ? (found as Record<string | number, unknown>)[key] : undefined),
    value,
  );
}

/** The recipe with one place changed; null when the schema refuses the result. */
export function changeRecipe(recipe: Recipe, place: Place, value: unknown): Recipe | null {
  return recipeSchema.safeParse(setAt(recipe, place, value)).data ?? null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
