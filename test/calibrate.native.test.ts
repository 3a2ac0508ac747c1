// Times of a few real steps: what is timed and answered, at the level of the trainer and through the core with a real child.
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../src/shared/contract/schema.ts';
import { calibrateCommandSchema, reportSchema, type CalibratedReport } from '../src/shared/contract/worker.ts';
import { calibrate } from '../src/main/trainer/calibrate.ts';
import { eventsUntil, fakePrograms, makeFolder, openLab, transferRecipe, type Lab } from './lab.ts';
import { openSmallRun, openTestExecutor, smallRecipe } from './smallRun.ts';

const executor = openTestExecutor();
const augmentWorker = new URL('../src/main/data/augmentWorker.ts', import.meta.url);

/** Answers the same clock for every phase: each look at it is a second later. */
function tickingClock(): () => number {
  let seconds = 0;
  return () => (seconds += 1);
}

async function calibrateSmall(recipe: Recipe, change = {}, now?: () => number): Promise<CalibratedReport> {
  const run = await openSmallRun(executor, recipe);
  const folder = dirname(run.folder);
  const cacheFolder = join(folder, 'cache');
  mkdirSync(cacheFolder, { recursive: true });
  const paths = { datasetFolder: join(folder, 'dataset'), cacheFolder };
  const command = calibrateCommandSchema.parse({
    type: 'calibrate',
    recipe,
    ...paths,
    baseWeights: null,
    featureCacheBytes: 1_000_000,
    ...change,
  });
  const report = await calibrate(command, { executor, augmentWorker, ...(now === undefined ? {} : { now }) });
  expect(reportSchema.safeParse(report).error).toBeUndefined();
  return report;
}

describe('a calibration', () => {
  it('times the steps of every phase, and features where they are cached', async () => {
    const { device, phases } = await calibrateSmall(smallRecipe());
    expect(device).toBe(executor.device);
    expect(phases.map((phase) => phase.name)).toEqual(['full', 'tuned']);
    for (const { secondsPerStep, secondsPerEpoch } of phases) {
      expect(secondsPerStep).toBeGreaterThan(0);
      // 120 training pictures in batches of 16.
      expect(secondsPerEpoch).toBeCloseTo(secondsPerStep * 8, 9);
    }
    expect(phases[0]?.featureSeconds).toBeNull();
    expect(phases[1]?.featureSeconds).toBeGreaterThan(0);
  });

  it('takes at least three steps and no more than fit', async () => {
    const [full] = (await calibrateSmall(smallRecipe({ phases: smallRecipe().phases.slice(0, 1) }), {}, tickingClock())).phases;
    // The budget of 1.5 s is over at the second look at the clock, after four steps; the third look is the end.
    expect(full?.secondsPerStep).toBe(3 / 4);
  });

  it('counts the feature pass for all pictures of the phase', async () => {
    const { phases } = await calibrateSmall(smallRecipe(), {}, tickingClock());
    // The table of 120 training pictures takes one tick; 30 validation and 60 test pictures come on top.
    expect(phases[1]?.featureSeconds).toBeCloseTo(210 / 120, 9);
    const without = smallRecipe({ phases: smallRecipe().phases.map((phase) => ({ ...phase, cacheFeatures: false })) });
    expect((await calibrateSmall(without)).phases[1]?.featureSeconds).toBeNull();
  });

  it('works with augmentation, with steps per epoch and with features on the disk', async () => {
    const [full, tuned] = smallRecipe().phases;
    const phases = [{ ...full, stepsPerEpoch: 50, augmentation: { rotationRange: 10 } }, tuned];
    const report = await calibrateSmall(smallRecipe({ phases }), { featureCacheBytes: 1000 });
    const [augmented, spilled] = report.phases;
    expect((augmented?.secondsPerEpoch ?? 0) / (augmented?.secondsPerStep ?? 1)).toBeCloseTo(50, 6);
    expect(spilled?.secondsPerStep).toBeGreaterThan(0);
  });

  it('starts the base from its file when there is one', async () => {
    const network = { base: { network: 'MobileNet', alpha: 0.25, cutAt: 'conv1_relu' }, layers: smallRecipe().network.layers.slice(2) };
    const recipe = smallRecipe({ network, phases: smallRecipe().phases.slice(0, 1) });
    const baseWeights = { path: '/nowhere/base.safetensors', sha256: '0'.repeat(64) };
    await expect(calibrateSmall(recipe, { baseWeights })).rejects.toMatchObject({ code: 'weights_missing' });
    expect((await calibrateSmall(recipe)).phases).toHaveLength(1);
  });

  it('leaves no tensor in the library', async () => {
    await calibrateSmall(smallRecipe());
    const before = executor.countTensors();
    await calibrateSmall(smallRecipe());
    expect(executor.countTensors()).toBe(before);
  });
});

