// All SQL of the run history as a table. A query asks twice: how many rows fit, and which runs stand on one page of them; the rows themselves
// are read by id. Only names from this file and numbers of this file enter the SQL text; whatever a person typed is bound as a value.
import type { Database } from 'better-sqlite3';
import type { RunField, RunFilter } from '../../shared/contract/methods/runs.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { createRecipeValues, toStored, type RecipeField, type RecipeValue, type RecipeValueStore } from './recipeValues.ts';

/** A column every run has, or the path of a value in its recipe. */
export type TableColumn = { readonly fixed: RunField } | { readonly recipePath: string };

export interface TableFilter {
  readonly column: TableColumn;
  readonly operator: RunFilter['operator'];
  readonly value: RecipeValue;
}

export interface TableQuery {
  readonly view: 'active' | 'archived' | 'trash';
  readonly text: string;
  readonly filters: readonly TableFilter[];
  readonly sort: readonly { readonly column: TableColumn; readonly isDescending: boolean }[];
  readonly offset: number;
  readonly limit: number;
}

export interface RunTable {
  /** How many runs fit and the ids on the page, in order; runs without a value come last, and the newest first where all is equal. */
  find(query: TableQuery): { readonly total: number; readonly runIds: readonly RunId[] };
  readValues: RecipeValueStore['read'];
  findField(path: string): RecipeField | undefined;
  listFields(): RecipeField[];
  /** Tags of runs outside the trash with how many carry them. */
  listTags(): { readonly tag: string; readonly runs: number }[];
  countViews(): { readonly active: number; readonly archived: number; readonly trashed: number };
}

/** What a fixed column holds, as a query sees it. */
export const fixedKinds = {
  name: 'text',
  recipeId: 'text',
  state: 'text',
  createdAt: 'text',
  seconds: 'number',
  seed: 'number',
  group: 'text',
  datasetId: 'text',
  epochs: 'number',
  total: 'number',
  trainable: 'number',
  secondsPerEpoch: 'number',
  testAccuracy: 'number',
  testLoss: 'number',
  bestValidationAccuracy: 'number',
  tags: 'tags',
} as const satisfies Readonly<Record<RunField, 'text' | 'number' | 'tags'>>;

const fixedColumns: Readonly<Record<RunField, string>> = {
  name: 'runs.name COLLATE NOCASE',
  recipeId: 'runs.recipe_id',
  state: 'runs.state',
  createdAt: 'runs.created_at',
  seconds: 'runs.seconds',
  seed: 'runs.seed',
  group: 'runs.group_id',
  datasetId: 'runs.dataset_id',
  epochs: 'runs.epochs',
  total: 'runs.total',
  trainable: 'runs.trainable',
  secondsPerEpoch: 'runs.seconds_per_epoch',
  testAccuracy: 'runs.test_accuracy',
  testLoss: 'runs.test_loss',
  bestValidationAccuracy: 'runs.best_validation_accuracy',
  tags: "nullif(runs.tags, '[]')",
};

const views = {
  active: 'runs.trashed_at IS NULL AND runs.archived_at IS NULL',
  archived: 'runs.trashed_at IS NULL AND runs.archived_at IS NOT NULL',
  trash: 'runs.trashed_at IS NOT NULL',
} as const;

const searchedText =
  'runs.name || char(31) || runs.run_id || char(31) || runs.recipe_id || char(31) || runs.tags || char(31) || runs.notes';
const operators = { '=': '=', '!=': 'IS NOT', '<': '<', '<=': '<=', '>': '>', '>=': '>=' } as const;

