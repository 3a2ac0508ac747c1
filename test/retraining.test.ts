// "Find the best epoch, then retrain": the recipe's two phases, what is refused, and how many epochs follow from the search.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LabError } from '../src/shared/contract/errors.ts';
import type { Recipe } from '../src/shared/contract/schema.ts';
import type { EpochMetrics } from '../src/shared/domain/policies.ts';
import { planPreflight } from '../src/shared/domain/preflight.ts';
import { parseRecipe, resolveRecipe } from '../src/shared/domain/recipe.ts';
import { hasRetraining, settleEpochs, withoutRetraining, withRetraining } from '../src/shared/domain/retraining.ts';
import { joinValidation, makeSplit } from '../src/shared/domain/split.ts';
import { eventsUntil, makeFolder, openLab, script, transferRecipe } from './lab.ts';

function readTemplate(id: string): Recipe {
  return parseRecipe(JSON.parse(readFileSync(new URL(`../resources/recipes/${id}.json`, import.meta.url), 'utf8')), id);
}

const search: Recipe = { ...readTemplate('fashion-test-7'), protocol: 'sound' };
const [searching] = search.phases;

/** The recipe with retraining, the phases changed by number. */
function changed(...changes: Record<string, unknown>[]): Recipe {
  const recipe = withRetraining(search, 'valLoss');
  const phases = recipe.phases.map((phase, index) => ({ ...phase, ...changes[index] }));
  return parseRecipe({ ...recipe, phases: [...phases, ...changes.slice(phases.length)] }, 'a test');
}

function problemOf(recipe: Recipe) {
  const result = resolveRecipe(recipe);
  if (result.ok) throw new Error('The recipe was accepted.');
  return result.problem;
}

const epochsWith = (losses: readonly number[]): EpochMetrics[] =>
  losses.map((loss, index) => ({ epoch: index + 1, train: { loss: 1, accuracy: 0 }, validation: { loss, accuracy: 1 - loss } }));

describe('retraining as a recipe option', () => {
  it('adds a fresh second phase on training and validation pictures, and takes it away', () => {
    const recipe = withRetraining(
      { ...search, phases: search.phases.map((phase) => ({ ...phase, keep: 'bestValLoss' as const })) },
      'valAccuracy',
    );
    expect(resolveRecipe(recipe).ok).toBe(true);
    expect(recipe.phases).toMatchObject([
      { name: searching?.name, trainOn: 'train', keep: 'last' },
      {
        name: 'retrain',
        startFrom: 'fresh',
        trainOn: 'trainAndValidation',
        epochsFrom: { phase: searching?.name, monitor: 'valAccuracy' },
        keep: 'last',
        earlyStopping: null,
        epochs: searching?.epochs,
      },
    ]);
    expect(hasRetraining(recipe)).toBe(true);
    expect(withoutRetraining(recipe)).toEqual(search);
    expect(withRetraining(recipe, 'valAccuracy')).toEqual(recipe);
  });

  it('watches the training loss where the search watched a plateau of the validation loss', () => {
    const schedule = { type: 'reduceOnPlateau', monitor: 'valAccuracy' };
    const base = parseRecipe({ ...search, phases: [{ ...searching, schedule, earlyStopping: { monitor: 'valLoss' } }] }, 'a test');
    const recipe = withRetraining(base, 'valLoss');
    expect(recipe.phases[1]?.schedule).toMatchObject({ monitor: 'accuracy' });
    expect(resolveRecipe(recipe).ok).toBe(true);
  });

  it('refuses a recipe of several phases', () => {
    expect(() => withRetraining(readTemplate('fashion-transfer-5to9'), 'valLoss')).toThrow(LabError);
  });

  it.each<[string, Recipe, string, RegExp]>([
    ['a phase that is not there', changed({}, { epochsFrom: { phase: 'serch' } }), 'phases.1.epochsFrom', /no earlier phase/],
    ['the phase itself', changed({}, { epochsFrom: { phase: 'retrain' } }), 'phases.1.epochsFrom', /no earlier phase/],
    [
      'a phase without validation',
      {
        ...changed(),
        protocol: 'document',
        splits: { ...search.splits, document: { ...search.splits.sound, validation: { type: 'none' } } },
      },
      'phases.1.epochsFrom',
      /holds out no validation/,
    ],
    [
      'a phase that trains on everything',
      changed({ trainOn: 'trainAndValidation' }),
      'phases.1.epochsFrom',
      /trains on the validation pictures too/,
    ],
    ['keeping the best epoch', changed({}, { keep: 'bestValAccuracy' }), 'phases.1.keep', /trains on it/],
    ['stopping by validation', changed({}, { earlyStopping: { monitor: 'valLoss' } }), 'phases.1.earlyStopping', /trains on it/],
    ['a plateau of validation', changed({}, { schedule: { type: 'reduceOnPlateau' } }), 'phases.1.schedule', /trains on it/],
    [
      'the test set as validation',
      { ...changed(), splits: { ...search.splits, sound: { ...search.splits.sound, validation: { type: 'testSet' } } } },
      'phases.1.trainOn',
      /test pictures/,
    ],
    ['validating afterwards', changed({}, {}, { ...searching, name: 'after' }), 'phases.2.trainOn', /'retrain' has trained on/],
  ])('%s is refused at its place with a fix', (_, recipe, place, message) => {
    const problem = problemOf(recipe);
    expect(problem.layer).toBe(place);
    expect(problem.message).toMatch(message);
    expect(problem.fix).not.toBe('');
  });

  it('a fresh phase may validate again afterwards, and early stopping may watch the training loss', () => {
    expect(resolveRecipe(changed({}, {}, { ...searching, name: 'after', startFrom: 'fresh' })).ok).toBe(true);
    expect(resolveRecipe(changed({}, { earlyStopping: { monitor: 'loss' } })).ok).toBe(true);
  });

  it('counts the validation pictures among those that train', () => {
    const sizes = [0, 1].map(() => ({ train: 900, validation: 100, test: 50 }));
    const { phases, problem } = planPreflight(withRetraining(search, 'valLoss'), {}, { sizes, problem: null });
    expect(problem).toBeNull();
    const steps = (count: number): number => Math.ceil(count / (searching?.batchSize ?? 1));
    expect(phases).toMatchObject([
      { train: 900, validation: 100, test: 50, stepsPerEpoch: steps(900) },
      { train: 1000, validation: 0, test: 50, stepsPerEpoch: steps(1000) },
    ]);
  });
});

