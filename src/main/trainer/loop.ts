// The training loop, top to bottom: phases, epochs, steps. Policies decide, checkpoint.ts saves, phaseSession.ts computes, phaseEnd.ts
// measures; this file only says in which order. Every epoch is on the disk before it is reported. Called by trainer.ts.
import { join } from 'node:path';
import type { TrainCommand, Report } from '../../shared/contract/worker.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Executor } from '../engine/executor.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { openCheckpoints, type Checkpoint, type CheckpointStore, type TrainingProgress } from './checkpoint.ts';
import type { Control } from './control.ts';
import { finishPhase, readKeptWeights, retellPhase } from './phaseEnd.ts';
import { decideAfterEpoch, ratesOfEpoch, startPolicies } from './policyState.ts';
import { openPhase, type OpenPhase } from './openPhase.ts';
import type { PhaseSurroundings } from './phaseSurroundings.ts';
import { createProgressReporter, type ProgressReporter } from './progressReporter.ts';
import { openRunData, type RunData } from './runData.ts';
import { hashPlan } from './planHash.ts';

export interface TrainerTools {
  readonly executor: Executor;
  readonly control: Control;
  readonly report: (report: Report) => void;
  /** File of the augmentation thread; only the entry knows where its files lie. */
  readonly augmentWorker: URL;
  /** Tests replace it. */
  readonly measureDisk?: PhaseSurroundings['measureDisk'];
}

interface Run extends TrainerTools {
  readonly command: TrainCommand;
  readonly data: RunData;
  readonly checkpoints: CheckpointStore;
  readonly progress: ProgressReporter;
}

/** Trains all phases that are still to do; `stopped` means that the work is saved and can be resumed. */
export async function trainRun(command: TrainCommand, tools: TrainerTools): Promise<'finished' | 'stopped'> {
  const { executor, report } = tools;
  const data = await openRunData(command, tools.augmentWorker);
  try {
    const checkpoints = openCheckpoints(join(command.runFolder, 'checkpoints'), command.runId, hashPlan(command, data.store.manifest));
    const run: Run = { ...tools, command, data, checkpoints, progress: createProgressReporter(report) };
    const versions = { node: process.versions.node, tensorflow: executor.version };
    report({ type: 'ready', versions, device: executor.device, build: executor.build, split: data.recordSplits(command.runFolder) });
    const saved = command.resume ? readSaved(run) : null;
    let first = command.finishedPhases;
    // The parent may have died before it heard the end of a phase; the checkpoint that came after it shows that the phase is over.
    while (first < (saved?.progress.phase ?? 0) && retellPhase(command.runFolder, first, report)) first += 1;
    let carried: readonly NamedTensor[] | null = first === 0 ? null : readKeptWeights(command.runFolder, first - 1);
    for (let phase = first; phase < command.recipe.phases.length; phase += 1) {
      const outcome = await trainPhase(run, phase, carried, saved?.progress.phase === phase ? saved : null);
      if (outcome === 'stopped') return 'stopped';
      carried = outcome;
    }
    return 'finished';
  } finally {
    data.close();
  }
}

function readSaved(run: Run): Checkpoint | null {
  return run.checkpoints.readNewest((folder, reason) => {
    run.report({ type: 'log', level: 'warning', text: `The checkpoint ${folder} was skipped: ${reason}` });
  });
}

/** Returns the weights the phase keeps. */
async function trainPhase(
  run: Run,
  index: number,
  carried: readonly NamedTensor[] | null,
  saved: Checkpoint | null,
): Promise<readonly NamedTensor[] | 'stopped'> {
  const opened = await openPhase(run, index, carried);
  if (opened === 'stopped') return 'stopped';
  try {
    const { plan, session } = opened;
    let { progress, best } = restore(opened, index, saved);
    for (const epoch of progress.epochs) run.report(epoch);
    while (!progress.isPhaseOver) {
      const started = performance.now();
      const trained = await trainEpoch(run, opened, progress, best);
      if (trained.isStopped) {
        run.checkpoints.write({ progress: { ...progress, ...trained.partial }, values: session.readAll(), best });
        return 'stopped';
      }
      const { loss, accuracy } = session.readMetrics();
      const validation = opened.validation === null ? null : session.evaluate(opened.validation);
      session.resetMetrics();
      const metrics = { epoch: progress.epoch + 1, train: { loss, accuracy }, validation };
      const decision = decideAfterEpoch(progress.policies, metrics, plan.phase);
      if (decision.isKept && plan.phase.keep !== 'last') best = session.readChanging();
      const epochReport = {
        type: 'epochFinished' as const,
        phase: index,
        ...metrics,
        seconds: trained.seconds,
        learningRate: trained.learningRate,
      };
      progress = {
        phase: index,
        epoch: metrics.epoch,
        stepInEpoch: 0,
        partialSeconds: 0,
        phaseSeconds: progress.phaseSeconds + progress.partialSeconds + (performance.now() - started) / 1000 - trained.pausedSeconds,
        policies: decision.state,
        epochs: [...progress.epochs, epochReport],
        isPhaseOver: decision.isStopping || metrics.epoch >= opened.epochs,
      };
      run.checkpoints.write({ progress, values: session.readAll(), best });
      run.report(epochReport);
    }
    return finishPhase({ runFolder: run.command.runFolder, opened, progress, best, report: run.report });
  } finally {
    opened.close();
  }
}

