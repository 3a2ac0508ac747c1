// The tables of docs/reproduction.md from measured runs: our `run --json` logs and the lines of keras_runs.py, beside the published results.
// Usage: node scripts/reproduction/table.ts KERAS.jsonl OURS.jsonl...
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { recipeSchema, type Recipe } from '../../src/shared/contract/schema.ts';

interface Result {
  readonly recipe: string;
  readonly phase: string;
  readonly accuracy: number;
  readonly loss: number;
}

const startedSchema = z.looseObject({ type: z.literal('run.started'), runId: z.string(), recipeId: z.string() });
const phaseSchema = z.looseObject({
  type: z.literal('phase.finished'),
  runId: z.string(),
  phase: z.string(),
  test: z.object({ loss: z.number(), accuracy: z.number() }),
});
const kerasSchema = z.looseObject({ recipe: z.string(), phase: z.string(), testLoss: z.number(), testAccuracy: z.number() });

function readLines(file: string): unknown[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('{')).map((line): unknown => JSON.parse(line));
}

function readOurs(file: string): Result[] {
  const recipes = new Map<string, string>();
  return readLines(file).flatMap((line) => {
    const started = startedSchema.safeParse(line);
    if (started.success) recipes.set(started.data.runId, started.data.recipeId);
    const finished = phaseSchema.safeParse(line);
    if (!finished.success) return [];
    const { runId, phase, test } = finished.data;
    return [{ recipe: recipes.get(runId) ?? '', phase, accuracy: test.accuracy, loss: test.loss }];
  });
}

function readKeras(file: string): Result[] {
  return readLines(file).map((line) => {
    const { recipe, phase, testAccuracy, testLoss } = kerasSchema.parse(line);
    return { recipe, phase, accuracy: testAccuracy, loss: testLoss };
  });
}

/** Mean and sample standard deviation of percentages, with the number of seeds. */
function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '-';
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return `${mean.toFixed(digits)} (1 seed)`;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return `${mean.toFixed(digits)} ± ${Math.sqrt(variance).toFixed(digits)} (${values.length})`;
}

function readRecipe(id: string): Recipe {
  const file = join(import.meta.dirname, '../../resources/recipes', `${id}.json`);
  return recipeSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}

function writeRows(ours: readonly Result[], keras: readonly Result[]): string[] {
  const recipes = [...new Set(ours.map((result) => result.recipe))];
  return recipes.flatMap((id) =>
    readRecipe(id).phases.map(({ name }) => {
      const published = readRecipe(id).published.find((entry) => entry.phase === name);
      const of = (results: readonly Result[]): Result[] => results.filter((result) => result.recipe === id && result.phase === name);
      const accuracies = (results: readonly Result[]): string =>
        spread(
          of(results).map((result) => result.accuracy * 100),
          2,
        );
      const losses = (results: readonly Result[]): string =>
        spread(
          of(results).map((result) => result.loss),
          4,
        );
      const stated = published?.accuracy === undefined ? '-' : (published.accuracy * 100).toFixed(2);
      const cells = [
        id,
        name,
        stated,
        accuracies(ours),
        accuracies(keras),
        published?.loss?.toFixed(4) ?? '-',
        losses(ours),
        losses(keras),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  );
}

const [kerasFile, ...ourFiles] = process.argv.slice(2);
if (kerasFile === undefined || ourFiles.length === 0) {
  process.stderr.write('Usage: node scripts/reproduction/table.ts KERAS.jsonl OURS.jsonl...\n');
  process.exitCode = 2;
} else {
  const head = ['template', 'phase', 'published accuracy %', 'ours %', 'Keras %', 'published loss', 'ours', 'Keras'];
  const rows = writeRows(ourFiles.flatMap(readOurs), readKeras(kerasFile));
  process.stdout.write([`| ${head.join(' | ')} |`, `| ${head.map(() => '---').join(' | ')} |`, ...rows, ''].join('\n'));
}
