import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  datasetDetailsSchema,
  datasetImportAnswerSchema,
  datasetRemovedSchema,
  datasetsAnswerSchema,
  doctorAnswerSchema,
  recipeParametersSchema,
  recipesAnswerSchema,
  runDetailsSchema,
  runsAnswerSchema,
  runsDeletedSchema,
  runsRestoredSchema,
  runStateAnswerSchema,
} from '../src/shared/contract/answers.ts';
import { recipeSchema } from '../src/shared/contract/schema.ts';
import { commands } from '../src/main/cli/main.ts';
import { answerOf, errorOf, linesOf, run, scripted, start } from './commandLine.ts';
import { makeFolder, resourcesFolder } from './lab.ts';

const recipeFile = (id: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(resourcesFolder, `recipes/${id}.json`), 'utf8')) as Record<string, unknown>;

describe('answers for programs', () => {
  test('doctor', async () => {
    const { code, output } = await run(makeFolder(), 'doctor', '--json');
    const answer = doctorAnswerSchema.parse(JSON.parse(output));
    expect(code).toBe(answer.ok ? 0 : 4);
    expect(answer.versions.node).toBe(process.versions.node);
  });

  test('datasets list, import, show and remove', async () => {
    const folder = makeFolder();
    const imported = await answerOf(datasetImportAnswerSchema, folder, 'datasets', 'import', 'pictures/partly', '--name', 'Cats');
    expect(imported).toMatchObject({ id: 'cats', rejected: [{ file: 'a.txt', reason: 'not a picture' }] });
    const { datasets } = await answerOf(datasetsAnswerSchema, folder, 'datasets', 'list');
    expect(datasets.map(({ id }) => id)).toEqual(['cats', 'fashion-mnist', 'mnist-10k']);
    const shown = await answerOf(datasetDetailsSchema, folder, 'datasets', 'show', 'cats');
    expect(shown.perClass).toHaveLength(2);
    expect(await answerOf(datasetRemovedSchema, folder, 'datasets', 'remove', 'cats')).toEqual({ removed: 'cats', usedBy: [] });
    expect((await errorOf(folder, 'datasets', 'show', 'cats')).error).toMatchObject({ code: 'not_found' });
  });

  test('recipes list, show and params', async () => {
    const folder = makeFolder();
    const { recipes } = await answerOf(recipesAnswerSchema, folder, 'recipes', 'list');
    expect(recipes.find(({ id }) => id === 'fashion-transfer-5to9')).toMatchObject({
      document: '000',
      dataset: 'fashion-mnist',
      needsWeights: false,
    });
    const recipe = await answerOf(recipeSchema, folder, 'recipes', 'show', 'fashion-transfer-5to9');
    expect(recipe.id).toBe('fashion-transfer-5to9');
    const counts = await answerOf(recipeParametersSchema, folder, 'recipes', 'params', 'fashion-transfer-5to9');
    expect(counts.phases.map(({ total, trainable, nonTrainable }) => [total, trainable, nonTrainable])).toEqual([
      [600_165, 600_165, 0],
      [600_165, 590_597, 9568],
    ]);
    expect(counts.layers[0]).toEqual({
      name: expect.any(String) as string,
      type: 'Conv2D',
      inputShape: [28, 28, 1],
      outputShape: [26, 26, 32],
      params: 320,
      trainableParams: [320, 0],
    });
  });

  test('recipes fit prints the option that uses the values', async () => {
    const folder = makeFolder();
    // The pretended importer writes no pictures, so this one is the real program.
    const real = join(import.meta.dirname, '../src/main/cli.ts');
    const { code, output } = await start(folder, ['recipes', 'fit', 'mnist-test-1'], real).ended;
    expect(code).toBe(0);
    expect(output).toContain('8,500 training pictures');
    const [, json = ''] = /--set 'input\.normalize=(.*)'/.exec(output) ?? [];
    const { mean, std } = z.object({ mean: z.array(z.number()), std: z.array(z.number()) }).parse(JSON.parse(json));
    expect({ mean, std }).toEqual({ mean: [expect.closeTo(0.131, 2)], std: [expect.closeTo(0.308, 2)] });
    expect(await errorOf(folder, 'recipes', 'fit', 'mnist-test-1', '--dataset', 'none')).toMatchObject({
      code: 2,
      error: { code: 'not_found' },
    });
  });

  test('recipes params of a recipe that cannot work, and of a file', async () => {
    const folder = makeFolder();
    const failing = await run(folder, 'recipes', 'params', 'mnist-test-3', '--json');
    expect(failing.code).toBe(2);
    const answer = recipeParametersSchema.parse(JSON.parse(failing.output));
    expect(answer.phases[0]).toMatchObject({ total: 320 });
    expect(answer.problem?.fix).toContain('Flatten');
    expect(failing.output + failing.errors).not.toMatch(/\n\s+at /);
    const file = join(makeFolder(), 'mine.json');
    writeFileSync(file, JSON.stringify({ ...recipeFile('mnist-test-1'), id: 'mine' }));
    expect((await answerOf(recipeParametersSchema, folder, 'recipes', 'params', file)).phases[0]?.total).toBe(93_322);
    writeFileSync(file, '{"version": 1,');
    expect(await errorOf(folder, 'recipes', 'params', file)).toMatchObject({ code: 2, error: { code: 'bad_recipe' } });
    writeFileSync(file, JSON.stringify({ ...recipeFile('mnist-test-1'), colour: 'red' }));
    const unknownKey = await errorOf(folder, 'recipes', 'params', file);
    expect(unknownKey).toMatchObject({ code: 2, error: { code: 'bad_recipe', expected: expect.stringContaining('colour') as string } });
    writeFileSync(file, JSON.stringify({ ...recipeFile('mnist-test-1'), phases: [{ name: 'train', epochs: 'many' }] }));
    expect((await errorOf(folder, 'recipes', 'params', file)).error.message).toMatch(/phases\[0\]/);
  });

  test('run, runs list, show, delete and restore', async () => {
    const folder = makeFolder();
    const trained = await run(folder, 'run', 'fashion-transfer-5to9', ...scripted({}), '--name', 'My run', '--json');
    expect(trained).toMatchObject({ code: 0, errors: '' });
    const lines = linesOf(trained.output);
    const epochs = Array.from({ length: 5 }, () => 'epoch.finished');
    expect(lines.map(({ type }) => type)).toEqual([
      'run.started',
      'phase.started',
      ...epochs,
      'phase.finished',
      'phase.started',
      'features.computed',
      ...epochs,
      'phase.finished',
      'run.finished',
    ]);
    const last = lines.at(-1);
    const runId = last?.type === 'run.finished' ? last.runId : '';
    expect(last).toMatchObject({
      state: 'finished',
      phases: [
        { phase: 'full', trainable: 600_165 },
        { phase: 'tuned', trainable: 590_597 },
      ],
    });
    const { runs } = await answerOf(runsAnswerSchema, folder, 'runs', 'list', '--state', 'finished', '--limit', '5');
    expect(runs).toMatchObject([{ runId, name: 'My run', recipeId: 'fashion-transfer-5to9', seed: 1, group: null }]);
    const plain = await answerOf(runDetailsSchema, folder, 'runs', 'show', runId);
    expect(plain.epochs).toBeUndefined();
    const shown = await answerOf(runDetailsSchema, folder, 'runs', 'show', 'last', '--metrics');
    expect(shown.epochs).toHaveLength(10);
    expect(shown.phases[1]?.best).toEqual({ epoch: 5, rule: 'last' });
    expect(await answerOf(runStateAnswerSchema, folder, 'stop', runId).catch(String)).toContain('ended with 2');
    expect(await answerOf(runsDeletedSchema, folder, 'runs', 'delete', runId)).toEqual({ deleted: [runId] });
    expect((await answerOf(runsAnswerSchema, folder, 'runs', 'list')).runs).toEqual([]);
    expect(await answerOf(runsRestoredSchema, folder, 'runs', 'restore', runId)).toEqual({ restored: [runId] });
  });

  test('run with several seeds ends with mean and spread', async () => {
    const { code, output } = await run(makeFolder(), 'run', 'mnist-test-1', ...scripted({}), '--seeds', '1,2,3', '--json');
    expect(code).toBe(0);
    const lines = linesOf(output);
    const runs = lines.flatMap((line) => (line.type === 'run.finished' ? [line.runId] : []));
    expect(runs).toHaveLength(3);
    const accuracy = { mean: expect.closeTo(0.902, 10) as number, sd: expect.closeTo(0.001, 10) as number, n: 3 };
    expect(lines.at(-1)).toMatchObject({ type: 'group.finished', runs, test: { accuracy } });
  });

  test('run that fails', async () => {
    const script = scripted({ at: { phase: 0, epoch: 2 }, then: 'failed' });
    const { code, output } = await run(makeFolder(), 'run', 'mnist-test-1', ...script, '--json');
    expect(code).toBe(3);
    expect(linesOf(output).at(-1)).toMatchObject({ type: 'run.failed', state: 'failed', error: { code: 'training_diverged' } });
  });

  test('run on a full disk is a disk problem', async () => {
    const script = scripted({ at: { phase: 0, epoch: 2 }, then: 'diskFull' });
    const { code, output } = await run(makeFolder(), 'run', 'mnist-test-1', ...script, '--json');
    expect(code).toBe(4);
    expect(linesOf(output).at(-1)).toMatchObject({ type: 'run.failed', state: 'interrupted', error: { code: 'disk_full' } });
  });
});

