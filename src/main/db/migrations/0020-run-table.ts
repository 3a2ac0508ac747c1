import type { Database } from 'better-sqlite3';
import { createRecipeValues } from '../recipeValues.ts';
import { fillFigures } from '../runFigures.ts';

// Recipes are long and stand in a table of their own, so that a scan of all runs reads short rows only.
const schema = `
  ALTER TABLE runs ADD COLUMN archived_at TEXT;
  ALTER TABLE runs ADD COLUMN epochs INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN trainable INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN seconds_per_epoch REAL;
  ALTER TABLE runs ADD COLUMN test_accuracy REAL;
  ALTER TABLE runs ADD COLUMN test_loss REAL;
  ALTER TABLE runs ADD COLUMN best_validation_accuracy REAL;
  ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '';

  CREATE TABLE run_recipes (
    run_number INTEGER PRIMARY KEY REFERENCES runs (number) ON DELETE CASCADE,
    recipe TEXT NOT NULL
  ) STRICT;
  INSERT INTO run_recipes SELECT number, recipe FROM runs;
  ALTER TABLE runs DROP COLUMN recipe;

  CREATE TABLE recipe_fields (
    field_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL
  ) STRICT;
  CREATE TABLE recipe_values (
    field_id INTEGER NOT NULL,
    run_number INTEGER NOT NULL,
    value ANY NOT NULL,
    PRIMARY KEY (field_id, run_number)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX runs_active ON runs (number) WHERE trashed_at IS NULL AND archived_at IS NULL;
  CREATE INDEX runs_archived ON runs (number) WHERE trashed_at IS NULL AND archived_at IS NOT NULL;
  CREATE INDEX runs_trashed ON runs (number) WHERE trashed_at IS NOT NULL;
`;

/** Tags, notes, the archive, the figures that tables of runs are sorted by, and the single settings of all recipes. */
export function addRunTable(database: Database): void {
  database.exec(schema);
  fillFigures(database);
  const values = createRecipeValues(database);
  const recipes = database.prepare<[], { run_number: number; recipe: string }>('SELECT run_number, recipe FROM run_recipes').all();
  for (const { run_number: run, recipe } of recipes) values.put(run, parse(recipe));
}

/** A recipe that cannot be read hides only itself. */
function parse(recipe: string): unknown {
  try {
    return JSON.parse(recipe);
  } catch {
    return null;
  }
}
