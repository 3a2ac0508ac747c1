// All SQL of the single settings of recipes. Each short value of a stored recipe is a row, found by its path such as
// `phases[0].batchSize`, so that 10,000 runs are filtered and sorted by any of them without reading a recipe (that takes 130 ms; this 5).
import type { Database } from 'better-sqlite3';

export type RecipeValue = string | number | boolean;
export type RecipeFieldKind = 'number' | 'text' | 'boolean';

export interface RecipeField {
  readonly path: string;
  /** `text` also when runs differ in the kind. */
  readonly kind: RecipeFieldKind;
}

export interface RecipeValueStore {
  /** `run` is the number of the run's row; call it inside the transaction that stores the run. */
  put(run: number, recipe: unknown): void;
  remove(run: number): void;
  findField(path: string): RecipeField | undefined;
  /** Fields outside the network's layers, which alone have hundreds, in the order of a recipe's parts. */
  listFields(): RecipeField[];
  /** Values by run id and path; what a recipe does not have is left out. */
  read(paths: readonly string[], runIds: readonly string[]): ReadonlyMap<string, ReadonlyMap<string, RecipeValue>>;
}

/** More are left out, those of the network first: a run must stay cheap to store. */
const mostValues = 400;
/** Longer lists are data and no settings, such as explicit indices of a split. */
const longestList = 16;
/** What contract/methods/runs.ts lets a value have. */
const longestText = 200;
const proseFields = ['description', 'published', 'knownErrors'];

/** The short values of a recipe with their paths; null and missing are the same. */
export function flattenRecipe(recipe: unknown): [path: string, value: RecipeValue][] {
  const found: [string, RecipeValue][] = [];
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      if (value.length <= longestList || typeof value[0] === 'object') value.forEach((entry, index) => visit(entry, `${path}[${index}]`));
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, entry] of Object.entries(value)) visit(entry, `${path}.${name}`);
    } else if (typeof value === 'string') found.push([path, value.slice(0, longestText)]);
    else if (typeof value === 'number' || typeof value === 'boolean') found.push([path, value]);
  };
  const parts = Object.entries(typeof recipe === 'object' && recipe !== null ? recipe : {});
  const isNetwork = ([name]: [string, unknown]): boolean => name === 'network';
  for (const [name, part] of [...parts.filter((entry) => !isNetwork(entry)), ...parts.filter(isNetwork)]) {
    if (!proseFields.includes(name)) visit(part, name);
  }
  return found.slice(0, mostValues);
}

export function createRecipeValues(database: Database): RecipeValueStore {
  const findField = database.prepare<[string], RecipeField>('SELECT path, kind FROM recipe_fields WHERE path = ?');
  const addField = database.prepare<[string, string]>(
    "INSERT INTO recipe_fields (path, kind) VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET kind = 'text'",
  );
  const fields = database.prepare<[], RecipeField>(
    "SELECT path, kind FROM recipe_fields WHERE (substr(path, 1, 8) <> 'network.' OR substr(path, 1, 13) = 'network.base.') ORDER BY path",
  );
  const put = database.prepare<[number, string | number, string, RecipeFieldKind]>(
    "INSERT INTO recipe_values SELECT field_id, ?, ? FROM recipe_fields WHERE path = ? AND kind IN (?, 'text')",
  );
  const remove = database.prepare<[number]>(
    'DELETE FROM recipe_values WHERE run_number = ? AND field_id IN (SELECT field_id FROM recipe_fields)',
  );
  const read = database.prepare<[string, string], { run_id: string; path: string; kind: RecipeFieldKind; value: string | number }>(
    `SELECT run_id, path, kind, value FROM recipe_fields JOIN recipe_values USING (field_id) JOIN runs ON number = run_number
     WHERE path IN (SELECT value FROM json_each(?)) AND run_number IN (SELECT number FROM runs WHERE run_id IN (SELECT value FROM json_each(?)))`,
  );
  return {
    put: (run, recipe) => {
      for (const [path, value] of flattenRecipe(recipe)) {
        const kind = kindOf(value);
        if (put.run(run, toStored(value), path, kind).changes > 0) continue;
        addField.run(path, kind);
        put.run(run, toStored(value), path, kind);
      }
    },
    remove: (run) => void remove.run(run),
    findField: (path) => findField.get(path),
    listFields: () => fields.all(),
    read: (paths, runIds) => {
      const rows = read.all(JSON.stringify(paths), JSON.stringify(runIds));
      const groups = Map.groupBy(rows, (row) => row.run_id);
      return new Map([...groups].map(([runId, own]) => [runId, new Map(own.map((row) => [row.path, fromStored(row)]))]));
    },
  };
}

/** SQLite has no booleans; as text they sort, compare and never equal a number. */
export function toStored(value: RecipeValue): string | number {
  return typeof value === 'boolean' ? String(value) : value;
}

function fromStored({ kind, value }: { readonly kind: RecipeFieldKind; readonly value: string | number }): RecipeValue {
  return kind === 'boolean' ? value === 'true' : value;
}

function kindOf(value: RecipeValue): RecipeFieldKind {
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' ? 'number' : 'boolean';
}
