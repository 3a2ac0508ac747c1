import type { RunSummary } from '../../shared/contract/answers.ts';
import type { Client } from '../../shared/rpcClient.ts';
import { exitStatus, type CommandDefinition, type Invocation } from './command.ts';
import { followRuns } from './follow.ts';
import { formatDuration, formatMoment } from './format.ts';
import { describePhases } from './runTable.ts';

const recipeId = 'fashion-transfer-5to9';

export const startCommands: readonly CommandDefinition[] = [
  {
    words: ['start'],
    usage: '',
    summary: 'The main experiment: train on half of Fashion-MNIST, transfer to the other half.',
    details: ['Trains once per workspace; later starts show the result. A start that was interrupted is continued.'],
    positionals: { least: 0, most: 0 },
    examples: ['start'],
    act: start,
  },
];

async function start(invocation: Invocation): Promise<number> {
  const { client, screen } = invocation;
  const { runs } = await client.call('runs.list', { recipeId, limit: 50 });
  const finished = runs.find((run) => run.state === 'finished');
  if (finished !== undefined) {
    showResult(invocation, finished);
    return exitStatus.done;
  }
  const code = await train(invocation, runs);
  if (code === exitStatus.done) screen.note(nextSteps().join('\n'));
  return code;
}

async function train(invocation: Invocation, runs: readonly RunSummary[]): Promise<number> {
  const { client, screen } = invocation;
  const open = runs.find((run) => run.state === 'stopped' || run.state === 'interrupted' || run.state === 'paused');
  const active = runs.find((run) => run.state === 'running' || run.state === 'queued');
  if (active !== undefined) {
    screen.note(`Run ${active.runId} is being trained already; following it.`);
    return followRuns(invocation, { runIds: [active.runId], group: null, since: await findStart(client, active) });
  }
  if (open !== undefined) {
    screen.note(`Continuing run ${open.runId}, which was ${open.state}.`);
    const { run, since } = await client.call('runs.resume', { run: open.runId });
    return followRuns(invocation, { runIds: [run.runId], group: null, since });
  }
  const created = await client.call('runs.create', { recipe: { from: 'template', id: recipeId } });
  return followRuns(invocation, { runIds: created.runs.map((run) => run.runId), group: null, since: created.since });
}

/** A run that trains elsewhere is followed from its beginning, so that its earlier epochs are shown as well. */
async function findStart(client: Client, run: RunSummary): Promise<number> {
  const stop = new AbortController();
  for await (const event of client.events(0, stop.signal)) {
    if ('runId' in event && event.runId === run.runId) {
      stop.abort();
      return event.seq - 1;
    }
  }
  return 0;
}

function showResult({ screen }: Invocation, run: RunSummary): void {
  screen.answer(run, () => [
    `${run.name}: run ${run.runId} of ${formatMoment(run.createdAt)}, finished in ${formatDuration(run.seconds)}.`,
    '',
    ...describePhases(run.phases),
    '',
    ...nextSteps(),
  ]);
}

function nextSteps(): string[] {
  return [
    'What next:',
    '  npm run -s lab -- runs show last --metrics         every epoch of the newest run',
    `  npm run -s lab -- run ${recipeId} --seeds 1,2,3   again with three seeds, with mean and spread`,
    '  npm run -s lab -- recipes list                     more experiments',
    '  npm run -s lab -- --help                           all commands',
  ];
}
