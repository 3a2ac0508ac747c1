// Settings by path, differences and the epoch that speaks for an entry.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { comparisonSchema, type ComparisonRequest } from '../src/shared/contract/methods/comparison.ts';
import { recipeSchema, runIdSchema, type DatasetId, type Recipe } from '../src/shared/contract/schema.ts';
import {
  alignSettings,
  describeSettings,
  describeTestSet,
  findDifferences,
  labelEntries,
  type EntryRecipe,
  type EntrySettings,
} from '../src/shared/domain/comparison.ts';
import { chooseEpoch, type CheckpointRule, type EpochMetrics } from '../src/shared/domain/policies.ts';
import { applySetting } from '../src/shared/domain/recipe.ts';
import { createEpochStore } from '../src/main/db/epochs.ts';
import { closeDatabase, openDatabase } from '../src/main/db/open.ts';
import { createPhaseStore } from '../src/main/db/phases.ts';
import { createRunStore } from '../src/main/db/runs.ts';
import { lockWorkspace } from '../src/main/db/workspace.ts';
import { createComparison } from '../src/main/services/comparison.ts';
import { makeFolder, resourcesFolder } from './lab.ts';

// A durable history is written here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const template = (id: string): Recipe => recipeSchema.parse(JSON.parse(readFileSync(join(resourcesFolder, `recipes/${id}.json`), 'utf8')));
const transfer = template('fashion-transfer-5to9');
const split = { train: 30_000, validation: 5000, test: 5000, sha256: 'a'.repeat(64) };
const entryOf = (recipe: Recipe, change: Partial<EntryRecipe> = {}): EntryRecipe => ({
  recipe,
  phase: 0,
  seed: 1,
  datasetId: 'fashion-mnist',
  fingerprint: 'f'.repeat(64),
  split,
  ...change,
});
const differencesOf = (...entries: EntryRecipe[]): [string, unknown[]][] =>
  findDifferences(alignSettings(describeSettings(entries))).map(({ path, values }) => [path, values]);

const settingValue = fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ min: 0, max: 3 }), fc.boolean(), fc.constant(null));
const someSettings = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c.x', 'c.y', 'd'), settingValue), { maxLength: 8 })
  .map((pairs): EntrySettings => new Map(pairs));

describe('settings side by side', () => {
  test('hold every path once, with the value of each entry, and the differences are those that are not equal', () => {
    fc.assert(
      fc.property(fc.array(someSettings, { minLength: 1, maxLength: 5 }), (entries) => {
        const settings = alignSettings(entries);
        const paths = settings.map(({ path }) => path);
        expect(new Set(paths)).toEqual(new Set(entries.flatMap((entry) => [...entry.keys()])));
        expect(paths).toHaveLength(new Set(paths).size);
        for (const { path, values } of settings) expect(values).toEqual(entries.map((entry) => entry.get(path) ?? null));
        const different = findDifferences(settings).map(({ path }) => path);
        expect(different).toEqual(paths.filter((path) => new Set(entries.map((entry) => entry.get(path) ?? null)).size > 1));
      }),
    );
  });

  test('equal entries have no differences', () => {
    fc.assert(fc.property(someSettings, (entry) => findDifferences(alignSettings([entry, entry, entry])).length === 0));
  });

  test('a setting that is nothing in one entry and has parts in another shows its parts only', () => {
    const settings = alignSettings([new Map([['augmentation', null]]), new Map([['augmentation.shift', 0.1]])]);
    expect(settings).toEqual([{ path: 'augmentation.shift', values: [null, 0.1] }]);
  });
});

