import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runStates, type RunStateName } from '../src/shared/contract/answers.ts';
import type { RunEvent } from '../src/shared/contract/events.ts';
import type { RunId } from '../src/shared/contract/schema.ts';
import { isAllowed, reduceRun, spreadOf, type RunState } from '../src/shared/domain/run.ts';
import { medianEpochSeconds } from '../src/main/services/runViews.ts';

const base = { seq: 1, at: '2026-11-21T00:00:00.000Z', runId: 'run-1' as RunId };
const error = { code: 'internal', message: 'x' } as const;
const pair = { loss: 1, accuracy: 0 };

const events = {
  'run.created': { ...base, type: 'run.created', recipeId: 'r', name: 'n', seed: 1, group: null },
  'run.queued': { ...base, type: 'run.queued' },
  'run.started': { ...base, type: 'run.started', attempt: 1 },
  'run.prepared': {
    ...base,
    type: 'run.prepared',
    versions: { app: '1', node: '1', tensorflow: '1', sqlite: '1' },
    device: 'CPU',
    build: 'cpu',
    split: [],
  },
  'run.phaseStarted': { ...base, type: 'run.phaseStarted', phase: 0 },
  'run.featuresComputed': { ...base, type: 'run.featuresComputed', phase: 0, images: 1, seconds: 1, bytes: 1 },
  'run.epochFinished': {
    ...base,
    type: 'run.epochFinished',
    phase: 0,
    epoch: 3,
    seconds: 1,
    train: pair,
    validation: null,
    learningRate: 1,
  },
  'run.phaseFinished': {
    ...base,
    type: 'run.phaseFinished',
    phase: 0,
    epochs: 3,
    seconds: 1,
    secondsPerEpoch: 1,
    stoppedBy: 'epochs',
    best: { epoch: 3, rule: 'last' },
    test: null,
  },
  'run.paused': { ...base, type: 'run.paused' },
  'run.continued': { ...base, type: 'run.continued' },
  'run.finished': { ...base, type: 'run.finished', seconds: 1 },
  'run.stopped': { ...base, type: 'run.stopped', seconds: 1 },
  'run.interrupted': { ...base, type: 'run.interrupted', seconds: 1, error },
  'run.failed': { ...base, type: 'run.failed', seconds: 1, error },
  'run.logged': { ...base, type: 'run.logged', level: 'info', text: 't' },
  'run.trashed': { ...base, type: 'run.trashed' },
  'run.restored': { ...base, type: 'run.restored' },
  'run.edited': { ...base, type: 'run.edited', name: 'n', notes: '', tags: [] },
  'run.archived': { ...base, type: 'run.archived' },
  'run.unarchived': { ...base, type: 'run.unarchived' },
} as const satisfies { readonly [Type in RunEvent['type']]: Extract<RunEvent, { type: Type }> };

const kept = <State extends RunStateName>(state: State) =>
  ({ 'run.edited': state, 'run.archived': state, 'run.unarchived': state }) as const;

/** In phase 0 with two epochs known: what each state becomes; an event that is not named is refused. */
const expected: Readonly<Record<RunStateName, Partial<Record<RunEvent['type'], RunStateName>>>> = {
  queued: {
    'run.started': 'running',
    'run.stopped': 'stopped',
    'run.interrupted': 'interrupted',
    'run.failed': 'failed',
    'run.logged': 'queued',
    'run.edited': 'queued',
    'run.unarchived': 'queued',
  },
  running: {
    'run.prepared': 'running',
    'run.phaseStarted': 'running',
    'run.featuresComputed': 'running',
    'run.epochFinished': 'running',
    'run.phaseFinished': 'running',
    'run.paused': 'paused',
    'run.finished': 'finished',
    'run.stopped': 'stopped',
    'run.interrupted': 'interrupted',
    'run.failed': 'failed',
    'run.logged': 'running',
    'run.edited': 'running',
    'run.unarchived': 'running',
  },
  paused: {
    'run.continued': 'running',
    'run.stopped': 'stopped',
    'run.interrupted': 'interrupted',
    'run.failed': 'failed',
    'run.logged': 'paused',
    'run.edited': 'paused',
    'run.unarchived': 'paused',
  },
  stopped: { 'run.queued': 'queued', 'run.logged': 'stopped', 'run.trashed': 'stopped', ...kept('stopped') },
  interrupted: { 'run.queued': 'queued', 'run.logged': 'interrupted', 'run.trashed': 'interrupted', ...kept('interrupted') },
  failed: { 'run.logged': 'failed', 'run.trashed': 'failed', ...kept('failed') },
  finished: { 'run.logged': 'finished', 'run.trashed': 'finished', ...kept('finished') },
};

