import type { RunDetails, RunSummary } from '../../shared/contract/answers.ts';
import type { LabEvent } from '../../shared/contract/events.ts';
import { formatCount, formatDuration, formatLoss, formatMoment, formatPercent, formatTable } from './format.ts';

/** Parameters, time and accuracy of each phase. */
export function describePhases(phases: RunSummary['phases']): string[] {
  return formatTable(
    [
      { title: 'Phase' },
      { title: 'Parameters', align: 'right' },
      { title: 'Trainable', align: 'right' },
      { title: 'Epochs', align: 'right' },
      { title: 'Time', align: 'right' },
      { title: 'Per epoch', align: 'right' },
      { title: 'Test loss', align: 'right' },
      { title: 'Test accuracy', align: 'right' },
    ],
    phases.map(({ name, total, trainable, epochs, seconds, secondsPerEpoch, test }) => [
      name,
      formatCount(total),
      formatCount(trainable),
      formatCount(epochs),
      formatDuration(seconds),
      formatDuration(secondsPerEpoch),
      formatLoss(test?.loss),
      formatPercent(test?.accuracy),
    ]),
  );
}

export function describeRuns(runs: readonly RunSummary[]): string[] {
  if (runs.length === 0) return ['There are no runs yet. Start one with `lab run fashion-transfer-5to9`.'];
  return formatTable(
    [
      { title: 'Run' },
      { title: 'State' },
      { title: 'Recipe' },
      { title: 'Seed', align: 'right' },
      { title: 'Created' },
      { title: 'Time', align: 'right' },
      { title: 'Epochs', align: 'right' },
      { title: 'Test accuracy', align: 'right' },
      { title: 'Name' },
    ],
    runs.map(({ runId, name, recipeId, seed, state, createdAt, seconds, phases }) => [
      runId,
      state,
      recipeId,
      String(seed),
      formatMoment(createdAt),
      formatDuration(seconds),
      formatCount(phases.reduce((sum, phase) => sum + phase.epochs, 0)),
      formatPercent(phases.findLast((phase) => phase.test !== null)?.test?.accuracy),
      name,
    ]),
  );
}

/** One line of text for an epoch that is finished. */
export function describeEpoch(event: Extract<LabEvent, { type: 'run.epochFinished' }>, run: RunDetails): string {
  const phase = run.phases[event.phase];
  const validation =
    event.validation === null
      ? ''
      : `, validation loss ${formatLoss(event.validation.loss)}, accuracy ${formatPercent(event.validation.accuracy)}`;
  return (
    `${phase?.name ?? ''} epoch ${event.epoch}/${phase?.plannedEpochs ?? '?'}: ${formatDuration(event.seconds)}, ` +
    `loss ${formatLoss(event.train.loss)}, accuracy ${formatPercent(event.train.accuracy)}${validation}`
  );
}

/** The line that is overwritten while an epoch runs. */
export function describeProgress(event: Extract<LabEvent, { type: 'run.progress' }>, run: RunDetails): string {
  const phase = run.phases[event.phase];
  const width = 20;
  const filled = event.steps === 0 ? 0 : Math.min(width, Math.round((event.step / event.steps) * width));
  const left = event.remainingSeconds === null ? '' : `, ${formatDuration(event.remainingSeconds)} left`;
  return (
    `${phase?.name ?? ''} epoch ${event.epoch}/${phase?.plannedEpochs ?? '?'} [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ` +
    `loss ${formatLoss(event.loss)}, accuracy ${formatPercent(event.accuracy)}, ${formatCount(Math.round(event.imagesPerSecond))} images/s${left}`
  );
}