describe('wrong use', () => {
  test.each([
    [['rnu', 'mnist-test-1'], 'Did you mean `lab run`?'],
    [['runs', 'lst'], 'Did you mean `lab runs list`?'],
    [['runs'], '`lab runs --help` explains them.'],
    [['run', 'mnist-test-1', '--seed', '1'], 'Did you mean --seeds?'],
    [['run', 'mnist-tset-1'], '`lab recipes list` shows all templates.'],
    [['run', './nowhere.json'], '`lab recipes list` shows all templates.'],
    [['run'], '`lab run --help` explains it.'],
    [['run', 'mnist-test-1', '--seeds', '1,x'], 'Correct the number and try again.'],
    [['run', 'mnist-test-1', '--weights', 'imagenet'], 'Choose a recipe with a base network, such as cifar-mobilenet-features.'],
    [['run', 'mnist-test-1', '--set', 'phases.0.epochs'], 'Write the place of the recipe, an equals sign and its new value.'],
    [['runs', 'list', '--state', 'finnished'], 'Did you mean finished?'],
    [['runs', 'list', '--limit'], 'Add the value.'],
    [['runs', 'show', 'nothing'], '`lab runs list` shows all runs; the beginning of an id, or `last`, is enough.'],
    [['run', 'cifar-cnn'], expect.stringContaining('lab datasets import') as string],
    [['run', 'mnist-test-3'], expect.stringContaining('Flatten') as string],
  ])('%j', async (line, help) => {
    const { code, error } = await errorOf(makeFolder(), ...line);
    expect({ code, help: error.help }).toEqual({ code: 2, help });
  });

  test('is explained to people without a stack trace', async () => {
    const { code, output, errors } = await run(makeFolder(), 'runs', 'lst');
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toContain('error: There is no command "runs lst".');
    expect(errors).not.toMatch(/\n\s+at /);
  });

  test('of a folder that is not a workspace', async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'thesis.tex'), '');
    expect(await errorOf(folder, 'runs', 'list')).toMatchObject({ code: 2, error: { code: 'bad_usage' } });
  });

  test('of a workspace that lost its history', async () => {
    const folder = makeFolder();
    await run(folder, 'runs', 'list');
    writeFileSync(join(folder, 'lab.sqlite'), '');
    expect(await errorOf(folder, 'runs', 'list')).toMatchObject({ code: 4, error: { code: 'workspace_damaged' } });
  });
});

describe('help', () => {
  test('every command and group explains itself with examples', async () => {
    const folder = makeFolder();
    const groups = new Set(commands.flatMap(({ words }) => (words.length > 1 ? [words[0] ?? ''] : [])));
    const lines = [[], ...[...groups].map((group) => [group]), ['run'], ['runs', 'list']];
    for (const line of lines) {
      const { code, output } = await run(folder, ...line, '--help');
      expect(code).toBe(0);
      expect(output).toContain('Examples:\n  npm run -s lab -- ');
    }
    for (const { words, examples } of commands) {
      expect(examples.length, words.join(' ')).toBeGreaterThan(0);
      for (const example of examples) expect(example.startsWith(words.join(' '))).toBe(true);
    }
  });
});
