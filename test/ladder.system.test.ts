// The ladder on the command line: its table, its recipes for programs, and one action that trains every rung as a group.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { runsAnswerSchema } from '../src/shared/contract/answers.ts';
import { recipeSchema } from '../src/shared/contract/schema.ts';
import { answerOf, linesOf, run } from './commandLine.ts';
import { makeFolder } from './lab.ts';

const laddersSchema = z.strictObject({
  recipe: z.string(),
  rungs: z.array(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      description: z.string(),
      recipe: recipeSchema,
      phases: z.array(z.strictObject({ name: z.string(), total: z.int(), trainable: z.int(), nonTrainable: z.int() })),
    }),
  ),
});

test('recipes ladder shows the rungs, and run --ladder trains them as one group', async () => {
  const folder = makeFolder();
  const shown = await run(folder, 'recipes', 'ladder', 'fashion-transfer-5to9');
  expect(shown.output).toMatch(
    /^Fine-tune conv2d_1 +full +600,165 +600,165 +0\n +head +600,165 +590,597 +9,568\n +tune conv2d_1 +600,165 +599,845 +320$/m,
  );
  const { rungs } = await answerOf(laddersSchema, folder, 'recipes', 'ladder', 'fashion-transfer-5to9');
  expect(rungs.map(({ phases }) => phases.at(-1)?.trainable)).toEqual([590_597, 590_597, 599_845, 600_165]);
  const settings = ['--set', 'phases.0.epochs=1', '--set', 'phases.1.epochs=1', '--name', 'Mine'];
  const { code, output } = await run(folder, 'run', 'fashion-transfer-5to9', '--ladder', ...settings, '--json');
  expect(code).toBe(0);
  const started = linesOf(output).filter((line) => line.type === 'run.started');
  expect(started.map(({ phases }) => phases.map(({ epochs }) => epochs))).toEqual([
    [1, 1],
    [1, 1],
    [1, 1, 1],
    [1, 1, 1],
  ]);
  const { runs } = await answerOf(runsAnswerSchema, folder, 'runs', 'list');
  expect(runs.map(({ name }) => name).sort()).toEqual(rungs.map(({ title }) => `Mine: ${title}`).sort());
  expect(new Set(runs.map(({ group }) => group)).size).toBe(1);
  expect(runs[0]?.group).toMatch(/^g-/);
});
