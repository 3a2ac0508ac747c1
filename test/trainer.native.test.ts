// The training loop on the real library with a small network: what is reported, saved, resumed and kept.
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportSchema, type EpochReport, type PhaseReport, type Report } from '../src/shared/contract/worker.ts';
import { decodeTensors } from '../src/main/engine/safetensors.ts';
import { openSmallRun, openTestExecutor, smallRecipe, testCount, type SmallRun } from './smallRun.ts';

const executor = openTestExecutor();

const epochsOf = (reports: readonly Report[]): EpochReport[] => reports.filter((report) => report.type === 'epochFinished');
const phasesOf = (reports: readonly Report[]): PhaseReport[] => reports.filter((report) => report.type === 'phaseFinished');

/** What must not depend on pauses, stops and restarts: everything but times. */
function outcome(run: SmallRun): unknown {
  const untimed = <Report extends EpochReport | PhaseReport>(report: Report) => ({ ...report, seconds: 0, secondsPerEpoch: 0 });
  const epochs = new Map(epochsOf(run.reports).map((epoch) => [`${epoch.phase}/${epoch.epoch}`, untimed(epoch)]));
  const phases = phasesOf(run.reports).map(untimed);
  return { epochs: [...epochs.values()], phases };
}

async function undisturbed(recipe = smallRecipe()): Promise<SmallRun> {
  const run = await openSmallRun(executor, recipe);
  expect(await run.train()).toBe('finished');
  return run;
}

describe('a whole run', () => {
  it('reports every epoch and phase in order and learns', async () => {
    const run = await undisturbed();
    for (const report of run.reports) expect(reportSchema.safeParse(report).error).toBeUndefined();
    const kinds = run.reports.map((report) => report.type).filter((type) => type !== 'progress' && type !== 'log');
    expect(kinds).toEqual([
      ...['ready', 'phaseStarted', 'epochFinished', 'epochFinished', 'epochFinished', 'phaseFinished'],
      ...['phaseStarted', 'featuresComputed', 'epochFinished', 'epochFinished', 'phaseFinished'],
    ]);
    const last = phasesOf(run.reports).at(-1);
    expect(last?.test?.accuracy).toBeGreaterThan(0.6);
    expect(last?.confusion?.flat().reduce((sum, count) => sum + count, 0)).toBe(testCount);
  });

  it('stores the split, kept weights and predictions that the reports name', async () => {
    const run = await undisturbed();
    const split: unknown = JSON.parse(readFileSync(join(run.folder, 'splits/phase-1.json'), 'utf8'));
    expect(split).toMatchObject({ validation: Array.from({ length: 30 }, (_, index) => index) });
    const phase = phasesOf(run.reports)[0];
    const { tensors } = decodeTensors(readFileSync(join(run.folder, phase?.predictions?.file ?? '')), 'predictions');
    const [probabilities, labels] = tensors;
    expect(probabilities?.shape).toEqual([testCount, 3]);
    const right = [...(labels?.data ?? [])].filter((label, row) => {
      const scores = [...(probabilities?.data.subarray(row * 3, row * 3 + 3) ?? [])];
      return scores.indexOf(Math.max(...scores)) === label;
    });
    expect(right.length / testCount).toBeCloseTo(phase?.test?.accuracy ?? 0, 6);
  });

  it('gives the same numbers and weights twice, and others for another seed', async () => {
    const [first, second, other] = [await openSmallRun(executor), await openSmallRun(executor), await openSmallRun(executor)];
    await first.train();
    await second.train();
    await other.train({ seed: 6 });
    expect(outcome(second)).toEqual(outcome(first));
    expect(second.readWeights(1).equals(first.readWeights(1))).toBe(true);
    expect(other.readWeights(1).equals(first.readWeights(1))).toBe(false);
  });

  it('leaves frozen layers as they were and trains the others', async () => {
    const run = await undisturbed();
    const [before, after] = [0, 1].map(
      (phase) => new Map(decodeTensors(run.readWeights(phase), '').tensors.map((tensor) => [tensor.name, tensor.data])),
    );
    expect(after?.get('conv/kernel')).toEqual(before?.get('conv/kernel'));
    expect(after?.get('answer/kernel')).not.toEqual(before?.get('answer/kernel'));
  });

  it('trains on cached features as on pictures', async () => {
    const withCache = await undisturbed();
    const phases = smallRecipe().phases.map((phase) => ({ ...phase, cacheFeatures: false }));
    const without = await undisturbed(smallRecipe({ phases }));
    const losses = (run: SmallRun): number[] => epochsOf(run.reports).map((epoch) => epoch.train.loss);
    expect(without.reports.some((report) => report.type === 'featuresComputed')).toBe(false);
    losses(without).forEach((loss, index) => expect(losses(withCache)[index]).toBeCloseTo(loss, 5));
  });
});