const inState = (state: RunStateName): RunState => ({ state, phase: 0, epoch: 2, finishedPhases: 0, isTrashed: false });

describe('the life of a run', () => {
  const table = runStates.flatMap((state) => Object.values(events).map((event) => ({ state, event, after: expected[state][event.type] })));

  test.each(table)('$state, $event.type', ({ state, event, after }) => {
    const before = inState(state);
    expect(isAllowed(before, event)).toBe(after !== undefined);
    if (after === undefined) expect(() => reduceRun(before, event)).toThrow(expect.objectContaining({ code: 'conflict' }));
    else expect(reduceRun(before, event).state).toBe(after);
  });

  test('begins with being created and nothing else', () => {
    for (const event of Object.values(events)) expect(isAllowed(null, event)).toBe(event.type === 'run.created');
    expect(reduceRun(null, events['run.created'])).toEqual({ state: 'queued', phase: null, epoch: 0, finishedPhases: 0, isTrashed: false });
  });

  test('accepts only a log line and being restored while in the trash', () => {
    const trashed = { ...inState('stopped'), isTrashed: true };
    const accepted = Object.values(events).filter((event) => isAllowed(trashed, event));
    expect(accepted.map((event) => event.type)).toEqual(['run.logged', 'run.restored']);
    expect(reduceRun(trashed, events['run.restored']).isTrashed).toBe(false);
  });

  test('accepts an epoch again, but no gap and no other phase', () => {
    const before = inState('running');
    const epoch = events['run.epochFinished'];
    expect(reduceRun(before, { ...epoch, epoch: 1 }).epoch).toBe(2);
    expect(reduceRun(before, { ...epoch, epoch: 3 }).epoch).toBe(3);
    expect(isAllowed(before, { ...epoch, epoch: 4 })).toBe(false);
    expect(isAllowed(before, { ...epoch, phase: 1 })).toBe(false);
  });

  test('takes the phases in order and starts counting epochs anew', () => {
    const finished = reduceRun(inState('running'), events['run.phaseFinished']);
    expect(finished).toMatchObject({ phase: null, epoch: 0, finishedPhases: 1 });
    expect(isAllowed(finished, events['run.phaseStarted'])).toBe(false);
    expect(reduceRun(finished, { ...events['run.phaseStarted'], phase: 1 })).toMatchObject({ phase: 1, epoch: 0 });
    expect(isAllowed(finished, { ...events['run.phaseStarted'], phase: 2 })).toBe(false);
  });

  test('keeps the known epochs of a phase that starts again after a resume', () => {
    expect(reduceRun(inState('running'), events['run.phaseStarted'])).toMatchObject({ phase: 0, epoch: 2 });
  });
});

describe('figures of a group', () => {
  test('mean and sample standard deviation', () => {
    expect(spreadOf([0.9, 0.92, 0.94])).toEqual({ mean: expect.closeTo(0.92, 12) as number, sd: expect.closeTo(0.02, 12) as number, n: 3 });
    expect(spreadOf([0.9])).toEqual({ mean: 0.9, sd: null, n: 1 });
    expect(spreadOf([])).toEqual({ mean: null, sd: null, n: 0 });
  });

  test('shifting every value shifts the mean and not the spread', () => {
    const values = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(values, fc.integer({ min: -50, max: 50 }), (numbers, shift) => {
        const first = spreadOf(numbers);
        const second = spreadOf(numbers.map((value) => value + shift));
        expect(second.mean).toBeCloseTo((first.mean ?? 0) + shift, 8);
        expect(second.sd).toBeCloseTo(first.sd ?? 0, 8);
      }),
    );
  });

  test('the median leaves out the first epoch when there are others', () => {
    expect(medianEpochSeconds([])).toBeNull();
    expect(medianEpochSeconds([7])).toBe(7);
    expect(medianEpochSeconds([100, 3])).toBe(3);
    expect(medianEpochSeconds([100, 4, 1, 3])).toBe(3);
    expect(medianEpochSeconds([100, 4, 2])).toBe(3);
  });
});