const realPrograms = {
  ...fakePrograms,
  trainer: join(import.meta.dirname, '../src/main/trainer.ts'),
  importer: join(import.meta.dirname, '../src/main/importer.ts'),
};

const filesLeft = ({ folder }: Lab): string[] => readdirSync(join(folder, 'cache'));

describe('the core', () => {
  it('answers document 000 within seconds and keeps nothing', async () => {
    const lab = await openLab(makeFolder(), { programs: realPrograms });
    const { phases, isDisturbed, device } = await lab.client.call('recipes.calibrate', { recipe: transferRecipe });
    expect(device).toBe(executor.device);
    expect(isDisturbed).toBe(false);
    expect(phases).toMatchObject([{ name: 'full', featureSeconds: null }, { name: 'tuned' }]);
    const [full, tuned] = phases;
    // 235 steps; frozen convolutions make an epoch several times shorter.
    expect(full?.secondsPerEpoch).toBeCloseTo(235 * (full?.secondsPerStep ?? 0), 6);
    expect(tuned?.secondsPerEpoch).toBeLessThan((full?.secondsPerEpoch ?? 0) / 2);
    expect(tuned?.featureSeconds).toBeGreaterThan(0);
    expect(filesLeft(lab)).toEqual([]);
  });

  it('refuses what could not run', async () => {
    const { client } = await openLab(makeFolder(), { programs: realPrograms });
    const ask = (datasetId: string | null) => client.call('recipes.calibrate', { recipe: transferRecipe, datasetId });
    await expect(ask('unknown')).rejects.toMatchObject({ code: 'not_found' });
    // Its pictures have no test set of their own; the trainer's refusal arrives as it is.
    await expect(ask('mnist-10k')).rejects.toMatchObject({ code: 'bad_recipe' });
  });

  it('ends the child of a cancelled call, and times one recipe at a time', async () => {
    // The pretended trainer does not know the command and would never answer.
    const lab = await openLab(makeFolder());
    const stop = new AbortController();
    const never = lab.client.call('recipes.calibrate', { recipe: transferRecipe }, { signal: stop.signal });
    while (!filesLeft(lab).some((name) => name.startsWith('calibration-1'))) await rest(20);
    const second = new AbortController();
    const waiting = lab.client.call('recipes.calibrate', { recipe: transferRecipe }, { signal: second.signal });
    await rest(100);
    expect(filesLeft(lab)).toEqual(['calibration-1']);
    stop.abort();
    await expect(never).rejects.toMatchObject({ code: 'cancelled' });
    while (filesLeft(lab).includes('calibration-1')) await rest(20);
    second.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    while (filesLeft(lab).length > 0) await rest(20);
  });

  it('says that a run was training', async () => {
    const lab = await openLab(makeFolder(), { programs: realPrograms });
    const created = await lab.client.call('runs.create', { recipe: transferRecipe });
    await eventsUntil(lab.client, created.since, (event) => event.type === 'run.phaseStarted');
    const { isDisturbed } = await lab.client.call('recipes.calibrate', { recipe: transferRecipe });
    expect(isDisturbed).toBe(true);
    await lab.client.call('runs.stop', { run: created.runs[0]?.runId ?? '' });
  });
});
