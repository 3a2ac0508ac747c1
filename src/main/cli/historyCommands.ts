import { runStates, type EpochAnswer, type RunDetails, type RunSummary } from '../../shared/contract/answers.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import type { Client } from '../../shared/rpcClient.ts';
import { readChoice, readInteger } from './arguments.ts';
import { exitStatus, type CommandDefinition, type Invocation } from './command.ts';
import { formatDuration, formatLoss, formatMoment, formatPercent, formatTable } from './format.ts';
import { describePhases, describeRuns } from './runTable.ts';
import { describeError } from './screen.ts';

const pageLength = 200;

export const historyCommands: readonly CommandDefinition[] = [
  {
    words: ['runs', 'list'],
    usage: '',
    summary: 'Show all runs, newest first.',
    positionals: { least: 0, most: 0 },
    options: {
      state: { value: 'STATE', help: `only runs in this state: ${runStates.join(', ')}` },
      limit: { value: 'N', help: 'at most this many runs' },
    },
    examples: ['runs list', 'runs list --state finished --limit 10 --json'],
    isRepeatable: true,
    act: list,
  },
  {
    words: ['runs', 'show'],
    usage: 'RUN',
    summary: 'Show one run: recipe, results, versions, machine and log.',
    details: ['RUN is the id of a run, its beginning, or `last`.'],
    positionals: { least: 1, most: 1 },
    options: { metrics: { help: 'also every epoch' } },
    examples: ['runs show last', 'runs show 261121-k7qdm --metrics --json'],
    isRepeatable: true,
    act: show,
  },
  {
    words: ['runs', 'delete'],
    usage: 'RUN...',
    summary: 'Put runs into the trash; `runs restore` brings them back.',
    positionals: { least: 1, most: 1000 },
    examples: ['runs delete 261121-k7qdm', 'runs delete last --json'],
    act: async ({ client, positionals, screen }) => {
      const answer = await client.call('runs.delete', { runs: [...positionals] });
      screen.answer(answer, () =>
        answer.deleted.map((runId) => `Run ${runId} is in the trash. Bring it back with \`lab runs restore ${runId}\`.`),
      );
      return exitStatus.done;
    },
  },
  {
    words: ['runs', 'restore'],
    usage: 'RUN...',
    summary: 'Bring runs back from the trash.',
    positionals: { least: 1, most: 1000 },
    examples: ['runs restore 261121-k7qdm'],
    act: async ({ client, positionals, screen }) => {
      const answer = await client.call('runs.restore', { runs: [...positionals] });
      screen.answer(answer, () => answer.restored.map((runId) => `Run ${runId} is back.`));
      return exitStatus.done;
    },
  },
];

async function list({ client, options, screen }: Invocation): Promise<number> {
  const state = readChoice(options, 'state', runStates) ?? null;
  const limit = readInteger(options, 'limit', 1, 1_000_000) ?? Number.POSITIVE_INFINITY;
  const runs: RunSummary[] = [];
  let after: RunId | null = null;
  while (runs.length < limit) {
    const wanted: number = Math.min(pageLength, limit - runs.length);
    const page: RunSummary[] = (await client.call('runs.list', { state, limit: wanted, after })).runs;
    runs.push(...page);
    after = page.at(-1)?.runId ?? null;
    if (page.length < wanted) break;
  }
  screen.answer({ runs }, () => describeRuns(runs));
  return exitStatus.done;
}

async function show({ client, positionals, options, screen }: Invocation): Promise<number> {
  const run = await client.call('runs.show', { run: positionals[0] ?? '' });
  const epochs = options.isSet('metrics') ? await readEpochs(client, run.runId) : undefined;
  const answer = epochs === undefined ? run : { ...run, epochs };
  screen.answer(answer, () => [...describeRun(run), ...(epochs === undefined ? [] : ['', ...describeEpochs(epochs)])]);
  return exitStatus.done;
}

async function readEpochs(client: Client, runId: RunId): Promise<EpochAnswer[]> {
  const epochs: EpochAnswer[] = [];
  for (;;) {
    const page = await client.call('runs.epochs', { run: runId, offset: epochs.length, limit: 1000 });
    epochs.push(...page.epochs);
    if (page.epochs.length < 1000) return epochs;
  }
}

function describeRun(run: RunDetails): string[] {
  const { versions, machine, dataset } = run;
  const facts: [string, string][] = [
    ['Run', `${run.runId} (${run.state}${run.trashedAt === null ? '' : ', in the trash'})`],
    ['Name', run.name],
    ['Recipe', `${run.recipeId}, protocol ${run.protocol}, seed ${run.seed}${run.group === null ? '' : `, group ${run.group}`}`],
    [
      'Dataset',
      `${dataset.id}${dataset.isPresent ? '' : ' (not in the workspace any more)'}, fingerprint ${dataset.fingerprint ?? 'not known yet'}`,
    ],
    ['Created', formatMoment(run.createdAt)],
    ['Training time', formatDuration(run.seconds)],
    [
      'Versions',
      versions === null ? '-' : `app ${versions.app}, Node ${versions.node}, TensorFlow ${versions.tensorflow}, SQLite ${versions.sqlite}`,
    ],
    ['Machine', machine === null ? '-' : `${machine.cpu.model}, ${machine.cpu.cores} cores, ${run.device ?? 'CPU'}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    ...describePhases(run.phases),
    ...(run.error === null ? [] : ['', ...describeError(run.error)]),
    ...(run.log.length === 0 ? [] : ['', 'Log:', ...run.log.map(({ at, level, text }) => `  ${formatMoment(at)} ${level} ${text}`)]),
  ];
}

function describeEpochs(epochs: readonly EpochAnswer[]): string[] {
  return formatTable(
    [
      { title: 'Phase' },
      { title: 'Epoch', align: 'right' },
      { title: 'Time', align: 'right' },
      { title: 'Loss', align: 'right' },
      { title: 'Accuracy', align: 'right' },
      { title: 'Validation loss', align: 'right' },
      { title: 'Validation accuracy', align: 'right' },
      { title: 'Learning rate', align: 'right' },
    ],
    epochs.map(({ phase, epoch, seconds, train, validation, learningRate }) => [
      phase,
      String(epoch),
      formatDuration(seconds),
      formatLoss(train.loss),
      formatPercent(train.accuracy),
      formatLoss(validation?.loss),
      formatPercent(validation?.accuracy),
      String(Number(learningRate.toPrecision(6))),
    ]),
  );
}
