// What the run history shows, as the query of its address: /runs?view=archived&text=vgg&sort=-testAccuracy,name&filters=[["state","=","finished"]].
// An address that was mangled shows less, never an error.
import { z } from 'zod';
import { runFilterSchema, runQuerySchema, type RunFilter } from '../../../shared/contract/methods/runs.ts';

export type RunView = 'active' | 'archived' | 'trash';

export interface SortKey {
  readonly field: string;
  readonly isDescending: boolean;
}

/** What a person asked the table for. */
export interface RunChoice {
  readonly view: RunView;
  readonly text: string;
  readonly filters: readonly RunFilter[];
  readonly sort: readonly SortKey[];
}

export const newestFirst: RunChoice = { view: 'active', text: '', filters: [], sort: [{ field: 'createdAt', isDescending: true }] };

export type Address = Readonly<Record<string, string>>;

const filtersSchema = z.array(z.tuple([z.string(), z.string(), z.union([z.string(), z.number(), z.boolean()])]));
const { view: viewSchema, text: textSchema, sort: sortSchema } = runQuerySchema.shape;

/** Only what differs from the newest active runs is written. */
export function writeAddress({ view, text, filters, sort }: RunChoice): Address {
  const sorted = sort.map(({ field, isDescending }) => `${isDescending ? '-' : ''}${field}`).join(',');
  return {
    ...(view === newestFirst.view ? {} : { view }),
    ...(text === '' ? {} : { text }),
    ...(filters.length === 0 ? {} : { filters: JSON.stringify(filters.map(({ field, operator, value }) => [field, operator, value])) }),
    ...(sorted === '-createdAt' ? {} : { sort: sorted }),
  };
}

/** What is missing or wrong in the query is taken from `otherwise`. */
export function readAddress(query: Readonly<Record<string, unknown>>, otherwise: RunChoice = newestFirst): RunChoice {
  const sort = typeof query['sort'] === 'string' ? readSort(query['sort']) : null;
  return {
    view: viewSchema.safeParse(query['view'] ?? otherwise.view).data ?? otherwise.view,
    text: textSchema.safeParse(query['text'] ?? otherwise.text).data ?? otherwise.text,
    filters: typeof query['filters'] === 'string' ? readFilters(query['filters']) : otherwise.filters,
    sort: sort ?? otherwise.sort,
  };
}

function readSort(text: string): readonly SortKey[] | null {
  const keys = text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => ({ field: part.replace(/^-/, ''), isDescending: part.startsWith('-') }));
  const read = sortSchema.safeParse(keys);
  return read.success && read.data.length > 0 ? read.data : null;
}

function readFilters(text: string): readonly RunFilter[] {
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch {
    return [];
  }
  const rows = filtersSchema.safeParse(written).data ?? [];
  return rows.flatMap(([field, operator, value]) => {
    const read = runFilterSchema.safeParse({ field, operator, value });
    return read.success ? [read.data] : [];
  });
}

/** A click sorts by this column alone, or turns its direction; with `isSecond` the column is added to those before it. */
export function toggleSort(sort: readonly SortKey[], field: string, isDescendingFirst: boolean, isSecond: boolean): readonly SortKey[] {
  const known = sort.find((key) => key.field === field);
  const next = { field, isDescending: known === undefined ? isDescendingFirst : !known.isDescending };
  if (!isSecond) return [next];
  if (known !== undefined) return sort.map((key) => (key.field === field ? next : key));
  return [...sort.slice(0, 3), next];
}
