// The end of a phase: keep the weights its rule chose, read the test set from exactly these, and store weights and predictions.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PhaseReport, Report } from '../../shared/contract/worker.ts';
import type { Batch } from '../data/batches.ts';
import type { HostTensor } from '../engine/executor.ts';
import { decodeTensors, encodeTensors, type NamedTensor } from '../engine/safetensors.ts';
import type { TrainingProgress } from './checkpoint.ts';
import { replaceFile } from './files.ts';
import type { OpenPhase } from './openPhase.ts';
import { readStory, writeStory } from './phaseStory.ts';

export interface PhaseEnd {
  readonly runFolder: string;
  readonly opened: OpenPhase;
  readonly progress: TrainingProgress;
  readonly best: readonly NamedTensor[] | null;
  readonly report: (report: Report) => void;
}

const weightsFile = (phase: number): string => `phases/${phase + 1}/weights.safetensors`;
const predictionsFile = (phase: number): string => `phases/${phase + 1}/predictions.safetensors`;

/** Reports a phase that ended in an earlier life of the trainer once more; false when its story is not on the disk. */
export function retellPhase(runFolder: string, phase: number, report: (report: Report) => void): boolean {
  const story = readStory(runFolder, phase);
  if (story === null) return false;
  const { stoppedBy, epochs } = story.report;
  report({ type: 'phaseStarted', phase, ...(stoppedBy === 'epochs' ? { epochs } : {}) });
  for (const epoch of story.epochs) report(epoch);
  report(story.report);
  return true;
}

/** Weights that phase `phase` (from 0) kept. */
export function readKeptWeights(runFolder: string, phase: number): NamedTensor[] {
  const file = join(runFolder, weightsFile(phase));
  return decodeTensors(readFileSync(file), file).tensors;
}

/** Reports phaseFinished after the files are on the disk; returns the kept weights. */
export function finishPhase(end: PhaseEnd): readonly NamedTensor[] {
  const { opened, progress, runFolder } = end;
  const { session, plan, index } = opened;
  if (plan.phase.keep !== 'last' && end.best !== null) session.write(end.best);
  const kept = session.readWeights();
  mkdirSync(join(runFolder, 'phases', String(index + 1)), { recursive: true });
  const bestEpoch = progress.policies.keep.epoch ?? progress.epoch;
  const weights = { file: weightsFile(index), sha256: replaceFile(join(runFolder, weightsFile(index)), encodeTensors(kept)).sha256 };
  const tested = opened.test === null ? null : readTestSet(opened, runFolder);
  const seconds = progress.epochs.map((epoch) => epoch.seconds);
  const report: PhaseReport = {
    type: 'phaseFinished',
    phase: index,
    epochs: progress.epoch,
    seconds: progress.phaseSeconds,
    secondsPerEpoch: median(seconds.length > 1 ? seconds.slice(1) : seconds),
    stoppedBy: progress.epoch < opened.epochs ? 'early-stopping' : 'epochs',
    best: { epoch: bestEpoch, rule: plan.phase.keep },
    test: tested?.metrics ?? null,
    weights,
    predictions: tested?.predictions ?? null,
    confusion: tested?.confusion ?? null,
  };
  writeStory(runFolder, { epochs: progress.epochs, report });
  end.report(report);
  return kept;
}

function readTestSet(opened: OpenPhase, runFolder: string) {
  const { session, test, classCount, index } = opened;
  if (test === null) return null;
  const probabilities = new Float32Array(test.sampleCount * classCount);
  const labels = new Int32Array(test.sampleCount);
  const confusion = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0));
  let row = 0;
  const metrics = session.evaluate(test, (batchProbabilities: HostTensor, batch: Batch) => {
    probabilities.set(batchProbabilities.data, row * classCount);
    labels.set(batch.labels, row);
    for (let item = 0; item < batch.count; item += 1) {
      const answers = confusion[batch.labels[item] ?? 0];
      const answer = largest(probabilities, (row + item) * classCount, classCount);
      if (answers !== undefined) answers[answer] = (answers[answer] ?? 0) + 1;
    }
    row += batch.count;
  });
  const tensors: NamedTensor[] = [
    { name: 'probabilities', shape: [test.sampleCount, classCount], data: probabilities },
    { name: 'labels', shape: [test.sampleCount], data: labels },
  ];
  const file = predictionsFile(index);
  const { sha256 } = replaceFile(join(runFolder, file), encodeTensors(tensors));
  return { metrics, confusion, predictions: { file, sha256 } };
}

/** The first of the largest values, as TensorFlow's ArgMax. */
function largest(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let index = 1; index < count; index += 1) {
    if ((values[start + index] ?? 0) > (values[start + best] ?? 0)) best = index;
  }
  return best;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
