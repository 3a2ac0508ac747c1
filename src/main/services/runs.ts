// The runs of a workspace: create, list, show, pause, stop, resume, trash, and what a dead process left behind. Which run trains when is
// runQueue.ts, one attempt at training is attempt.ts.
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import type { RunRequest } from '../../shared/contract/methods/runs.ts';
import { LabError, toWire } from '../../shared/contract/errors.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { restingStates, resumableStates } from '../../shared/domain/run.ts';
import type { RunStateName } from '../../shared/contract/answers.ts';
import type { StoredRun } from '../db/runs.ts';
import type { AttemptSurroundings } from './attempt.ts';
import type { RecipeService } from './recipes.ts';
import { requireDataset } from './runDataset.ts';
import { getRun, requireKept, resolveRun } from './runReferences.ts';
import { createRunQueue, type RunQueue } from './runQueue.ts';
import { planGroup, planRuns, type PlannedRuns } from './runRequests.ts';
import { toDetails, toEpochAnswer, toSummary } from './runViews.ts';

export interface RunService {
  create(request: RunRequest): Answer<'runs.create'>;
  list(filter: HandlerInput<'runs.list'>): Answer<'runs.list'>;
  show(reference: string): Answer<'runs.show'>;
  epochs(reference: string, offset: number, limit: number): Answer<'runs.epochs'>;
  resume(reference: string): Answer<'runs.resume'>;
  /** Resolves once the work is saved. */
  createGroup(requests: readonly RunRequest[]): Answer<'runs.createGroup'>;
  pause(reference: string, signal: AbortSignal): Promise<Answer<'runs.pause'>>;
  stop(reference: string, signal: AbortSignal): Promise<Answer<'runs.stop'>>;
  trash(references: readonly string[]): Answer<'runs.delete'>;
  restore(references: readonly string[]): Answer<'runs.restore'>;
  /** Moves a queued run before another queued one, or to the end. */
  reorder(reference: string, before: string | null): Answer<'runs.reorder'>;
  /** Calls every run interrupted that another process left queued, running or paused; only at start-up. */
  reconcile(): void;
  activity(): { readonly running: readonly RunId[]; readonly queued: readonly RunId[] };
  /** Stops what trains and waits, with the work saved. */
  stopAll(): Promise<void>;
  /** Ends what trains at once; the history says interrupted. */
  abandonAll(): void;
}

export interface RunSurroundings extends AttemptSurroundings {
  readonly recipes: RecipeService;
}

export function createRuns(surroundings: RunSurroundings): RunService {
  return new Runs(surroundings, createRunQueue(surroundings));
}

const logLines = 100;

class Runs implements RunService {
  readonly #around: RunSurroundings;
  readonly #queue: RunQueue;

  constructor(surroundings: RunSurroundings, queue: RunQueue) {
    this.#around = surroundings;
    this.#queue = queue;
  }