describe('settings of a recipe', () => {
  test.each<[string, string, string, unknown[]]>([
    ['phases.0.batchSize', '64', 'phase.batchSize', [128, 64]],
    ['phases.0.optimizer.learningRate', '0.5', 'phase.optimizer.learningRate', [0.001, 0.5]],
    ['network.layers.5.rate', '0.5', 'network.dropout', ['Dropout rate 0.25', 'Dropout rate 0.5']],
    [
      'network.layers.0.kernelSize',
      '[5,5]',
      'network.conv2d',
      ['Conv2D filters 32, kernelSize 3 x 3', 'Conv2D filters 32, kernelSize 5 x 5'],
    ],
    ['splits.document.seed', '7', 'split.seed', [0, 7]],
    ['input.scaling', '"none"', 'input.scaling', ['unit', 'none']],
  ])('%s is found where it was changed', (path, json, shown, values) => {
    expect(differencesOf(entryOf(transfer), entryOf(applySetting(transfer, path, json)))).toEqual([[shown, values]]);
  });

  test('a base is told by its own settings, and its layers are not listed', () => {
    const withBase = (base: Record<string, unknown> | null): EntryRecipe =>
      entryOf(applySetting(transfer, 'network.base', JSON.stringify(base)));
    const small = withBase({
      network: 'MobileNet',
      alpha: 0.5,
      cutAt: 'conv_pw_2_relu',
      weights: 'mine',
      weightsFingerprint: 'a'.repeat(64),
    });
    const large = withBase({ network: 'MobileNet' });
    expect(differencesOf(small, large)).toEqual([
      ['network.base.alpha', [0.5, 1]],
      ['network.base.cutAt', ['conv_pw_2_relu', null]],
      ['network.base.weights', ['mine', 'random']],
      ['network.base.weightsFingerprint', ['a'.repeat(64), null]],
    ]);
    expect(differencesOf(entryOf(transfer), large)).toEqual([
      ['network.base.network', [null, 'MobileNet']],
      ['network.base.alpha', [null, 1]],
      ['network.base.weights', [null, 'random']],
    ]);
    const paths = describeSettings([large]).flatMap((entry) => [...entry.keys()].filter((path) => path.startsWith('network.')));
    expect(paths).toHaveLength(5 + 1 + transfer.network.layers.length);
  });

  test('what belongs to the other protocol, or to later phases, does not matter', () => {
    expect(differencesOf(entryOf(transfer), entryOf(applySetting(transfer, 'splits.sound.seed', '7')))).toEqual([]);
    expect(differencesOf(entryOf(transfer), entryOf(applySetting(transfer, 'phases.1.epochs', '9')))).toEqual([]);
  });

  test('a changed earlier phase shows in where the weights come from', () => {
    const changed = applySetting(transfer, 'phases.0.batchSize', '64');
    const [[path, values] = ['', []], ...others] = differencesOf(entryOf(transfer, { phase: 1 }), entryOf(changed, { phase: 1 }));
    expect(others).toEqual([]);
    expect(path).toBe('phase.startsFrom');
    expect(values).toEqual([expect.stringMatching(/^weights of full, 5 epochs \(settings [0-9a-f]{8}\)$/), expect.any(String)]);
    expect(values[0]).not.toBe(values[1]);
  });

  test('two seeds differ in the seed only', () => {
    expect(differencesOf(entryOf(transfer), entryOf(transfer, { seed: 2 }))).toEqual([['seed', [1, 2]]]);
  });

  test('very many layers become checksums that still tell networks apart', () => {
    const other = applySetting(transfer, 'network.layers.5.rate', '0.5');
    const entries = Array.from({ length: 400 }, (_, index) => entryOf(index === 0 ? other : transfer));
    const settings = alignSettings(describeSettings(entries));
    expect(findDifferences(settings).map(({ path }) => path)).toEqual(['network.checksum']);
    expect(JSON.stringify(settings).length).toBeLessThan(500_000);
  });

  test('a text too long to read stays different from others', () => {
    const classes = Array.from({ length: 200 }, (_, index) => `class number ${index}`);
    const withClasses = (names: string[]): EntryRecipe =>
      entryOf({
        ...transfer,
        dataset: { ...transfer.dataset, classes: names },
        phases: transfer.phases.map((phase) => ({ ...phase, classes: null })),
      });
    const [row] = differencesOf(withClasses(classes), withClasses([...classes.slice(0, -1), 'another']));
    expect(row?.[0]).toBe('dataset.classes');
    expect(row?.[1].every((value) => String(value).length <= 320)).toBe(true);
  });
});

describe('names and test sets', () => {
  test('entries are told apart by the least that is enough', () => {
    expect(
      labelEntries([
        { name: 'x', phase: 'full' },
        { name: 'x', phase: 'tuned' },
      ]),
    ).toEqual(['full', 'tuned']);
    expect(
      labelEntries([
        { name: 'one', phase: 'full' },
        { name: 'two', phase: 'full' },
      ]),
    ).toEqual(['one', 'two']);
    const long = 'a name that is much too long for a label';
    expect(
      labelEntries([
        { name: long, phase: 'full' },
        { name: long, phase: 'full' },
      ]),
    ).toEqual(['A full', 'B full']);
    expect(labelEntries(Array.from({ length: 28 }, () => ({ name: long, phase: 'p' }))).slice(25)).toEqual(['Z p', 'AA p', 'AB p']);
  });

  test('the text of a test set is equal exactly when dataset, split and classes are', () => {
    const facts = { runId: 'r', datasetId: 'd', fingerprint: 'f', splitSha256: 's', classes: ['a', 'b'] };
    expect(describeTestSet({ ...facts, runId: 'other' })).toBe(describeTestSet(facts));
    for (const change of [{ fingerprint: 'g' }, { splitSha256: 't' }, { classes: ['b', 'a'] }, { classes: ['a, b'] }]) {
      expect(describeTestSet({ ...facts, ...change })).not.toBe(describeTestSet(facts));
    }
    expect(describeTestSet({ ...facts, fingerprint: null })).not.toBe(describeTestSet({ ...facts, fingerprint: null, runId: 'other' }));
  });
});

