// One attempt at a run: a trainer child from start to end, and the child's end as the run's next state. What it reports on the way is
// written by runRecorder.ts. The queue (runQueue.ts) decides when; nothing else writes to a run that is being trained.
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError, toWire } from '../../shared/contract/errors.ts';
import type { Settings } from '../../shared/contract/methods/core.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import type { Report, TrainCommand } from '../../shared/contract/worker.ts';
import type { StoredRun } from '../db/runs.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import type { ChildEnd } from './childEnd.ts';
import type { DatasetService, StoredDataset } from './datasets.ts';
import type { EventService } from './events.ts';
import { chooseFeatureCacheBytes, describeMachine } from './machine.ts';
import { locateWeights } from './baseWeights.ts';
import { requireDataset } from './runDataset.ts';
import type { WeightsService } from './weights.ts';
import { createProgressGate } from './progressGate.ts';
import { sampleResources } from './resources.ts';
import { endOrphan, readProcessStart } from './processes.ts';
import { createRunRecorder, type RecorderSurroundings, type RunRecorder } from './runRecorder.ts';
import { trainingEnvironment, type SettingsService } from './settings.ts';
import { startChild, type Child, type ChildPrograms } from './supervisor.ts';

export interface AttemptSurroundings extends RecorderSurroundings {
  readonly places: WorkspacePlaces;
  readonly programs: ChildPrograms;
  readonly datasets: DatasetService;
  readonly settings: Pick<SettingsService, 'show'>;
  readonly weights: WeightsService;
  /** Times of the stop ladder; tests shorten them. */
  readonly ladder?: { readonly messageMs: number; readonly terminateMs: number };
}

export interface Attempt {
  readonly runId: RunId;
  /** Resolves when the run has reached its next resting state and no process is left. */
  readonly ended: Promise<void>;
  /** True once the history knows the end; only tidying up may still go on. */
  isOver(): boolean;
  pause(): void;
  continue(): void;
  /** Saves and ends; `ended` resolves afterwards. */
  stop(): void;
  /** Ends the child at once and says so in the history; nothing is waited for. */
  abandon(): void;
}

export function startAttempt(run: StoredRun, surroundings: AttemptSurroundings): Attempt {
  return new TrainingAttempt(run, surroundings);
}

class TrainingAttempt implements Attempt {
  readonly runId: RunId;
  readonly ended: Promise<void>;
  readonly #run: StoredRun;
  readonly #around: AttemptSurroundings;
  readonly #cancel = new AbortController();
  readonly #progress: ReturnType<typeof createProgressGate>;
  readonly #recorder: RunRecorder;
  #child: Child | undefined;
  #stopSampling = (): void => undefined;
  #isFinished = false;
  #isAbandoned = false;
  #isOver = false;
  /** Time spent training in this attempt, without pauses. */
  #elapsedMs = 0;
  #runningSince: number | null = null;

  constructor(run: StoredRun, surroundings: AttemptSurroundings) {
    this.runId = run.runId;
    this.#run = run;
    this.#around = surroundings;
    this.#progress = createProgressGate((report) => surroundings.events.show({ ...report, type: 'run.progress', runId: run.runId }));
    this.#recorder = createRunRecorder(run.runId, surroundings, () => this.#seconds());
    this.ended = this.#train();
  }

  isOver(): boolean {
    return this.#isOver;
  }

  pause(): void {
    this.#child?.send({ type: 'pause' });
  }

  continue(): void {
    this.#child?.send({ type: 'continue' });
  }

  stop(): void {
    this.#cancel.abort(new LabError('stopped', 'The run was stopped.'));
    void this.#child?.stop();
  }

  abandon(): void {
    this.#isAbandoned = true;
    this.#stopSampling();
    this.#child?.kill();
    const error = toWire(
      new LabError('interrupted', 'The program was ended at once.', { help: `Continue with \`lab resume ${this.runId}\`.` }),
    );
    this.#commitEnd({ type: 'run.interrupted', runId: this.runId, seconds: this.#seconds(), error });
  }

