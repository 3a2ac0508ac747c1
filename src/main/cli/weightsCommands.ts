import { resolve } from 'node:path';
import { zooNetworks, type ZooNetwork } from '../../shared/contract/base.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { exportFormats, type WeightsEntry } from '../../shared/contract/methods/weights.ts';
import { readChoice } from './arguments.ts';
import { exitStatus, type CommandDefinition, type Invocation, type Options } from './command.ts';
import { findFinishedPhase, findPhase } from './comparisonCommands.ts';
import { formatBytes, formatCount, formatTable } from './format.ts';

export const weightsCommands: readonly CommandDefinition[] = [
  {
    words: ['weights', 'list'],
    usage: '',
    summary: 'Show the weights from which base networks can start.',
    positionals: { least: 0, most: 0 },
    examples: ['weights list', 'weights list --json'],
    isRepeatable: true,
    act: async ({ client, screen }) => {
      const answer = await client.call('weights.list', {});
      screen.answer(answer, () => describeWeights(answer.weights));
      return exitStatus.done;
    },
  },
  {
    words: ['weights', 'import'],
    usage: 'FILE',
    summary: "Import the weights of a network from a file of Keras: '.h5' or '.weights.h5'.",
    details: [
      'Layers are matched by name and shape; whatever else the file holds, such as a classifier, is left out. No code in it is run.',
      'A file that does not hold the whole network is refused and leaves nothing behind.',
    ],
    positionals: { least: 1, most: 1 },
    options: {
      network: { value: 'ID', help: `the network the file belongs to: ${zooNetworks.join(', ')}` },
      alpha: { value: 'A', help: 'the width multiplier of MobileNet; 1 when left out' },
      name: { value: 'N', help: "becomes the id; the file's name when left out" },
    },
    examples: [
      'weights import vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 --network VGG16 --name vgg16-imagenet',
      'weights import mobilenet_5_0_224_tf_no_top.h5 --network MobileNet --alpha 0.5 --json',
    ],
    act: importWeights,
  },
  {
    words: ['weights', 'export'],
    usage: 'RUN',
    summary: 'Write the weights that a finished phase kept, for Keras or TensorFlow in Python.',
    details: [
      'RUN is the id of a run, its beginning, or `last`. Nothing is overwritten.',
      'keras-h5 is a model that keras.models.load_model opens; saved-model is a folder that tf.saved_model.load opens.',
    ],
    positionals: { least: 1, most: 1 },
    options: {
      phase: { value: 'N', help: 'the name of a phase or its number from 1; the last finished one when left out' },
      format: { value: exportFormats.join('|'), help: 'what is written' },
      out: { value: 'PATH', help: "the file, which ends in '.h5', or the folder of a SavedModel" },
    },
    examples: [
      'weights export last --format keras-h5 --out model.h5',
      'weights export last --phase tuned --format saved-model --out model',
    ],
    act: exportWeights,
  },
  {
    words: ['weights', 'remove'],
    usage: 'ID',
    summary: 'Remove imported weights from the workspace.',
    details: ['Runs that began with them keep what they learned.'],
    positionals: { least: 1, most: 1 },
    examples: ['weights remove vgg16-imagenet'],
    act: async ({ client, positionals, screen }) => {
      const answer = await client.call('weights.remove', { id: readId(positionals[0] ?? '') });
      screen.answer(answer, () => [`The weights ${answer.removed} are removed.`]);
      return exitStatus.done;
    },
  },
];

async function importWeights({ client, positionals, options, screen, signal }: Invocation): Promise<number> {
  const network = readNetwork(options);
  const request = { path: resolve(positionals[0] ?? ''), network, alpha: readAlpha(options), name: options.text['name'] ?? null };
  const answer = await client.call('weights.import', request, { signal });
  const { weights, match } = answer;
  screen.answer({ weights: [weights], match }, () => [
    ...describeWeights([weights]),
    '',
    `${formatCount(match.matchedLayers)} layers, ${formatCount(match.matchedWeights)} weights, ${formatCount(match.parameters)} parameters.`,
    ...(match.matchedBy === 'name' ? [] : ['The file does not name its layers: they were taken in order, each by its kind and shape.']),
    ...(match.unused.length === 0 ? [] : [`Not used: ${match.unused.join(', ')}.`]),
  ]);
  return exitStatus.done;
}

async function exportWeights({ client, positionals, options, screen, signal }: Invocation): Promise<number> {
  const [format, out] = [readChoice(options, 'format', exportFormats), options.text['out']];
  if (format === undefined) throw missing('export', '--format FORMAT', `one of ${exportFormats.join(', ')}`);
  if (out === undefined) throw missing('export', '--out PATH', 'a file or folder that does not exist yet');
  const run = await client.call('runs.show', { run: positionals[0] ?? '' });
  const wanted = options.text['phase'];
  const phase = wanted === undefined ? findFinishedPhase(run) : findPhase(run, wanted);
  const answer = await client.call('weights.export', { run: run.runId, phase, format, out: resolve(out) }, { signal });
  screen.answer(answer, () => [`${answer.path} (${formatBytes(answer.bytes)})`]);
  return exitStatus.done;
}

/** `vgg16` and `efficientnet-lite0` are understood as well as Keras's spelling. */
function readNetwork(options: Options): ZooNetwork {
  const text = options.text['network'];
  if (text === undefined) throw missing('import', '--network ID', `one of ${zooNetworks.join(', ')}`);
  const plain = (name: string): string => name.toLowerCase().replace(/[-_ ]/g, '');
  const found = zooNetworks.find((name) => plain(name) === plain(text));
  if (found !== undefined) return found;
  throw new LabError('bad_usage', 'The lab does not know this network.', {
    expected: `one of ${zooNetworks.join(', ')}`,
    received: text,
    help: 'Name the network that the file belongs to.',
  });
}

function readAlpha(options: Options): number {
  const text = options.text['alpha'];
  if (text === undefined) return 1;
  const alpha = Number(text);
  if (/^\d*\.?\d+$/.test(text) && alpha >= 0.05 && alpha <= 4) return alpha;
  throw new LabError('bad_usage', 'The value of --alpha is not valid.', {
    expected: 'a number from 0.05 to 4',
    received: text,
    help: 'Correct the number and try again.',
  });
}

/** What cannot be an id is answered as one that is not there. */
function readId(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,63}$/.test(text)) return text;
  throw new LabError('not_found', `There are no weights ${JSON.stringify(text)}.`, { help: '`lab weights list` shows all weights.' });
}

function missing(command: string, option: string, expected: string): LabError {
  return new LabError('bad_usage', `The command weights ${command} needs ${option}.`, { expected, help: `Add ${option}.` });
}

function describeWeights(weights: readonly WeightsEntry[]): string[] {
  if (weights.length === 0) return ['There are no weights yet. `lab weights import` imports files of Keras.'];
  return formatTable(
    [{ title: 'Id' }, { title: 'Network' }, { title: 'Alpha', align: 'right' }, { title: 'Size', align: 'right' }, { title: 'What' }],
    weights.map(({ id, network, alpha, bytes, description }) => [id, network, String(alpha), formatBytes(bytes), description]),
  );
}
