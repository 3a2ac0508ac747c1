// Turns the reports of a trainer into committed events, in the order they arrive, with the rows each of them changes.
import { LabError } from '../../shared/contract/errors.ts';
import type { Versions } from '../../shared/contract/events.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import type { EpochReport, PhaseReport, Report } from '../../shared/contract/worker.ts';
import type { EpochStore, StoredEpoch } from '../db/epochs.ts';
import type { PhaseStore } from '../db/phases.ts';
import type { RunStore } from '../db/runs.ts';
import type { EventService } from './events.ts';
import { medianEpochSeconds } from './runViews.ts';

export interface RecorderSurroundings {
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly epochs: EpochStore;
  readonly events: EventService;
  readonly versions: Pick<Versions, 'app' | 'sqlite'>;
}

export interface RunRecorder {
  /** Throws `conflict` for a report that cannot follow the ones before it. */
  record(report: Exclude<Report, { type: 'progress' }>): void;
  log(level: 'info' | 'warning' | 'error', text: string): void;
}

const longestText = 4000;

/** `seconds` answers the training time of the run so far. */
export function createRunRecorder(runId: RunId, surroundings: RecorderSurroundings, seconds: () => number): RunRecorder {
  const { runs, phases, epochs, events } = surroundings;
  const log: RunRecorder['log'] = (level, text) => {
    const short = text.length > longestText ? `${text.slice(0, longestText)}...` : text;
    events.commitRun({ type: 'run.logged', runId, level, text: short }, (at) => epochs.addLog(runId, { at, level, text: short }));
  };
  return {
    log,
    record: (report) => {
      switch (report.type) {
        case 'ready':
          recordStart(runId, surroundings, report);
          return;
        case 'log':
          log(report.level, report.text);
          return;
        case 'phaseStarted':
          events.commitRun({ ...report, type: 'run.phaseStarted', runId }, () => {
            if (report.epochs !== undefined) phases.setPlannedEpochs(runId, report.phase, report.epochs);
          });
          return;
        case 'featuresComputed':
          events.commitRun({ ...report, type: 'run.featuresComputed', runId }, () =>
            phases.setFeatures(runId, report.phase, report.images, report.seconds),
          );
          return;
        case 'epochFinished':
          recordEpoch(runId, surroundings, toStored(report), seconds());
          return;
        case 'phaseFinished':
          recordPhase(runId, surroundings, report);
          return;
        case 'paused':
          events.commitRun({ type: 'run.paused', runId }, () => runs.update(runId, { seconds: seconds() }));
          return;
        case 'continued':
          events.commitRun({ type: 'run.continued', runId });
          return;
        case 'finished':
        case 'stopped':
        case 'failed':
        case 'heartbeat':
          return;
        case 'selfTest':
        case 'importProgress':
        case 'imported':
        case 'predicted':
        case 'calibrated':
        case 'laidOut':
        case 'weightsImported':
        case 'weightsExported':
          throw new LabError('internal', `The trainer reported ${report.type}, which does not belong to training.`);
      }
    },
  };
}

function recordStart(runId: RunId, surroundings: RecorderSurroundings, report: Extract<Report, { type: 'ready' }>): void {
  const { runs, phases, events, versions } = surroundings;
  const known = { ...versions, ...report.versions };
  const { device, build, split } = report;
  events.commitRun({ type: 'run.prepared', runId, versions: known, device, build, split }, () => {
    runs.update(runId, { versions: known, device, build });
    for (const record of split) phases.setSplit(runId, record);
  });
}

function recordPhase(runId: RunId, { phases, events }: RecorderSurroundings, report: PhaseReport): void {
  const { phase, epochs, seconds, secondsPerEpoch, stoppedBy, best, test } = report;
  const result = { phase, epochs, seconds, secondsPerEpoch, stoppedBy, best, test };
  events.commitRun({ type: 'run.phaseFinished', runId, ...result }, () => phases.finish(runId, report));
}

/** An epoch that is known already, reported again after a resume, is not news. */
function recordEpoch(runId: RunId, { runs, phases, epochs, events }: RecorderSurroundings, epoch: StoredEpoch, seconds: number): void {
  if (isEqual(epochs.find(runId, epoch.phase, epoch.epoch), epoch)) return;
  events.commitRun({ ...epoch, type: 'run.epochFinished', runId }, () => {
    epochs.put(runId, epoch);
    const times = { ...epochs.sum(runId, epoch.phase), secondsPerEpoch: medianEpochSeconds(epochs.times(runId, epoch.phase)) };
    phases.setTimes(runId, epoch.phase, times);
    runs.update(runId, { seconds });
  });
}

function isEqual(known: StoredEpoch | undefined, epoch: StoredEpoch): boolean {
  return known !== undefined && JSON.stringify(known) === JSON.stringify(epoch);
}

/** The fields in the order in which the history answers them, so that two epochs compare as text. */
function toStored({ phase, epoch, seconds, train, validation, learningRate }: EpochReport): StoredEpoch {
  const pair = ({ loss, accuracy }: StoredEpoch['train']): StoredEpoch['train'] => ({ loss, accuracy });
  return { phase, epoch, seconds, train: pair(train), validation: validation === null ? null : pair(validation), learningRate };
}
