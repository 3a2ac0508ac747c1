// All SQL of the epochs and the log of a run.
import type { Database } from 'better-sqlite3';
import type { MetricPair } from '../../shared/contract/worker.ts';

export interface StoredEpoch {
  readonly phase: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly train: MetricPair;
  readonly validation: MetricPair | null;
  readonly learningRate: number;
}

export interface LogLine {
  readonly at: string;
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
}

export type EpochPoint = readonly [
  epoch: number,
  seconds: number,
  learningRate: number,
  trainLoss: number,
  trainAccuracy: number,
  validationLoss: number | null,
  validationAccuracy: number | null,
];

export interface EpochStore {
  /** Keeps one row per epoch: an epoch trained again after a resume replaces the old one. */
  put(runId: string, epoch: StoredEpoch): void;
  find(runId: string, phase: number, epoch: number): StoredEpoch | undefined;
  findLast(runId: string, phase: number): StoredEpoch | undefined;
  /** The lowest loss or highest accuracy, the first one among equals; undefined when nothing was validated. */
  findBest(runId: string, phase: number, measure: 'validationLoss' | 'validationAccuracy'): StoredEpoch | undefined;
  /** By phase, then epoch. */
  list(runId: string, offset: number, limit: number): StoredEpoch[];
  /** Epochs stored for one phase and the training time of all of them. */
  sum(runId: string, phase: number): { readonly epochs: number; readonly seconds: number };
  /** Training time of each epoch of a phase, in order. */
  times(runId: string, phase: number): number[];
  /** Epochs of a phase after the given one, as plain lists, which cost less than objects. */
  listPoints(runId: string, phase: number, after: number, limit: number): EpochPoint[];
  addLog(runId: string, line: LogLine): void;
  /** The last lines, oldest first. */
  readLog(runId: string, limit: number): LogLine[];
}

interface EpochRow {
  readonly phase: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly train_loss: number;
  readonly train_accuracy: number;
  readonly validation_loss: number | null;
  readonly validation_accuracy: number | null;
  readonly learning_rate: number;
}

export function createEpochStore(database: Database): EpochStore {
  const put = database.prepare('INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const find = database.prepare<[string, number, number], EpochRow>('SELECT * FROM epochs WHERE run_id = ? AND phase = ? AND epoch = ?');
  const last = database.prepare<[string, number], EpochRow>(
    'SELECT * FROM epochs WHERE run_id = ? AND phase = ? ORDER BY epoch DESC LIMIT 1',
  );
  const lowestLoss = database.prepare<[string, number], EpochRow>(
    'SELECT * FROM epochs WHERE run_id = ? AND phase = ? AND validation_loss IS NOT NULL ORDER BY validation_loss, epoch LIMIT 1',
  );
  const highestAccuracy = database.prepare<[string, number], EpochRow>(
    'SELECT * FROM epochs WHERE run_id = ? AND phase = ? AND validation_accuracy IS NOT NULL ORDER BY validation_accuracy DESC, epoch LIMIT 1',
  );
  const list = database.prepare<[string, number, number], EpochRow>(
    'SELECT * FROM epochs WHERE run_id = ? ORDER BY phase, epoch LIMIT ? OFFSET ?',
  );
  const sum = database.prepare<[string, number], { epochs: number; seconds: number }>(
    'SELECT count(*) AS epochs, total(seconds) AS seconds FROM epochs WHERE run_id = ? AND phase = ?',
  );
  const times = database
    .prepare<[string, number], number>('SELECT seconds FROM epochs WHERE run_id = ? AND phase = ? ORDER BY epoch')
    .pluck();
  const points = database
    .prepare<[string, number, number, number], EpochPoint>(
      `SELECT epoch, seconds, learning_rate, train_loss, train_accuracy, validation_loss, validation_accuracy FROM epochs
       WHERE run_id = ? AND phase = ? AND epoch > ? ORDER BY epoch LIMIT ?`,
    )
    .raw();
  const addLog = database.prepare('INSERT INTO logs (run_id, at, level, text) VALUES (?, ?, ?, ?)');
  const readLog = database.prepare<[string, number], LogLine>(
    'SELECT at, level, text FROM (SELECT * FROM logs WHERE run_id = ? ORDER BY number DESC LIMIT ?) ORDER BY number',
  );
  return {
    put: (runId, { phase, epoch, seconds, train, validation, learningRate }) => {
      const validated = [validation?.loss ?? null, validation?.accuracy ?? null];
      put.run(runId, phase, epoch, seconds, train.loss, train.accuracy, ...validated, learningRate);
    },
    find: (runId, phase, epoch) => toEpochOrNothing(find.get(runId, phase, epoch)),
    findLast: (runId, phase) => toEpochOrNothing(last.get(runId, phase)),
    findBest: (runId, phase, measure) => toEpochOrNothing((measure === 'validationLoss' ? lowestLoss : highestAccuracy).get(runId, phase)),
    list: (runId, offset, limit) => list.all(runId, limit, offset).map(toEpoch),
    sum: (runId, phase) => sum.get(runId, phase) ?? { epochs: 0, seconds: 0 },
    times: (runId, phase) => times.all(runId, phase),
    listPoints: (runId, phase, after, limit) => points.all(runId, phase, after, limit),
    addLog: (runId, { at, level, text }) => void addLog.run(runId, at, level, text),
    readLog: (runId, limit) => readLog.all(runId, limit),
  };
}

function toEpochOrNothing(row: EpochRow | undefined): StoredEpoch | undefined {
  return row === undefined ? undefined : toEpoch(row);
}

function toEpoch(row: EpochRow): StoredEpoch {
  const { validation_loss: loss, validation_accuracy: accuracy } = row;
  return {
    phase: row.phase,
    epoch: row.epoch,
    seconds: row.seconds,
    train: { loss: row.train_loss, accuracy: row.train_accuracy },
    validation: loss === null || accuracy === null ? null : { loss, accuracy },
    learningRate: row.learning_rate,
  };
}
