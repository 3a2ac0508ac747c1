// All SQL of the phases of a run: planned counts from the start, times while it trains, results when it is finished.
import type { Database } from 'better-sqlite3';
import type { SplitRecord } from '../../shared/contract/events.ts';
import type { MetricPair, PhaseReport } from '../../shared/contract/worker.ts';
import { prepareFigures } from './runFigures.ts';

export interface PlannedPhase {
  readonly name: string;
  readonly plannedEpochs: number;
  readonly total: number;
  readonly trainable: number;
  readonly nonTrainable: number;
}

export interface StoredPhase extends PlannedPhase {
  readonly epochs: number;
  readonly seconds: number;
  readonly secondsPerEpoch: number | null;
  readonly stoppedBy: PhaseReport['stoppedBy'] | null;
  readonly best: PhaseReport['best'] | null;
  readonly features: { readonly images: number; readonly seconds: number } | null;
  readonly weights: { readonly file: string; readonly sha256: string } | null;
  readonly predictions: { readonly file: string; readonly sha256: string } | null;
  readonly test: MetricPair | null;
  readonly confusion: readonly (readonly number[])[] | null;
  readonly split: Omit<SplitRecord, 'phase'> | null;
}

export interface PhaseStore {
  plan(runId: string, phases: readonly PlannedPhase[]): void;
  list(runId: string): StoredPhase[];
  listMany(runIds: readonly string[]): ReadonlyMap<string, StoredPhase[]>;
  /** Call it after the epochs are stored. */
  setTimes(runId: string, phase: number, times: { epochs: number; seconds: number; secondsPerEpoch: number | null }): void;
  /** An earlier phase may have decided on fewer than planned. */
  setPlannedEpochs(runId: string, phase: number, epochs: number): void;
  setFeatures(runId: string, phase: number, images: number, seconds: number): void;
  setSplit(runId: string, split: SplitRecord): void;
  finish(runId: string, report: PhaseReport): void;
}

interface PhaseRow {
  readonly run_id: string;
  readonly name: string;
  readonly planned_epochs: number;
  readonly total: number;
  readonly trainable: number;
  readonly non_trainable: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly seconds_per_epoch: number | null;
  readonly stopped_by: PhaseReport['stoppedBy'] | null;
  readonly best_epoch: number | null;
  readonly best_rule: PhaseReport['best']['rule'] | null;
  readonly feature_images: number | null;
  readonly feature_seconds: number | null;
  readonly weights_file: string | null;
  readonly weights_sha256: string | null;
  readonly predictions_file: string | null;
  readonly predictions_sha256: string | null;
  readonly test_loss: number | null;
  readonly test_accuracy: number | null;
  readonly confusion: string | null;
  readonly split_train: number | null;
  readonly split_validation: number | null;
  readonly split_test: number | null;
  readonly split_file: string | null;
  readonly split_sha256: string | null;
}

export function createPhaseStore(database: Database): PhaseStore {
  const plan = database.prepare(
    'INSERT INTO phases (run_id, position, name, planned_epochs, total, trainable, non_trainable) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const list = database.prepare<[string], PhaseRow>('SELECT * FROM phases WHERE run_id = ? ORDER BY position');
  const many = database.prepare<[string], PhaseRow>(
    'SELECT * FROM phases WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, position',
  );
  const times = database.prepare('UPDATE phases SET epochs = ?, seconds = ?, seconds_per_epoch = ? WHERE run_id = ? AND position = ?');
  const planned = database.prepare('UPDATE phases SET planned_epochs = ? WHERE run_id = ? AND position = ?');
  const features = database.prepare('UPDATE phases SET feature_images = ?, feature_seconds = ? WHERE run_id = ? AND position = ?');
  const split = database.prepare(
    `UPDATE phases SET split_train = ?, split_validation = ?, split_test = ?, split_file = ?, split_sha256 = ?
     WHERE run_id = ? AND position = ?`,
  );
  const finish = database.prepare(
    `UPDATE phases SET epochs = ?, seconds = ?, seconds_per_epoch = ?, stopped_by = ?, best_epoch = ?, best_rule = ?, test_loss = ?,
     test_accuracy = ?, weights_file = ?, weights_sha256 = ?, predictions_file = ?, predictions_sha256 = ?, confusion = ?
     WHERE run_id = ? AND position = ?`,
  );
  const updateFigures = prepareFigures(database);
  return {
    plan: (runId, phases) => {
      for (const [position, phase] of phases.entries()) {
        plan.run(runId, position, phase.name, phase.plannedEpochs, phase.total, phase.trainable, phase.nonTrainable);
      }
      updateFigures(runId);
    },
    list: (runId) => list.all(runId).map(toPhase),
    listMany: (runIds) => {
      const groups = Map.groupBy(many.all(JSON.stringify(runIds)), (row) => row.run_id);
      return new Map([...groups].map(([runId, rows]) => [runId, rows.map(toPhase)]));
    },
    setTimes: (runId, phase, { epochs, seconds, secondsPerEpoch }) => {
      times.run(epochs, seconds, secondsPerEpoch, runId, phase);
      updateFigures(runId);
    },
    setPlannedEpochs: (runId, phase, epochs) => void planned.run(epochs, runId, phase),
    setFeatures: (runId, phase, images, seconds) => void features.run(images, seconds, runId, phase),
    setSplit: (runId, { phase, train, validation, test, file, sha256 }) =>
      void split.run(train, validation, test, file, sha256, runId, phase),
    finish: (runId, report) => {
      const { best, test, weights, predictions } = report;
      const head = [report.epochs, report.seconds, report.secondsPerEpoch, report.stoppedBy, best.epoch, best.rule];
      const files = [weights.file, weights.sha256, predictions?.file ?? null, predictions?.sha256 ?? null];
      const confusion = report.confusion === null ? null : JSON.stringify(report.confusion);
      finish.run(...head, test?.loss ?? null, test?.accuracy ?? null, ...files, confusion, runId, report.phase);
      updateFigures(runId);
    },
  };
}

function toPhase(row: PhaseRow): StoredPhase {
  return {
    name: row.name,
    plannedEpochs: row.planned_epochs,
    total: row.total,
    trainable: row.trainable,
    nonTrainable: row.non_trainable,
    epochs: row.epochs,
    seconds: row.seconds,
    secondsPerEpoch: row.seconds_per_epoch,
    stoppedBy: row.stopped_by,
    best: row.best_epoch === null || row.best_rule === null ? null : { epoch: row.best_epoch, rule: row.best_rule },
    features: row.feature_images === null ? null : { images: row.feature_images, seconds: row.feature_seconds ?? 0 },
    weights: toFile(row.weights_file, row.weights_sha256),
    predictions: toFile(row.predictions_file, row.predictions_sha256),
    test: row.test_loss === null || row.test_accuracy === null ? null : { loss: row.test_loss, accuracy: row.test_accuracy },
    confusion: row.confusion === null ? null : (JSON.parse(row.confusion) as number[][]),
    split: toSplit(row),
  };
}

function toFile(file: string | null, sha256: string | null): StoredPhase['weights'] {
  return file === null || sha256 === null ? null : { file, sha256 };
}

function toSplit(row: PhaseRow): StoredPhase['split'] {
  if (row.split_file === null || row.split_sha256 === null) return null;
  return {
    train: row.split_train ?? 0,
    validation: row.split_validation ?? 0,
    test: row.split_test ?? 0,
    file: row.split_file,
    sha256: row.split_sha256,
  };
}