function openStores() {
  const lock = lockWorkspace(makeFolder());
  if (lock === undefined) throw new Error('The workspace has another owner.');
  const database = openDatabase(lock.places);
  onTestFinished(() => {
    closeDatabase(database);
    lock.release();
  });
  const stores = { runs: createRunStore(database), phases: createPhaseStore(database), epochs: createEpochStore(database) };
  let last = 0;
  const addRun = database.transaction((epochs: readonly EpochMetrics[]): string => {
    last += 1;
    const runId = runIdSchema.parse(`run-${last}`);
    const createdAt = '2026-11-21T00:00:00.000Z';
    const run = { runId, name: `Run ${last}`, recipe: transfer, seed: last, group: null, protocol: 'document', createdAt } as const;
    stores.runs.insert({ ...run, datasetId: 'fashion-mnist' as DatasetId });
    stores.phases.plan(
      runId,
      transfer.phases.map(({ name }) => ({ name, plannedEpochs: 5, total: 10, trainable: 8, nonTrainable: 2 })),
    );
    for (const metrics of epochs) stores.epochs.put(runId, { ...metrics, phase: 0, seconds: 1, learningRate: 0.1 });
    return runId;
  });
  const finish = (runId: string, epoch: number): void =>
    stores.phases.finish(runId, {
      type: 'phaseFinished',
      phase: 0,
      epochs: 3,
      seconds: 3,
      secondsPerEpoch: 1,
      stoppedBy: 'epochs',
      best: { epoch, rule: 'bestValLoss' },
      test: { loss: 0.5, accuracy: 0.75 },
      weights: { file: 'w', sha256: 'b'.repeat(64) },
      predictions: null,
      confusion: null,
    });
  const comparison = createComparison(stores);
  const show = (request: Partial<ComparisonRequest>) =>
    comparisonSchema.parse(comparison.show({ base: null, rule: 'last', entries: [], ...request }));
  const trash = (runId: string): void => stores.runs.update(runId, { trashedAt: '2026-11-21T00:00:00.000Z' });
  return { addRun, finish, show, trash };
}

const metric = fc.constantFrom(0.1, 0.2, 0.3, 0.4);
const pairOf = fc.record({ loss: metric, accuracy: metric });
const history = fc
  .array(fc.record({ train: pairOf, validation: fc.option(pairOf) }), { maxLength: 6 })
  .map((rows): EpochMetrics[] => rows.map((row, index) => ({ ...row, epoch: index + 1 })));

const worsening: EpochMetrics[] = [1, 2, 3].map((epoch) => ({
  epoch,
  train: { loss: 1 / epoch, accuracy: epoch / 10 },
  validation: { loss: epoch / 10, accuracy: 0.5 + epoch / 10 },
}));

describe('the comparison of the core', () => {
  test('reads the epoch that the rule chooses, ties and gaps included', () => {
    const { addRun, show } = openStores();
    const rules: CheckpointRule[] = ['last', 'best-val-loss', 'best-val-accuracy', 'epoch=2'];
    fc.assert(
      fc.property(history, fc.constantFrom(...rules), (epochs, rule) => {
        const run = addRun(epochs);
        const [entry] = show({ entries: [{ run, phase: 0 }], rule }).entries;
        const chosen = chooseEpoch(epochs, rule);
        const expected = epochs.find(({ epoch }) => epoch === chosen);
        expect(entry).toMatchObject({ epoch: chosen, train: expected?.train ?? null, validation: expected?.validation ?? null });
      }),
      { numRuns: 40 },
    );
  });

  test('shows test metrics only for the weights that were kept, and says why not otherwise', () => {
    const { addRun, finish, show } = openStores();
    const run = addRun(worsening);
    const one = (rule: CheckpointRule) => show({ entries: [{ run, phase: 0 }], rule }).entries[0];
    expect(one('last')).toMatchObject({ test: null, testNote: 'The phase has not finished, so its test set was not read.' });
    finish(run, 1);
    expect(one('best-val-loss')).toMatchObject({ epoch: 1, test: { loss: 0.5, accuracy: 0.75 }, testNote: null });
    expect(one('last')).toMatchObject({ epoch: 3, test: null });
    expect(one('last')?.testNote).toMatch(/epoch 1, which the phase kept \(best-val-loss\); the rule last chooses epoch 3/);
    expect(one('epoch=9')?.testNote).toMatch(/the rule epoch=9 finds no epoch/);
  });

  test('refuses a base outside, an entry given twice, and phases and runs that are not there', () => {
    const { addRun, show, trash } = openStores();
    const [first, second] = [addRun(worsening), addRun(worsening)];
    const entries = [
      { run: first, phase: 0 },
      { run: first, phase: 1 },
    ];
    expect(show({ entries, base: { run: first, phase: 1 } }).base).toBe(1);
    expect(() => show({ entries, base: { run: second, phase: 0 } })).toThrow('The base is not one of the compared entries.');
    expect(() => show({ entries: [...entries, { run: first, phase: 0 }] })).toThrow("The phase 'full' of run run-1 is given twice.");
    expect(() => show({ entries: [{ run: first, phase: 2 }] })).toThrow('The run run-1 has no phase 3.');
    expect(() => show({ entries: [{ run: 'nothing', phase: 0 }] })).toThrow('There is no run "nothing".');
    trash(second);
    expect(() => show({ entries: [{ run: second, phase: 0 }] })).toThrow('The run run-2 is in the trash.');
  });
});