function restore(
  opened: OpenPhase,
  index: number,
  saved: Checkpoint | null,
): { progress: TrainingProgress; best: readonly NamedTensor[] | null } {
  if (saved !== null) {
    opened.session.write(saved.values);
    return { progress: saved.progress, best: saved.best };
  }
  const progress: TrainingProgress = {
    phase: index,
    epoch: 0,
    stepInEpoch: 0,
    partialSeconds: 0,
    phaseSeconds: 0,
    policies: startPolicies(opened.plan.phase),
    epochs: [],
    isPhaseOver: false,
  };
  return { progress, best: null };
}

interface TrainedEpoch {
  readonly isStopped: boolean;
  readonly seconds: number;
  readonly pausedSeconds: number;
  readonly learningRate: number;
  readonly partial: { readonly stepInEpoch: number; readonly partialSeconds: number };
}

async function trainEpoch(
  run: Run,
  opened: OpenPhase,
  progress: TrainingProgress,
  best: readonly NamedTensor[] | null,
): Promise<TrainedEpoch> {
  const { session, train, plan } = opened;
  const rates = ratesOfEpoch(plan.phase, progress.policies, train.steps, progress.epoch + 1);
  session.setLearningRates(Float32Array.from(rates));
  if (progress.stepInEpoch === 0) session.resetMetrics();
  run.progress.startEpoch({ phase: progress.phase, epoch: progress.epoch + 1, epochs: opened.epochs, steps: train.steps });
  let started = performance.now();
  let seconds = progress.partialSeconds;
  let pausedSeconds = 0;
  for (let step = progress.stepInEpoch; step < train.steps; step += 1) {
    const batch = train.fill(progress.epoch, step);
    const loss = session.trainStep(batch, train.sampleShape);
    if (!Number.isFinite(loss)) throw diverged(progress.epoch + 1, step + 1, loss, rates[step] ?? 0);
    run.progress.addStep(step + 1, batch.count, () => session.readMetrics());
    await run.control.breathe();
    if (run.control.wish === 'run') continue;
    seconds += (performance.now() - started) / 1000;
    const pauseStarted = performance.now();
    const partial = { stepInEpoch: step + 1, partialSeconds: seconds };
    if (run.control.wish === 'pause') await pause(run, { progress: { ...progress, ...partial }, values: session.readAll(), best });
    pausedSeconds += (performance.now() - pauseStarted) / 1000;
    if (run.control.wish === 'stop' && step + 1 < train.steps) {
      return { isStopped: true, seconds, pausedSeconds, learningRate: rates[step] ?? 0, partial };
    }
    started = performance.now();
  }
  seconds += (performance.now() - started) / 1000;
  return { isStopped: false, seconds, pausedSeconds, learningRate: rates.at(-1) ?? 0, partial: { stepInEpoch: 0, partialSeconds: 0 } };
}

async function pause(run: Run, checkpoint: Checkpoint): Promise<void> {
  run.checkpoints.write(checkpoint);
  run.report({ type: 'paused' });
  await run.control.whilePaused();
  if (run.control.wish === 'run') run.report({ type: 'continued' });
}

function diverged(epoch: number, step: number, loss: number, learningRate: number): LabError {
  return new LabError('training_diverged', `The loss is no longer a number in epoch ${epoch}, step ${step}.`, {
    expected: 'a finite loss',
    received: String(loss),
    help: `The learning rate was ${learningRate}. Lower it, or check the scaling of the input.`,
  });
}
