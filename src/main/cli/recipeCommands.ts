import type { RecipeParameters } from '../../shared/contract/answers.ts';
import { exitStatus, type CommandDefinition, type Invocation } from './command.ts';
import { formatCount, formatShape, formatTable } from './format.ts';
import { readRecipeSource } from './recipeFile.ts';

export const recipeCommands: readonly CommandDefinition[] = [
  {
    words: ['recipes', 'list'],
    usage: '',
    summary: 'Show the recipe templates that come with the program.',
    positionals: { least: 0, most: 0 },
    examples: ['recipes list', 'recipes list --json'],
    isRepeatable: true,
    act: async ({ client, screen }) => {
      const answer = await client.call('recipes.list', {});
      screen.answer(answer, () =>
        formatTable(
          [{ title: 'Id' }, { title: 'Document' }, { title: 'Dataset' }, { title: 'Phases' }, { title: 'Title' }],
          answer.recipes.map(({ id, document, dataset, phases, title }) => [id, document ?? '-', dataset, phases.join(', '), title]),
        ),
      );
      return exitStatus.done;
    },
  },
  {
    words: ['recipes', 'show'],
    usage: 'ID',
    summary: 'Print a template as JSON; save it to a file and change it to make your own.',
    positionals: { least: 1, most: 1 },
    examples: ['recipes show fashion-transfer-5to9', 'recipes show mnist-test-1 --json > my-recipe.json'],
    isRepeatable: true,
    act: async ({ client, positionals, screen }) => {
      const recipe = await client.call('recipes.show', { id: positionals[0] ?? '' });
      screen.answer(recipe, () => JSON.stringify(recipe, null, 2).split('\n'));
      return exitStatus.done;
    },
  },
  {
    words: ['recipes', 'params'],
    usage: 'ID|FILE',
    summary: 'Count the parameters of a recipe, layer by layer; needs no dataset.',
    details: ['A recipe that cannot work answers with its counts so far, the problem and the fix, and exit code 2.'],
    positionals: { least: 1, most: 1 },
    examples: ['recipes params fashion-transfer-5to9', 'recipes params my-recipe.json --json'],
    isRepeatable: true,
    act: countParameters,
  },
  {
    words: ['recipes', 'fit'],
    usage: 'ID|FILE',
    summary: 'Measure mean and standard deviation of the training pictures, for featurewise standardisation.',
    details: [
      'The values are those that `ImageDataGenerator.fit` finds after scaling; give them to `run` with the option that is printed.',
    ],
    positionals: { least: 1, most: 1 },
    options: { dataset: { value: 'ID', help: "measure this dataset instead of the recipe's" } },
    examples: ['recipes fit fashion-transfer-5to9', 'recipes fit my-recipe.json --dataset my-pictures --json'],
    isRepeatable: true,
    act: fit,
  },
];

async function fit({ client, options, positionals, screen, signal }: Invocation): Promise<number> {
  const request = { recipe: readRecipeSource(positionals[0] ?? ''), datasetId: options.text['dataset'] ?? null };
  const answer = await client.call('recipes.fit', request, { signal });
  const { mean, std, images } = answer;
  screen.answer(answer, () => [
    ...formatTable(
      [{ title: 'Channel' }, { title: 'Mean', align: 'right' }, { title: 'Standard deviation', align: 'right' }],
      mean.map((value, channel) => [String(channel), value.toFixed(6), (std[channel] ?? 0).toFixed(6)]),
    ),
    '',
    `Measured on ${formatCount(images)} training pictures. To use it:`,
    `  --set 'input.normalize=${JSON.stringify({ mean, std })}'`,
  ]);
  return exitStatus.done;
}

async function countParameters({ client, positionals, screen }: Invocation): Promise<number> {
  const answer = await client.call('recipes.parameters', { recipe: readRecipeSource(positionals[0] ?? '') });
  screen.answer(answer, () => describeParameters(answer));
  if (answer.problem === undefined) return exitStatus.done;
  const { layer, message, fix } = answer.problem;
  screen.note(`error: The recipe ${answer.id} cannot work. At '${layer}': ${message}\n  ${fix}`);
  return exitStatus.wrongUse;
}

function describeParameters({ phases, layers }: RecipeParameters): string[] {
  const trainable = phases.map(
    ({ name }) => ({ title: phases.length === 1 ? 'Trainable' : `Trainable in ${name}`, align: 'right' }) as const,
  );
  return [
    ...formatTable(
      [
        { title: 'Layer' },
        { title: 'Type' },
        { title: 'Input' },
        { title: 'Output' },
        { title: 'Parameters', align: 'right' },
        ...trainable,
      ],
      layers.map(({ name, type, inputShape, outputShape, params, trainableParams }) => [
        name,
        type,
        formatShape(inputShape),
        formatShape(outputShape),
        formatCount(params),
        ...trainableParams.map(formatCount),
      ]),
    ),
    '',
    ...formatTable(
      [
        { title: 'Phase' },
        { title: 'Total', align: 'right' },
        { title: 'Trainable', align: 'right' },
        { title: 'Not trainable', align: 'right' },
      ],
      phases.map(({ name, total, trainable: trained, nonTrainable }) => [
        name,
        formatCount(total),
        formatCount(trained),
        formatCount(nonTrainable),
      ]),
    ),
  ];
}
