import type { RunRequest } from '../../shared/contract/methods/runs.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { parseInteger, readChoice } from './arguments.ts';
import { exitStatus, type CommandDefinition, type Invocation, type Options } from './command.ts';
import { followRuns } from './follow.ts';
import { planLadder } from './ladderCommands.ts';
import { readRecipeSource } from './recipeFile.ts';

const largestSeed = 0x7fffffff;

export const trainingCommands: readonly CommandDefinition[] = [
  {
    words: ['run'],
    usage: 'ID|FILE',
    summary: 'Train a recipe: a template by its id, or a recipe file.',
    details: [
      'Several seeds are trained one after another and summed up at the end. Ctrl-C stops with the work saved; twice ends at once.',
      'While it trains, other terminals can use `runs list`, `pause`, `stop` and `resume`.',
    ],
    positionals: { least: 1, most: 1 },
    options: {
      dataset: { value: 'ID', help: "train on this dataset instead of the recipe's" },
      weights: { value: 'ID', help: "weights of the base instead of the recipe's, by their id, or random" },
      set: { value: 'PATH=JSON', isMultiple: true, help: 'change one place of the recipe; may be given several times' },
      seeds: { value: '1,2,3', help: "train once per seed instead of with the recipe's seed" },
      protocol: { value: 'document|sound', help: "hold-out as the document did it, or sound; otherwise the recipe's" },
      ladder: { help: 'train every rung of the transfer ladder as one group; see `recipes ladder`' },
      name: { value: 'N', help: 'a name for the history' },
    },
    examples: [
      'run fashion-transfer-5to9',
      'run mnist-test-1 --set phases.0.epochs=2 --seeds 1,2,3',
      'run cifar-vgg16-features --ladder --weights random',
      'run my-recipe.json --dataset my-pictures --protocol sound --json',
    ],
    act: run,
  },
  {
    words: ['resume'],
    usage: 'RUN',
    summary: 'Continue a run that is paused, stopped or interrupted.',
    details: ['RUN is the id of a run, its beginning, or `last`.'],
    positionals: { least: 1, most: 1 },
    examples: ['resume last', 'resume 261121-k7qdm --json'],
    act: async (invocation) => {
      const { run: resumed, since } = await invocation.client.call('runs.resume', { run: invocation.positionals[0] ?? '' });
      return followRuns(invocation, { runIds: [resumed.runId], group: null, since });
    },
  },
  {
    words: ['pause'],
    usage: 'RUN',
    summary: 'Pause a run that is training, from another terminal.',
    details: ['Answers once the work is saved. RUN is the id of a run, its beginning, or `last`.'],
    positionals: { least: 1, most: 1 },
    examples: ['pause last'],
    isRepeatable: true,
    act: (invocation) => settle(invocation, 'runs.pause'),
  },
  {
    words: ['stop'],
    usage: 'RUN',
    summary: 'Stop a run with its work saved; `resume` continues it.',
    details: ['Answers once the work is saved. RUN is the id of a run, its beginning, or `last`.'],
    positionals: { least: 1, most: 1 },
    examples: ['stop last', 'stop 261121-k7qdm --json'],
    isRepeatable: true,
    act: (invocation) => settle(invocation, 'runs.stop'),
  },
];

async function run(invocation: Invocation): Promise<number> {
  const { client, options, positionals } = invocation;
  const request = readRequest(positionals[0] ?? '', options);
  if (options.isSet('ladder')) return climb(invocation, request);
  const { group, runs, since } = await client.call('runs.create', request);
  return followRuns(invocation, { runIds: runs.map((created) => created.runId), group, since });
}

/** The rungs are other recipes, so there is no mean over the group to show. */
async function climb(invocation: Invocation, request: RunRequest): Promise<number> {
  const { client, screen } = invocation;
  const { group, runs, since } = await client.call('runs.createGroup', { requests: await planLadder(client, request) });
  const runIds = runs.map(({ runId }) => runId);
  screen.note(`The ${runs.length} runs are the group ${group ?? ''}. Put them side by side with \`lab compare ${runIds.join(' ')}\`.`);
  return followRuns(invocation, { runIds, group: null, since });
}

async function settle({ client, positionals, screen, signal }: Invocation, method: 'runs.pause' | 'runs.stop'): Promise<number> {
  const answer = await client.call(method, { run: positionals[0] ?? '' }, { signal });
  screen.answer(answer, () => [`Run ${answer.runId} is ${answer.state}.`]);
  return exitStatus.done;
}

function readRequest(recipe: string, options: Options): RunRequest {
  return {
    recipe: readRecipeSource(recipe),
    datasetId: options.text['dataset'] ?? null,
    settings: (options.list['set'] ?? []).map(readSetting),
    seeds: options.text['seeds'] === undefined ? null : readSeeds(options.text['seeds']),
    protocol: readChoice(options, 'protocol', ['document', 'sound'] as const) ?? null,
    weights: options.text['weights'] ?? null,
    name: options.text['name'] ?? null,
  };
}

function readSetting(text: string): { path: string; json: string } {
  const position = text.indexOf('=');
  if (position > 0) return { path: text.slice(0, position), json: text.slice(position + 1) };
  throw new LabError('bad_usage', 'The value of --set is not valid.', {
    expected: 'PATH=JSON, for example phases.0.epochs=2',
    received: text,
    help: 'Write the place of the recipe, an equals sign and its new value.',
  });
}

function readSeeds(text: string): number[] {
  const parts = text.split(',');
  if (parts.length > 100) {
    throw new LabError('bad_usage', 'There are too many seeds.', {
      expected: 'at most 100',
      received: String(parts.length),
      help: 'Train in several parts.',
    });
  }
  return parts.map((part) => parseInteger(part.trim(), '--seeds', 0, largestSeed));
}
