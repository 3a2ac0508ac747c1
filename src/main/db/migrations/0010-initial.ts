import type { Database } from 'better-sqlite3';

const schema = `
  CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    recipe_id TEXT NOT NULL,
    recipe TEXT NOT NULL,
    seed INTEGER NOT NULL,
    group_id TEXT,
    protocol TEXT NOT NULL,
    dataset_id TEXT NOT NULL,
    dataset_fingerprint TEXT,
    state TEXT NOT NULL,
    current_phase INTEGER,
    current_epoch INTEGER NOT NULL DEFAULT 0,
    finished_phases INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    trashed_at TEXT,
    seconds REAL NOT NULL DEFAULT 0,
    error TEXT,
    versions TEXT,
    machine TEXT,
    device TEXT,
    build TEXT,
    trainer_pid INTEGER,
    trainer_started TEXT
  ) STRICT;
  CREATE INDEX runs_by_state ON runs (state, number);
  CREATE INDEX runs_by_recipe ON runs (recipe_id, number);
  CREATE INDEX runs_by_dataset ON runs (dataset_id);
  CREATE INDEX runs_by_group ON runs (group_id, number);

  CREATE TABLE phases (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    planned_epochs INTEGER NOT NULL,
    total INTEGER NOT NULL,
    trainable INTEGER NOT NULL,
    non_trainable INTEGER NOT NULL,
    epochs INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    seconds_per_epoch REAL,
    stopped_by TEXT,
    best_epoch INTEGER,
    best_rule TEXT,
    feature_images INTEGER,
    feature_seconds REAL,
    weights_file TEXT,
    weights_sha256 TEXT,
    predictions_file TEXT,
    predictions_sha256 TEXT,
    test_loss REAL,
    test_accuracy REAL,
    confusion TEXT,
    split_train INTEGER,
    split_validation INTEGER,
    split_test INTEGER,
    split_file TEXT,
    split_sha256 TEXT,
    PRIMARY KEY (run_id, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE epochs (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    phase INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seconds REAL NOT NULL,
    train_loss REAL NOT NULL,
    train_accuracy REAL NOT NULL,
    validation_loss REAL,
    validation_accuracy REAL,
    learning_rate REAL NOT NULL,
    PRIMARY KEY (run_id, phase, epoch)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT,
    type TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;

  CREATE TABLE logs (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    level TEXT NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX logs_by_run ON logs (run_id, number);

  CREATE TABLE datasets (
    dataset_id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    manifest TEXT NOT NULL,
    imported_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX datasets_by_fingerprint ON datasets (fingerprint);
`;

/** Runs, their phases and epochs, the event stream, the log and the datasets. */
export function createInitialSchema(database: Database): void {
  database.exec(schema);
}
