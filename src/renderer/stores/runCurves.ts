import type { DurableEvent } from '../../shared/contract/events.ts';
import type { RunSeries } from '../../shared/contract/methods/runs.ts';

type EpochEvent = Extract<DurableEvent, { type: 'run.epochFinished' }>;

/** The curves with one more epoch; an epoch that a resumed trainer reports again changes nothing. */
export function appendEpoch(known: readonly RunSeries[], event: EpochEvent): readonly RunSeries[] {
  const { phase } = event;
  const found = known.find((one) => one.phase === phase) ?? emptySeries(event);
  if ((found.epoch.at(-1) ?? 0) >= event.epoch) return known;
  const grown: RunSeries = {
    ...found,
    epoch: [...found.epoch, event.epoch],
    seconds: [...found.seconds, event.seconds],
    learningRate: [...found.learningRate, event.learningRate],
    trainLoss: [...found.trainLoss, event.train.loss],
    trainAccuracy: [...found.trainAccuracy, event.train.accuracy],
    validationLoss: [...found.validationLoss, event.validation?.loss ?? null],
    validationAccuracy: [...found.validationAccuracy, event.validation?.accuracy ?? null],
  };
  return [...known.filter((one) => one.phase !== phase), grown].sort((first, second) => first.phase - second.phase);
}

function emptySeries({ runId, phase }: EpochEvent): RunSeries {
  return {
    runId,
    phase,
    epoch: [],
    seconds: [],
    learningRate: [],
    trainLoss: [],
    trainAccuracy: [],
    validationLoss: [],
    validationAccuracy: [],
  };
}
