// What an event says about a row before the core is asked again.
import type { RunEvent } from '../../../shared/contract/events.ts';
import type { RunRow } from '../../../shared/contract/methods/runs.ts';

/** The row itself when the event changes nothing that it shows. */
export function applyToRow(row: RunRow, event: RunEvent): RunRow {
  switch (event.type) {
    case 'run.queued':
      return { ...row, state: 'queued' };
    case 'run.started':
    case 'run.continued':
      return { ...row, state: 'running' };
    case 'run.paused':
      return { ...row, state: 'paused' };
    case 'run.finished':
      return { ...row, state: 'finished', seconds: event.seconds, currentPhase: null };
    case 'run.stopped':
      return { ...row, state: 'stopped', seconds: event.seconds };
    case 'run.interrupted':
      return { ...row, state: 'interrupted', seconds: event.seconds };
    case 'run.failed':
      return { ...row, state: 'failed', seconds: event.seconds };
    case 'run.phaseStarted':
      return { ...row, currentPhase: event.phase };
    case 'run.epochFinished':
      return withEpoch(row, event);
    case 'run.phaseFinished':
      return event.test === null ? row : { ...row, testAccuracy: event.test.accuracy, testLoss: event.test.loss };
    case 'run.edited':
      return { ...row, name: event.name, notes: event.notes.slice(0, 1000), tags: event.tags };
    case 'run.created':
    case 'run.prepared':
    case 'run.featuresComputed':
    case 'run.logged':
    case 'run.trashed':
    case 'run.restored':
    case 'run.archived':
    case 'run.unarchived':
      return row;
  }
}

function withEpoch(row: RunRow, event: Extract<RunEvent, { type: 'run.epochFinished' }>): RunRow {
  const grow = (phase: RunRow['phases'][number]): RunRow['phases'][number] =>
    event.epoch > phase.epochs ? { ...phase, epochs: event.epoch, seconds: phase.seconds + event.seconds } : phase;
  return {
    ...row,
    currentPhase: event.phase,
    currentEpoch: event.epoch,
    phases: row.phases.map((phase, index) => (index === event.phase ? grow(phase) : phase)),
  };
}

/** Of all planned epochs, 0..1, with the part of the running one. */
export function progressOf(row: RunRow, step: { readonly phase: number; readonly step: number; readonly steps: number } | null): number {
  if (row.plannedEpochs === 0) return 0;
  const finished = row.phases.reduce((sum, phase) => sum + phase.epochs, 0);
  const part = step === null || step.steps === 0 ? 0 : step.step / step.steps;
  return Math.min(1, (finished + part) / row.plannedEpochs);
}

/** The last phase whose training is over, which speaks for the run when nothing else is asked for; null while there is none. */
export function finishedPhaseOf(row: RunRow): number | null {
  if (row.state === 'finished') return row.phases.length - 1;
  const position = row.currentPhase === null ? row.phases.findLastIndex((phase) => phase.test !== null) : row.currentPhase - 1;
  return position < 0 ? null : position;
}