  create(request: RunRequest): Answer<'runs.create'> {
    const planned = planRuns(request, this.#around);
    const since = this.#around.events.latest();
    this.#insert(planned);
    return { group: planned.group, runs: planned.runs.map(({ runId }) => this.#summary(runId)), since };
  }

  createGroup(requests: readonly RunRequest[]): Answer<'runs.createGroup'> {
    const { group, plans } = planGroup(requests, this.#around);
    const since = this.#around.events.latest();
    for (const plan of plans) this.#insert(plan);
    return { group, runs: plans.flatMap((plan) => plan.runs.map(({ runId }) => this.#summary(runId))), since };
  }

  #insert(planned: PlannedRuns): void {
    const { runs, phases, events } = this.#around;
    for (const run of planned.runs) {
      const { runId, name, seed, group } = run;
      events.commitRun({ type: 'run.created', runId, recipeId: run.recipe.id, name, seed, group }, () => {
        runs.insert(run);
        phases.plan(runId, planned.phases);
      });
    }
    for (const { runId } of planned.runs) this.#queue.add(runId);
  }

  list(filter: HandlerInput<'runs.list'>): Answer<'runs.list'> {
    const { runs, phases } = this.#around;
    const found = runs.list(filter);
    const phasesOf = phases.listMany(found.map((run) => run.runId));
    return { runs: found.map((run) => toSummary(run, phasesOf.get(run.runId) ?? [])) };
  }

  show(reference: string): Answer<'runs.show'> {
    const { runs, phases, epochs, datasets } = this.#around;
    const run = this.#resolve(reference);
    return toDetails({
      run,
      recipe: runs.readRecipe(run.runId),
      phases: phases.list(run.runId),
      log: epochs.readLog(run.runId, logLines),
      isDatasetPresent: datasets.find(run.datasetId) !== undefined,
    });
  }

  epochs(reference: string, offset: number, limit: number): Answer<'runs.epochs'> {
    const { runId } = this.#resolve(reference);
    const phases = this.#around.phases.list(runId);
    return { epochs: this.#around.epochs.list(runId, offset, limit).map((epoch) => toEpochAnswer(epoch, phases)) };
  }

  resume(reference: string): Answer<'runs.resume'> {
    const { events, datasets } = this.#around;
    const run = this.#resolve(reference);
    const since = events.latest();
    if (run.state === 'paused') {
      this.#attempt(run).continue();
      return { run: this.#summary(run.runId), since };
    }
    requireState(run, resumableStates, 'resumed');
    requireDataset(run, datasets.find(run.datasetId)?.fingerprint);
    if (run.archivedAt !== null) this.#unarchive(run.runId);
    events.commitRun({ type: 'run.queued', runId: run.runId });
    this.#queue.add(run.runId);
    return { run: this.#summary(run.runId), since };
  }

  async pause(reference: string, signal: AbortSignal): Promise<Answer<'runs.pause'>> {
    const run = this.#resolve(reference);
    if (run.state === 'paused') return { runId: run.runId, state: 'paused' };
    requireState(run, ['running'], 'paused');
    const saved = this.#untilNot(run.runId, 'running', signal);
    this.#attempt(run).pause();
    return { runId: run.runId, state: await saved };
  }

  async stop(reference: string, signal: AbortSignal): Promise<Answer<'runs.stop'>> {
    const run = this.#resolve(reference);
    const { runId } = run;
    if (run.state === 'stopped' || run.state === 'interrupted') return { runId, state: run.state };
    requireState(run, ['queued', 'running', 'paused'], 'stopped');
    if (this.#queue.remove(runId)) {
      this.#around.events.commitRun({ type: 'run.stopped', runId, seconds: run.seconds });
      return { runId, state: 'stopped' };
    }
    const attempt = this.#attempt(run);
    attempt.stop();
    await attempt.ended;
    signal.throwIfAborted();
    return { runId, state: this.#get(runId).state };
  }

  trash(references: readonly string[]): Answer<'runs.delete'> {
    const found = references.map((reference) => this.#resolve(reference));
    for (const run of found) requireState(run, restingStates, 'deleted');
    for (const { runId } of found) {
      this.#around.events.commitRun({ type: 'run.trashed', runId }, (at) => this.#around.runs.update(runId, { trashedAt: at }));
    }
    return { deleted: found.map((run) => run.runId) };
  }

  restore(references: readonly string[]): Answer<'runs.restore'> {
    const found = references.map((reference) => this.#resolve(reference));
    for (const { runId, trashedAt } of found) {
      if (trashedAt === null)
        throw new LabError('conflict', `The run ${runId} is not in the trash.`, { help: '`lab runs list` shows it.' });
    }
    for (const { runId } of found) {
      this.#around.events.commitRun({ type: 'run.restored', runId }, () => this.#around.runs.update(runId, { trashedAt: null }));
    }
    return { restored: found.map((run) => run.runId) };
  }

  reorder(reference: string, before: string | null): Answer<'runs.reorder'> {
    const run = this.#resolve(reference);
    const other = before === null ? null : this.#resolve(before).runId;
    if (!this.#queue.move(run.runId, other)) {
      throw new LabError('conflict', `The run ${run.runId} cannot be moved in the queue.`, {
        expected: 'two runs that are queued',
        received: `a run that is ${run.state}`,
        help: '`lab runs list --state queued` shows the queue.',
      });
    }
    const queued = [...this.#queue.waiting()];
    this.#around.events.commitLab({ type: 'queue.changed', queued });
    return { queued };
  }

  reconcile(): void {
    for (const run of this.#around.runs.listActive()) {
      this.#interrupt(run, 'The program ended while the run was not finished.');
    }
  }

  activity(): { running: readonly RunId[]; queued: readonly RunId[] } {
    return { running: this.#queue.running(), queued: this.#queue.waiting() };
  }

  async stopAll(): Promise<void> {
    const { queued, running } = this.activity();
    for (const runId of queued) {
      this.#queue.remove(runId);
      this.#around.events.commitRun({ type: 'run.stopped', runId, seconds: this.#get(runId).seconds });
    }
    for (const runId of running) this.#queue.findAttempt(runId)?.stop();
    await this.#queue.settled();
  }

  abandonAll(): void {
    const { queued, running } = this.activity();
    for (const runId of queued) {
      this.#queue.remove(runId);
      this.#interrupt(this.#get(runId), 'The program was ended at once.');
    }
    for (const runId of running) this.#queue.findAttempt(runId)?.abandon();
  }

  /** What trains is never hidden. */
  #unarchive(runId: RunId): void {
    const { runs, events } = this.#around;
    events.commitRun({ type: 'run.unarchived', runId }, () => runs.update(runId, { archivedAt: null }));
  }

  #interrupt(run: StoredRun, message: string): void {
    const { runs, events } = this.#around;
    const { runId, seconds } = run;
    const error = toWire(new LabError('interrupted', message, { help: `Continue with \`lab resume ${runId}\`.` }));
    events.commitRun({ type: 'run.interrupted', runId, seconds, error }, (at) => runs.update(runId, { endedAt: at, error }));
  }

  #attempt(run: StoredRun): NonNullable<ReturnType<RunQueue['findAttempt']>> {
    const attempt = this.#queue.findAttempt(run.runId);
    if (attempt !== undefined) return attempt;
    this.#interrupt(run, 'The training process of the run is gone.');
    throw new LabError('conflict', `The run ${run.runId} is not being trained any more.`, {
      help: `Continue with \`lab resume ${run.runId}\`.`,
    });
  }

  #untilNot(runId: RunId, state: RunStateName, signal: AbortSignal): Promise<RunStateName> {
    const { events } = this.#around;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => finish(() => reject(signal.reason as Error));
      const unsubscribe = events.subscribe((event) => {
        const found = 'runId' in event && event.runId === runId ? this.#get(runId).state : state;
        if (found !== state) finish(() => resolve(found));
      });
      signal.addEventListener('abort', onAbort);
    });
  }

  #resolve(reference: string): StoredRun {
    return resolveRun(this.#around.runs, reference);
  }

  #get(runId: RunId): StoredRun {
    return getRun(this.#around.runs, runId);
  }

  #summary(runId: RunId): ReturnType<typeof toSummary> {
    return toSummary(this.#get(runId), this.#around.phases.list(runId));
  }
}

function requireState(run: StoredRun, states: readonly RunStateName[], wanted: string): void {
  requireKept(run);
  const { runId, state } = run;
  if (states.includes(state)) return;
  throw new LabError('conflict', `The run ${runId} cannot be ${wanted} now.`, {
    expected: `a run that is ${states.join(' or ')}`,
    received: `a run that is ${state}`,
    help:
      state === 'running' || state === 'queued'
        ? `Stop it first with \`lab stop ${runId}\`.`
        : '`lab runs list` shows the state of all runs.',
  });
}