describe('the lists of a phase that trains on everything', () => {
  const labels = Uint16Array.from({ length: 30 }, (_, index) => index % 3);
  const splitWith = (validation: Recipe['splits']['sound']['validation']) =>
    makeSplit({
      labels,
      trainCount: 24,
      testCount: 6,
      classCount: 3,
      split: { ...search.splits.sound, test: { type: 'ownTestSet' }, validation },
    });

  it('are the training pictures in order, and none to validate', () => {
    const lists = splitWith({ type: 'fraction', fraction: 0.25, stratified: true });
    const joined = joinValidation(lists);
    expect([...joined.train]).toEqual(Array.from({ length: 24 }, (_, index) => index));
    expect(joined.validation).toHaveLength(0);
    expect(joined.test).toBe(lists.test);
  });

  it('never hold the test set', () => {
    expect(() => joinValidation(splitWith({ type: 'testSet' }))).toThrow(/test pictures/);
  });
});

describe('epochs of the second phase', () => {
  const recipe = withRetraining(search, 'valLoss');
  const settle = (losses: readonly number[] | null, monitor: 'valLoss' | 'valAccuracy' = 'valLoss') =>
    settleEpochs(withRetraining(recipe, monitor), 1, () => (losses === null ? null : epochsWith(losses)));

  it('are those of the best epoch, which the log says', () => {
    const name = searching?.name ?? '';
    expect(settle([3, 2, 1, 1, 4])).toEqual({
      epochs: 3,
      text: `Retraining for 3 epochs, the best epoch of phase ${name} by validation loss.`,
    });
    expect(settle([1, 2], 'valAccuracy').text).toBe(`Retraining for 1 epoch, the best epoch of phase ${name} by validation accuracy.`);
    expect(settleEpochs(recipe, 0, () => null)).toEqual({ epochs: searching?.epochs, text: null });
  });

  it('never exceed what the phase allows', () => {
    const short = { ...recipe, phases: recipe.phases.map((phase, index) => (index === 1 ? { ...phase, epochs: 2 } : phase)) };
    const settled = settleEpochs(short, 1, () => epochsWith([4, 3, 2, 1]));
    expect(settled.epochs).toBe(2);
    expect(settled.text).toMatch(/the most it may; the best epoch .* is 4/);
  });

  it.each([
    ['are lost', null],
    ['are not validated', [Number.NaN]],
  ])('cannot be known when the epochs of the search %s', (_, losses) => {
    expect(() => settle(losses)).toThrow(expect.objectContaining({ code: 'training_failed' }));
  });

  it('replace the planned ones in the history once they are known', async () => {
    const { client } = await openLab(makeFolder());
    const { runs, since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({ epochs: [5, 2] })] });
    const run = runs[0]?.runId ?? '';
    const plannedOf = async () => (await client.call('runs.show', { run })).phases.map(({ plannedEpochs }) => plannedEpochs);
    await eventsUntil(client, since, (event) => event.type === 'run.phaseStarted' && event.phase === 1);
    expect(await plannedOf()).toEqual([5, 2]);
    await eventsUntil(client, since, (event) => event.type === 'run.finished');
    expect((await client.call('runs.show', { run })).phases[1]).toMatchObject({ epochs: 2, plannedEpochs: 2 });
  });
});
