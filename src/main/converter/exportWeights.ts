// The weights that a finished phase kept -> a file or folder for Python. The network is made from the recipe for the dataset of the run, as
// training made it; the weights must be exactly its weights.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { ExportWeightsCommand, WeightsExportedReport } from '../../shared/contract/worker.ts';
import { findInputShape } from '../../shared/domain/recipe.ts';
import { resolveWholeNetwork } from '../../shared/domain/recipeNetwork.ts';
import type { ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import { readKeptFile } from '../data/keptFile.ts';
import { decodeTensors, type NamedTensor } from '../engine/safetensors.ts';
import { writeFlushed } from '../trainer/files.ts';
import { encodeKerasModel } from './exportKeras.ts';
import { encodeSavedModel } from './exportSavedModel.ts';
import { packFiles } from './packFiles.ts';

interface WrittenPart {
  /** Inside the folder of a SavedModel. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Throws conflict when the kept weights are not those of the network, and what readKeptFile throws. */
export async function exportWeights(command: ExportWeightsCommand): Promise<WeightsExportedReport> {
  const network = resolveTrained(command);
  const { tensors } = decodeTensors(readKeptFile(command.weights), command.weights.path);
  checkTensors(network, tensors);
  const description = describe(command, network);
  if (command.format === 'keras-h5') {
    const name = `${command.recipe.id}-${command.phase + 1}`.replaceAll('-', '_');
    return writeOne(command.target, await encodeKerasModel(network, tensors, name, description));
  }
  const parts: WrittenPart[] = [
    { path: 'saved_model.pb', bytes: encodeSavedModel(network, tensors, command.recipe.input) },
    { path: join('assets.extra', 'transfer-lab.json'), bytes: new TextEncoder().encode(`${JSON.stringify(description, null, 2)}\n`) },
  ];
  if (command.isPacked) return writeOne(command.target, await packFiles('saved-model', parts));
  for (const folder of ['variables', 'assets.extra']) mkdirSync(join(command.target, folder), { recursive: true });
  const written = parts.map(({ path, bytes }) => writeFlushed(join(command.target, path), [bytes]).bytes);
  return { type: 'weightsExported', bytes: written.reduce((sum, bytes) => sum + bytes, 0), sha256: null };
}

function writeOne(target: string, bytes: Uint8Array): WeightsExportedReport {
  return { type: 'weightsExported', ...writeFlushed(target, [bytes]) };
}

function resolveTrained({ recipe, dataset }: ExportWeightsCommand): ResolvedNetwork {
  const result = resolveWholeNetwork(recipe, findInputShape(recipe, dataset.shape), dataset.classes.length);
  if (result.ok) return result.network;
  const { layer, message, fix } = result.problem;
  throw new LabError('bad_recipe', `The network cannot work: ${layer}: ${message}`, { help: fix });
}

function checkTensors(network: ResolvedNetwork, tensors: readonly NamedTensor[]): void {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape.join('x')]));
  const odd = network.layers.flatMap(({ weights }) => weights).find(({ path, shape }) => shapes.get(path) !== shape.join('x'));
  if (odd === undefined) return;
  throw new LabError('conflict', `The kept weights do not fit the network at ${odd.path}.`, {
    expected: odd.shape.join('x'),
    received: shapes.get(odd.path) ?? 'no such weight',
    help: 'Train the run again.',
  });
}

/** What a person needs to know to give the model its pictures. */
function describe({ recipe, phase, dataset, runId, weights }: ExportWeightsCommand, network: ResolvedNetwork): object {
  const { scaling, resize, standardization, normalize } = recipe.input;
  const order = network.inputShape[2] === 1 ? 'one channel of grey' : 'red, green, blue';
  return {
    run: runId,
    recipe: recipe.id,
    phase: recipe.phases[phase]?.name ?? '',
    weights: weights.sha256,
    classes: dataset.classes,
    input: { shape: network.inputShape, channels: order, resize, scaling, standardization, normalize },
  };
}
