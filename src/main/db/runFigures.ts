// The figures of a run that its history is sorted and filtered by, kept in the run's own row. They follow from its phases and epochs and are
// computed anew, for one run, whenever these change and in the same transaction: db/phases.ts calls this, nothing else needs to.
import type { Database } from 'better-sqlite3';

const figures = `
  epochs = coalesce((SELECT sum(epochs) FROM phases WHERE run_id = runs.run_id), 0),
  (total, trainable) = (SELECT coalesce(max(total), 0), coalesce(max(trainable), 0) FROM
    (SELECT total, trainable FROM phases WHERE run_id = runs.run_id ORDER BY position DESC LIMIT 1)),
  seconds_per_epoch = (SELECT seconds_per_epoch FROM phases
    WHERE run_id = runs.run_id AND seconds_per_epoch IS NOT NULL ORDER BY position DESC LIMIT 1),
  (test_accuracy, test_loss) = (SELECT test_accuracy, test_loss FROM phases
    WHERE run_id = runs.run_id AND test_accuracy IS NOT NULL ORDER BY position DESC LIMIT 1),
  best_validation_accuracy = (SELECT max(validation_accuracy) FROM epochs WHERE run_id = runs.run_id AND phase =
    (SELECT phase FROM epochs WHERE run_id = runs.run_id AND validation_accuracy IS NOT NULL ORDER BY phase DESC, epoch DESC LIMIT 1))`;

/** Counts of the last phase, epochs of all; test and validation figures of the last phase that has them. */
export function prepareFigures(database: Database): (runId: string) => void {
  const update = database.prepare<[string]>(`UPDATE runs SET ${figures} WHERE run_id = ?`);
  return (runId) => void update.run(runId);
}

/** Computes the figures of every run; for a migration, because it reads all epochs. */
export function fillFigures(database: Database): void {
  database.exec(`UPDATE runs SET ${figures}`);
}
