// The life of a run as a pure transition: which event may follow which state, and what is then true. The core commits an event only when
// the reducer accepts it, and every store that follows events reduces them the same way. It owns no times, metrics or files.
import type { RunStateName, selectionRules } from '../contract/answers.ts';
import { LabError } from '../contract/errors.ts';
import type { RunEvent } from '../contract/events.ts';
import type { Phase } from '../contract/schema.ts';

export interface RunState {
  readonly state: RunStateName;
  /** The phase being trained, counted from 0; null before the first and after the last. */
  readonly phase: number | null;
  /** Epochs of that phase known to be finished. */
  readonly epoch: number;
  readonly finishedPhases: number;
  readonly isTrashed: boolean;
}

/** States in which a trainer process belongs to the run. */
export const activeStates = ['running', 'paused'] as const satisfies readonly RunStateName[];
/** States that `resume` accepts besides `paused`. */
export const resumableStates = ['stopped', 'interrupted'] as const satisfies readonly RunStateName[];
/** States in which nothing more happens by itself, so that a run may go to the trash. */
export const restingStates = ['stopped', 'interrupted', 'failed', 'finished'] as const satisfies readonly RunStateName[];

const allowed = {
  'run.created': [],
  'run.queued': resumableStates,
  'run.started': ['queued'],
  'run.prepared': ['running'],
  'run.phaseStarted': ['running'],
  'run.featuresComputed': ['running'],
  'run.epochFinished': ['running'],
  'run.phaseFinished': ['running'],
  'run.paused': ['running'],
  'run.continued': ['paused'],
  'run.finished': ['running'],
  'run.stopped': ['queued', 'running', 'paused'],
  'run.interrupted': ['queued', 'running', 'paused'],
  'run.failed': ['queued', 'running', 'paused'],
  'run.logged': ['queued', 'running', 'paused', 'stopped', 'interrupted', 'failed', 'finished'],
  'run.edited': ['queued', 'running', 'paused', 'stopped', 'interrupted', 'failed', 'finished'],
  'run.archived': restingStates,
  'run.unarchived': ['queued', 'running', 'paused', 'stopped', 'interrupted', 'failed', 'finished'],
  'run.trashed': restingStates,
  'run.restored': restingStates,
} as const satisfies Readonly<Record<RunEvent['type'], readonly RunStateName[]>>;

/** True when the event may happen to a run in this state; the first event of a run is `run.created`. */
export function isAllowed(before: RunState | null, event: RunEvent): boolean {
  if (before === null) return event.type === 'run.created';
  const states: readonly RunStateName[] = allowed[event.type];
  if (!states.includes(before.state)) return false;
  if (before.isTrashed) return event.type === 'run.restored' || event.type === 'run.logged';
  if (event.type === 'run.restored') return before.isTrashed;
  if (event.type === 'run.phaseStarted') return event.phase === before.finishedPhases;
  if (event.type === 'run.epochFinished') return event.phase === before.phase && event.epoch <= before.epoch + 1;
  return !('phase' in event) || event.phase === before.phase;
}

/** Throws `conflict` for an event that cannot follow; the state before it stays true. */
export function reduceRun(before: RunState | null, event: RunEvent): RunState {
  if (!isAllowed(before, event)) {
    throw new LabError(
      'conflict',
      `The event ${describe(event)} cannot follow the state ${before?.state ?? 'of a run that does not exist'}.`,
      {
        help: 'The history keeps the state before it.',
      },
    );
  }
  const run = before ?? { state: 'queued', phase: null, epoch: 0, finishedPhases: 0, isTrashed: false };
  switch (event.type) {
    case 'run.created':
    case 'run.prepared':
    case 'run.featuresComputed':
    case 'run.logged':
    case 'run.edited':
    case 'run.archived':
    case 'run.unarchived':
      return run;
    case 'run.queued':
      return { ...run, state: 'queued' };
    case 'run.started':
    case 'run.continued':
      return { ...run, state: 'running' };
    case 'run.phaseStarted':
      // After a resume the unfinished phase starts again from its checkpoint; its epochs are already known.
      return event.phase === run.phase ? run : { ...run, phase: event.phase, epoch: 0 };
    case 'run.epochFinished':
      return { ...run, epoch: Math.max(run.epoch, event.epoch) };
    case 'run.phaseFinished':
      return { ...run, phase: null, epoch: 0, finishedPhases: event.phase + 1 };
    case 'run.paused':
      return { ...run, state: 'paused' };
    case 'run.finished':
      return { ...run, state: 'finished', phase: null };
    case 'run.stopped':
      return { ...run, state: 'stopped' };
    case 'run.interrupted':
      return { ...run, state: 'interrupted' };
    case 'run.failed':
      return { ...run, state: 'failed' };
    case 'run.trashed':
      return { ...run, isTrashed: true };
    case 'run.restored':
      return { ...run, isTrashed: false };
  }
}

/** The names people and other programs use for the rule that chose a phase's kept epoch. */
export const selectionNames = {
  last: 'last',
  bestValLoss: 'best-val-loss',
  bestValAccuracy: 'best-val-accuracy',
} as const satisfies Record<Phase['keep'], (typeof selectionRules)[number]>;

export interface Spread {
  readonly mean: number | null;
  /** Sample standard deviation (n - 1); null for fewer than two values. */
  readonly sd: number | null;
  readonly n: number;
}

/** Mean and spread of one figure over the runs of a seed group. */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) return { mean: null, sd: null, n };
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return { mean, sd: null, n };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / (n - 1)), n };
}

function describe(event: RunEvent): string {
  if ('epoch' in event) return `${event.type} (phase ${event.phase + 1}, epoch ${event.epoch})`;
  return 'phase' in event ? `${event.type} (phase ${event.phase + 1})` : event.type;
}
