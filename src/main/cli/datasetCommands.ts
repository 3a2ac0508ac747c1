import { resolve } from 'node:path';
import type { DatasetAnswer, DatasetDetails } from '../../shared/contract/answers.ts';
import { datasetKinds } from '../../shared/contract/dataset.ts';
import { readChoice, readInteger } from './arguments.ts';
import { exitStatus, type CommandDefinition, type Invocation } from './command.ts';
import { formatBytes, formatCount, formatShape, formatTable } from './format.ts';

export const datasetCommands: readonly CommandDefinition[] = [
  {
    words: ['datasets', 'list'],
    usage: '',
    summary: 'Show the datasets of the workspace.',
    positionals: { least: 0, most: 0 },
    examples: ['datasets list', 'datasets list --json'],
    isRepeatable: true,
    act: async ({ client, screen }) => {
      const answer = await client.call('datasets.list', {});
      screen.answer(answer, () => describeDatasets(answer.datasets));
      return exitStatus.done;
    },
  },
  {
    words: ['datasets', 'import'],
    usage: 'PATH...',
    summary: 'Import pictures: IDX files, CIFAR-10 archives, class folders, or a CSV list.',
    details: ['A failed import leaves nothing behind.'],
    positionals: { least: 1, most: 1000 },
    options: {
      name: { value: 'N', help: 'a name for the dataset' },
      size: { value: '224', help: 'resize all pictures to this side length' },
      kind: { value: datasetKinds.join('|'), help: 'what the paths are; otherwise found out' },
    },
    examples: [
      'datasets import pictures/ --name household --size 224',
      'datasets import cifar-10-python.tar.gz --name cifar-10',
      'datasets import train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz --kind idx --json',
    ],
    act: importDataset,
  },
  {
    words: ['datasets', 'show'],
    usage: 'ID',
    summary: 'Show one dataset with its pictures per class.',
    positionals: { least: 1, most: 1 },
    examples: ['datasets show fashion-mnist', 'datasets show mnist-10k --json'],
    isRepeatable: true,
    act: async ({ client, positionals, screen, signal }) => {
      const dataset = await client.call('datasets.show', { datasetId: positionals[0] ?? '' }, { signal, deadlineMs: 120_000 });
      screen.answer(dataset, () => describeDataset(dataset));
      return exitStatus.done;
    },
  },
  {
    words: ['datasets', 'remove'],
    usage: 'ID',
    summary: 'Remove an imported dataset and its pictures from the workspace.',
    details: ['Runs that used it keep their results; those that are not finished can then not be resumed, which the answer says.'],
    positionals: { least: 1, most: 1 },
    examples: ['datasets remove household'],
    act: async ({ client, positionals, screen }) => {
      const answer = await client.call('datasets.remove', { datasetId: positionals[0] ?? '' });
      screen.answer(answer, () => [
        `The dataset ${answer.removed} is removed.`,
        ...(answer.usedBy.length === 0 ? [] : [`It was used by ${answer.usedBy.join(', ')}: these runs cannot be resumed without it.`]),
      ]);
      return exitStatus.done;
    },
  },
];

async function importDataset({ client, positionals, options, screen, signal }: Invocation): Promise<number> {
  const request = {
    paths: positionals.map((path) => resolve(path)),
    name: options.text['name'] ?? null,
    size: readInteger(options, 'size', 1, 1024) ?? null,
    kind: readChoice(options, 'kind', datasetKinds) ?? null,
  };
  const isDone = new AbortController();
  const watching = showProgress({ client, screen }, isDone.signal);
  try {
    const dataset = await client.call('datasets.import', request, { signal });
    screen.answer(dataset, () => [
      ...describeDatasets([dataset]),
      ...dataset.rejected.map(({ file, reason }) => `Left out: ${file}: ${reason}`),
    ]);
    return exitStatus.done;
  } finally {
    isDone.abort();
    await watching;
  }
}

async function showProgress({ client, screen }: Pick<Invocation, 'client' | 'screen'>, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of client.events(Number.MAX_SAFE_INTEGER, signal)) {
      if (event.type === 'dataset.progress') screen.progress(`${formatCount(event.done)} of ${formatCount(event.total)} pictures`);
    }
  } catch {
    // Progress is for people only; the call itself says what went wrong.
  }
}

function describeDatasets(datasets: readonly DatasetAnswer[]): string[] {
  return formatTable(
    [
      { title: 'Id' },
      { title: 'Kind' },
      { title: 'Classes', align: 'right' },
      { title: 'Train', align: 'right' },
      { title: 'Test', align: 'right' },
      { title: 'Shape' },
      { title: 'Size', align: 'right' },
      { title: 'Name' },
    ],
    datasets.map(({ id, kind, classes, trainCount, testCount, shape, bytes, name }) => [
      id,
      kind,
      String(classes.length),
      formatCount(trainCount),
      formatCount(testCount),
      formatShape(shape),
      formatBytes(bytes),
      name,
    ]),
  );
}

function describeDataset(dataset: DatasetDetails): string[] {
  return [
    ...describeDatasets([dataset]),
    '',
    `Origin: ${dataset.origin}`,
    `Licence: ${dataset.licence ?? 'not known'}`,
    `Fingerprint: ${dataset.fingerprint}`,
    ...dataset.sources.map(({ file, sha256 }) => `Source: ${file}, SHA-256 ${sha256}`),
    '',
    ...formatTable(
      [{ title: 'Class' }, { title: 'Train', align: 'right' }, { title: 'Test', align: 'right' }],
      dataset.perClass.map(({ name, train, test }) => [name, formatCount(train), formatCount(test)]),
    ),
  ];
}
