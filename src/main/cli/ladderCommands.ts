import type { RunRequest } from '../../shared/contract/methods/runs.ts';
import type { RecipeSource } from '../../shared/contract/methods/recipes.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { makeLadder, type Rung } from '../../shared/domain/ladder.ts';
import { applySetting, parseRecipe, requireRecipe } from '../../shared/domain/recipe.ts';
import type { Client } from '../../shared/rpcClient.ts';
import { exitStatus, type CommandDefinition, type Invocation } from './command.ts';
import { formatCount, formatTable } from './format.ts';
import { readRecipeSource } from './recipeFile.ts';

export const ladderCommands: readonly CommandDefinition[] = [
  {
    words: ['recipes', 'ladder'],
    usage: 'ID|FILE',
    summary: 'Show how far a recipe can transfer: features, augmented, last block, everything, with the parameters of each.',
    details: ['Needs no dataset. `run ID --ladder` trains all rungs as one group; --json answers their recipes too.'],
    positionals: { least: 1, most: 1 },
    examples: ['recipes ladder cifar-vgg16-features', 'recipes ladder my-recipe.json --json'],
    isRepeatable: true,
    act: showLadder,
  },
];

async function showLadder({ client, positionals, screen }: Invocation): Promise<number> {
  const recipe = await readRecipe(client, readRecipeSource(positionals[0] ?? ''));
  const rungs = makeLadder(recipe).map((rung) => ({ ...rung, phases: countPhases(rung) }));
  screen.answer({ recipe: recipe.id, rungs }, () => describeRungs(rungs));
  return exitStatus.done;
}

/** One request per rung; the settings belong to the recipe that the ladder is made of. */
export async function planLadder(client: Client, request: RunRequest): Promise<RunRequest[]> {
  const read = await readRecipe(client, request.recipe);
  const recipe = request.settings.reduce((changed, { path, json }) => applySetting(changed, path, json), read);
  return makeLadder(recipe).map((rung) => ({
    ...request,
    recipe: { from: 'content', content: rung.recipe },
    settings: [],
    name: request.name === null ? null : `${request.name.slice(0, 118 - rung.title.length)}: ${rung.title}`,
  }));
}

async function readRecipe(client: Client, source: RecipeSource): Promise<Recipe> {
  return source.from === 'template' ? await client.call('recipes.show', { id: source.id }) : parseRecipe(source.content, 'The recipe file');
}

interface CountedPhase {
  readonly name: string;
  readonly total: number;
  readonly trainable: number;
  readonly nonTrainable: number;
}

function countPhases({ recipe }: Rung): CountedPhase[] {
  return requireRecipe(recipe).phases.map(({ name, counts: { total, trainable, nonTrainable } }) => ({
    name,
    total,
    trainable,
    nonTrainable,
  }));
}

function describeRungs(rungs: readonly (Rung & { readonly phases: readonly CountedPhase[] })[]): string[] {
  const rows = rungs.flatMap(({ title, phases }) =>
    phases.map(({ name, total, trainable, nonTrainable }, index) => [
      index === 0 ? title : '',
      name,
      formatCount(total),
      formatCount(trainable),
      formatCount(nonTrainable),
    ]),
  );
  return [
    ...formatTable(
      [
        { title: 'Rung' },
        { title: 'Phase' },
        { title: 'Total', align: 'right' },
        { title: 'Trainable', align: 'right' },
        { title: 'Not trainable', align: 'right' },
      ],
      rows,
    ),
    '',
    ...rungs.map(({ title, description }) => `${title}: ${description}`),
  ];
}
