import type { RunDetails, RunLine } from '../../shared/contract/answers.ts';
import { LabError, toWire } from '../../shared/contract/errors.ts';
import type { LabEvent } from '../../shared/contract/events.ts';
import { selectionNames, spreadOf } from '../../shared/domain/run.ts';

/** The lines of `run --json` that an event becomes; `run` is the run as it is after the event. */
export function toRunLines(event: LabEvent, run: RunDetails): RunLine[] {
  const { runId } = run;
  const nameOf = (phase: number): string => run.phases[phase]?.name ?? `phase ${phase + 1}`;
  switch (event.type) {
    case 'run.started':
    case 'run.continued':
      return [startLine(run)];
    case 'run.phaseStarted':
      return [{ type: 'phase.started', runId, phase: nameOf(event.phase) }];
    case 'run.featuresComputed':
      return [{ type: 'features.computed', runId, phase: nameOf(event.phase), images: event.images, seconds: event.seconds }];
    case 'run.epochFinished': {
      const { epoch, seconds, train, validation, learningRate } = event;
      return [{ type: 'epoch.finished', runId, phase: nameOf(event.phase), epoch, seconds, train, validation, learningRate }];
    }
    case 'run.phaseFinished': {
      const { epochs, seconds, secondsPerEpoch, stoppedBy, test } = event;
      const best = { epoch: event.best.epoch, rule: selectionNames[event.best.rule] };
      return [{ type: 'phase.finished', runId, phase: nameOf(event.phase), epochs, seconds, secondsPerEpoch, stoppedBy, best, test }];
    }
    case 'run.finished':
      return [finishLine(run)];
    case 'run.failed':
      return [{ type: 'run.failed', runId, state: 'failed', error: event.error }];
    case 'run.interrupted':
      return [{ type: 'run.failed', runId, state: 'interrupted', error: event.error }];
    case 'run.stopped': {
      const error = new LabError('stopped', 'The run was stopped with its work saved.', { help: `Continue with \`lab resume ${runId}\`.` });
      return [{ type: 'run.failed', runId, state: 'stopped', error: toWire(error) }];
    }
    case 'run.created':
    case 'run.queued':
    case 'run.prepared':
    case 'run.paused':
    case 'run.logged':
    case 'run.trashed':
    case 'run.restored':
    case 'run.edited':
    case 'run.archived':
    case 'run.unarchived':
    case 'run.progress':
    case 'run.resources':
    case 'queue.changed':
    case 'settings.changed':
    case 'report.created':
    case 'report.removed':
    case 'runs.purged':
    case 'dataset.imported':
    case 'dataset.removed':
    case 'weights.imported':
    case 'weights.removed':
    case 'dataset.progress':
      return [];
  }
}

/** The last line of several seeds: the test accuracy of the last phase over the runs that finished. */
export function toGroupLine(group: string, runs: readonly RunDetails[]): Extract<RunLine, { type: 'group.finished' }> {
  const finished = runs.filter((run) => run.state === 'finished');
  const accuracies = finished.flatMap((run) => run.phases.at(-1)?.test?.accuracy ?? []);
  return { type: 'group.finished', group, runs: runs.map((run) => run.runId), test: { accuracy: spreadOf(accuracies) } };
}

function startLine({ runId, recipeId, seed, phases }: RunDetails): RunLine {
  const planned = phases.map(({ name, total, trainable, plannedEpochs }) => ({ name, total, trainable, epochs: plannedEpochs }));
  return { type: 'run.started', runId, recipeId, seed, phases: planned };
}

function finishLine({ runId, seconds, phases }: RunDetails): RunLine {
  const results = phases.map(({ name, epochs, seconds: time, secondsPerEpoch, stoppedBy, best, test, total, trainable }) => ({
    phase: name,
    epochs,
    seconds: time,
    secondsPerEpoch: secondsPerEpoch ?? 0,
    stoppedBy: stoppedBy ?? ('epochs' as const),
    best: best ?? { epoch: Math.max(1, epochs), rule: 'last' as const },
    test,
    total,
    trainable,
  }));
  return { type: 'run.finished', runId, state: 'finished', seconds, phases: results };
}