export function createRunTable(database: Database): RunTable {
  const values = createRecipeValues(database);
  // SQLite's own lower() knows the Latin letters of ASCII only, and it writes the number 32 as 32.0.
  database.function('fold', { deterministic: true }, (value: string | number | null) =>
    value === null ? null : String(value).toLowerCase(),
  );
  const tags = database.prepare<[], { tag: string; runs: number }>(
    `SELECT value AS tag, count(*) AS runs FROM runs, json_each(runs.tags) WHERE runs.trashed_at IS NULL AND runs.tags <> '[]'
     GROUP BY value ORDER BY fold(value), value`,
  );
  const count = (view: keyof typeof views): number =>
    Number(database.prepare(`SELECT count(*) FROM runs WHERE ${views[view]}`).pluck().get());
  return {
    find: (query) => find(database, query),
    readValues: (paths, runIds) => values.read(paths, runIds),
    findField: (path) => values.findField(path),
    listFields: () => values.listFields(),
    listTags: () => tags.all(),
    countViews: () => ({ active: count('active'), archived: count('archived'), trashed: count('trash') }),
  };
}

function find(database: Database, query: TableQuery): ReturnType<RunTable['find']> {
  const joined: string[] = [];
  const expressionOf = (column: TableColumn): string => {
    if ('fixed' in column) return fixedColumns[column.fixed];
    if (!joined.includes(column.recipePath)) joined.push(column.recipePath);
    return `value_${joined.indexOf(column.recipePath)}.value`;
  };
  const conditions: string[] = [views[query.view]];
  const bound: (string | number)[] = [];
  if (query.text !== '') {
    conditions.push(`instr(fold(${searchedText}), fold(?)) > 0`);
    bound.push(query.text);
  }
  for (const filter of query.filters) {
    conditions.push(conditionOf(filter, expressionOf(filter.column)));
    bound.push(toStored(filter.value));
  }
  const filterPaths = [...joined];
  const order = query.sort.map(({ column, isDescending }) => `${expressionOf(column)} ${isDescending ? 'DESC' : 'ASC'} NULLS LAST`);
  // Runs of one moment keep the direction in which moments are sorted.
  const [first] = query.sort;
  const isOldestFirst = first !== undefined && 'fixed' in first.column && first.column.fixed === 'createdAt' && !first.isDescending;
  order.push(`runs.number ${isOldestFirst ? 'ASC' : 'DESC'}`);
  const where = conditions.join(' AND ');
  const total = database
    .prepare<(string | number)[], number>(`SELECT count(*) FROM runs${joinsOf(filterPaths)} WHERE ${where}`)
    .pluck()
    .get(...filterPaths, ...bound);
  const runIds = database
    .prepare<(string | number)[], RunId>(
      `SELECT runs.run_id FROM runs${joinsOf(joined)} WHERE ${where} ORDER BY ${order.join(', ')} LIMIT ? OFFSET ?`,
    )
    .pluck()
    .all(...joined, ...bound, query.limit, query.offset);
  return { total: total ?? 0, runIds };
}

function joinsOf(paths: readonly string[]): string {
  return paths
    .map(
      (_, index) =>
        ` LEFT JOIN recipe_values AS value_${index} ON value_${index}.run_number = runs.number` +
        ` AND value_${index}.field_id = (SELECT field_id FROM recipe_fields WHERE path = ?)`,
    )
    .join('');
}

/** One placeholder each; a run without the value fits `!=` only. */
function conditionOf({ column, operator, value }: TableFilter, expression: string): string {
  if ('fixed' in column && column.fixed === 'tags') {
    const has = 'EXISTS (SELECT 1 FROM json_each(runs.tags) WHERE fold(value) = fold(?))';
    return operator === '!=' ? `NOT ${has}` : has;
  }
  if (operator === 'contains') return `instr(fold(${expression}), fold(?)) > 0`;
  const comparison = `${expression} ${operators[operator]} ?`;
  if ('fixed' in column || operator === '=' || operator === '!=') return comparison;
  // A recipe's value may be text in one run and a number in another; SQLite would call every text the greater.
  const isNumber = `typeof(${expression}) IN ('integer', 'real')`;
  return `${typeof value === 'number' ? isNumber : `NOT ${isNumber}`} AND ${comparison}`;
}