  async #train(): Promise<void> {
    // The queue must know the attempt before anything about it is published.
    await Promise.resolve();
    try {
      const dataset = await this.#prepare();
      if (this.#hasBeenAbandoned()) return;
      const child = this.#start(dataset);
      if (this.#cancel.signal.aborted) void child.stop();
      const end = await child.ended;
      this.#progress.close();
      this.#stopSampling();
      if (!this.#hasBeenAbandoned()) this.#conclude(end);
    } catch (error) {
      if (!this.#hasBeenAbandoned()) this.#refuse(error);
    } finally {
      await rm(this.#cacheFolder(), { recursive: true, force: true });
    }
  }

  async #prepare(): Promise<StoredDataset> {
    const { datasets } = this.#around;
    if (this.#run.trainer !== null) await endOrphan(this.#run.trainer);
    const dataset = await datasets.open(this.#run.datasetId, this.#cancel.signal);
    this.#cancel.signal.throwIfAborted();
    requireDataset(this.#run, dataset.manifest.fingerprint);
    return dataset;
  }

  #start(dataset: StoredDataset): Child {
    const { places, programs, runs, events, weights, ladder } = this.#around;
    const { runId, finishedPhases, attempts } = this.#run;
    const recipe = runs.readRecipe(runId);
    const settings = this.#readSettings();
    const runFolder = join(places.runs, runId);
    mkdirSync(runFolder, { recursive: true });
    mkdirSync(this.#cacheFolder(), { recursive: true });
    const command: TrainCommand = {
      type: 'train',
      runId,
      runFolder,
      datasetFolder: dataset.folder,
      cacheFolder: this.#cacheFolder(),
      featuresFolder: places.features,
      baseWeights: locateWeights(recipe, weights),
      recipe,
      seed: this.#run.seed,
      resume: attempts > 0,
      finishedPhases,
      featureCacheBytes: settings.featureCacheBytes ?? chooseFeatureCacheBytes(),
    };
    this.#runningSince = performance.now();
    const child = startChild({
      node: programs.node,
      program: programs.trainer,
      command,
      onReport: (report) => this.#receive(report),
      onSilence: (seconds) => this.#recorder.log('warning', `The training process has said nothing for ${Math.round(seconds)} seconds.`),
      environment: trainingEnvironment(settings),
      ...(ladder === undefined ? {} : { ladder }),
    });
    this.#child = child;
    this.#stopSampling = sampleResources(child.pid, (sample) => events.show({ type: 'run.resources', runId, ...sample }));
    events.commitRun({ type: 'run.started', runId, attempt: attempts + 1 }, (at) =>
      runs.update(runId, {
        attempts: attempts + 1,
        endedAt: null,
        error: null,
        machine: describeMachine(),
        datasetFingerprint: dataset.manifest.fingerprint,
        trainer: { pid: child.pid, started: readProcessStart(child.pid) ?? '' },
        ...(this.#run.startedAt === null ? { startedAt: at } : {}),
      }),
    );
    return child;
  }

  /** A damaged file costs no run: it trains as if nothing had been set, and says so. */
  #readSettings(): Settings {
    try {
      return this.#around.settings.show();
    } catch (error) {
      this.#recorder.log('warning', `The settings were not used. ${toWire(error).message}`);
      return { threads: null, featureCacheBytes: null };
    }
  }

  #receive(report: Report): void {
    if (this.#isAbandoned) return;
    if (report.type === 'paused') this.#holdClock();
    if (report.type === 'continued') this.#runningSince = performance.now();
    if (report.type === 'finished') this.#isFinished = true;
    if (report.type === 'progress') this.#progress.pass(report);
    else this.#recorder.record(report);
  }

  #conclude(end: ChildEnd): void {
    const { runId } = this;
    const seconds = this.#seconds();
    if (end.outcome === 'done' && this.#isFinished) {
      this.#commitEnd({ type: 'run.finished', runId, seconds });
    } else if (end.outcome === 'stopped') {
      this.#commitEnd({ type: 'run.stopped', runId, seconds });
    } else {
      const error = toWire(end.error ?? new LabError('internal', 'The training process ended without saying that it had finished.'));
      for (const line of end.stderr.slice(-20)) this.#recorder.log('error', line);
      this.#commitEnd({ type: end.outcome === 'died' ? 'run.interrupted' : 'run.failed', runId, seconds, error });
    }
  }

  /** The attempt ended before a trainer worked on it. */
  #refuse(error: unknown): void {
    const seconds = this.#seconds();
    if (this.#cancel.signal.aborted) this.#commitEnd({ type: 'run.stopped', runId: this.runId, seconds });
    // A run that has trained before keeps its chance to be resumed.
    else
      this.#commitEnd({
        type: this.#run.attempts > 0 ? 'run.interrupted' : 'run.failed',
        runId: this.runId,
        seconds,
        error: toWire(error),
      });
  }

  #commitEnd(draft: Parameters<EventService['commitRun']>[0] & { readonly seconds: number }): void {
    const { runs, events } = this.#around;
    const error = 'error' in draft ? draft.error : null;
    // Set before the event is published: whoever sees it may ask at once whether anything is still training.
    this.#isOver = true;
    events.commitRun(draft, (at) => runs.update(this.runId, { seconds: draft.seconds, endedAt: at, error, trainer: null }));
  }

  /** A question and not a field, because it may change while the attempt waits. */
  #hasBeenAbandoned(): boolean {
    return this.#isAbandoned;
  }

  #seconds(): number {
    const running = this.#runningSince === null ? 0 : performance.now() - this.#runningSince;
    return this.#run.seconds + (this.#elapsedMs + running) / 1000;
  }

  #holdClock(): void {
    if (this.#runningSince !== null) this.#elapsedMs += performance.now() - this.#runningSince;
    this.#runningSince = null;
  }

  #cacheFolder(): string {
    return join(this.#around.places.cache, this.runId);
  }
}