describe('stopping and resuming', () => {
  it.each([1, 2, 3, 4])('continues bit for bit when stopped in the middle of epoch %i', async (epoch) => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor);
    let finished = 0;
    const stopped = await run.train({}, (report) => {
      if (report.type === 'epochFinished' && (finished += 1) === epoch) run.control.receive('stop');
    });
    expect(stopped).toBe('stopped');
    const finishedPhases = phasesOf(run.reports).length;
    expect(await run.train({ resume: true, finishedPhases })).toBe('finished');
    expect(outcome(run)).toEqual(outcome(straight));
    expect(run.readWeights(1).equals(straight.readWeights(1))).toBe(true);
  });

  it('continues from the last epoch when the process just vanished', async () => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor);
    const vanish = new Error('vanished');
    const killed = run.train({}, (report) => {
      if (report.type === 'epochFinished' && report.epoch === 2) throw vanish;
    });
    await expect(killed).rejects.toBe(vanish);
    expect(await run.train({ resume: true })).toBe('finished');
    expect(outcome(run)).toEqual(outcome(straight));
    expect(run.readWeights(1).equals(straight.readWeights(1))).toBe(true);
  });

  it('tells the end of a phase again when the history never heard of it', async () => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor);
    await run.train({}, (report) => {
      if (report.type === 'epochFinished' && report.phase === 1) run.control.receive('stop');
    });
    const heard = phasesOf(run.reports);
    run.reports.length = 0;
    expect(await run.train({ resume: true, finishedPhases: 0 })).toBe('finished');
    expect(phasesOf(run.reports)[0]).toEqual(heard[0]);
    expect(outcome(run)).toEqual(outcome(straight));
  });

  it('pauses with the work saved and continues', async () => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor);
    const done = run.train({}, (report) => {
      if (report.type === 'epochFinished' && report.epoch === 1 && report.phase === 0) run.control.receive('pause');
      if (report.type === 'paused') setImmediate(() => run.control.receive('continue'));
    });
    expect(await done).toBe('finished');
    expect(run.reports.filter((report) => report.type === 'paused' || report.type === 'continued').map((report) => report.type)).toEqual([
      'paused',
      'continued',
    ]);
    expect(run.readWeights(1).equals(straight.readWeights(1))).toBe(true);
  });

  it.each([
    ['is truncated', (file: string) => truncateSync(file, 100)],
    ['has another byte', flipByte],
  ])('falls back to the checkpoint before when the newest %s', async (_, damage) => {
    const straight = await undisturbed();
    const run = await openSmallRun(executor);
    await run.train({}, (report) => {
      if (report.type === 'epochFinished' && report.epoch === 2) run.control.receive('stop');
    });
    const folder = join(run.folder, 'checkpoints');
    const newest = readdirSync(folder).sort().at(-1) ?? '';
    damage(join(folder, newest, 'values.safetensors'));
    expect(await run.train({ resume: true })).toBe('finished');
    expect(run.reports).toContainEqual(
      expect.objectContaining({ type: 'log', level: 'warning', text: expect.stringContaining(newest) as string }),
    );
    expect(run.readWeights(1).equals(straight.readWeights(1))).toBe(true);
  });

  it('never continues a checkpoint of another recipe', async () => {
    const run = await openSmallRun(executor);
    await run.train();
    const phases = smallRecipe().phases.map((phase) => ({ ...phase, epochs: 1 }));
    await run.train({ resume: true, recipe: smallRecipe({ phases }) });
    expect(run.reports).toContainEqual(expect.objectContaining({ type: 'log', text: expect.stringContaining('another recipe') as string }));
  });
});

describe('policies', () => {
  const phase = { name: 'only', optimizer: { type: 'SGD', learningRate: 0.5, momentum: 0.9 }, batchSize: 16, epochs: 12 };

  it('stops early and reads the test set from the kept epoch', async () => {
    const earlyStopping = { monitor: 'valLoss', patience: 1 };
    const run = await undisturbed(smallRecipe({ phases: [{ ...phase, earlyStopping, keep: 'bestValLoss' }] }));
    const epochs = epochsOf(run.reports);
    const losses = epochs.map((epoch) => epoch.validation?.loss ?? 0);
    const report = phasesOf(run.reports)[0];
    expect(report?.best).toEqual({ epoch: losses.indexOf(Math.min(...losses)) + 1, rule: 'bestValLoss' });
    expect(report?.stoppedBy).toBe('early-stopping');
    expect(epochs.length).toBeLessThan(12);
  });

  it('names epoch, step and learning rate when the loss is no longer a number', async () => {
    const run = await openSmallRun(executor, smallRecipe({ phases: [{ ...phase, optimizer: { type: 'SGD', learningRate: 3e38 } }] }));
    await expect(run.train()).rejects.toMatchObject({
      code: 'training_diverged',
      message: expect.stringMatching(/epoch 1, step \d/) as string,
    });
  });

  it('trains on augmented pictures, the same ones after a stop', async () => {
    const augmentation = { rotationRange: 20, widthShiftRange: 0.1, horizontalFlip: true };
    const recipe = smallRecipe({ phases: [{ ...phase, epochs: 3, stepsPerEpoch: 10, augmentation }] });
    const straight = await undisturbed(recipe);
    const plain = await undisturbed(smallRecipe({ phases: [{ ...phase, epochs: 3, stepsPerEpoch: 10 }] }));
    expect(straight.readWeights(0).equals(plain.readWeights(0))).toBe(false);
    const run = await openSmallRun(executor, recipe);
    await run.train({}, (report) => {
      if (report.type === 'epochFinished' && report.epoch === 1) run.control.receive('stop');
    });
    expect(await run.train({ resume: true })).toBe('finished');
    expect(run.readWeights(0).equals(straight.readWeights(0))).toBe(true);
  });

  it('balances classes and smooths labels without a word of complaint', async () => {
    const run = await undisturbed(
      smallRecipe({
        phases: [{ ...phase, epochs: 2, classWeights: 'balanced', loss: { type: 'categoricalCrossentropy', labelSmoothing: 0.1 } }],
      }),
    );
    expect(epochsOf(run.reports)).toHaveLength(2);
  });
});

function flipByte(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}
