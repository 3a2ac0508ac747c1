// What a Keras file holds, whichever of its layouts it has: groups named by `layer_names` (files of keras.applications, save_weights and
// save of Keras 1 and 2, `.h5` models of Keras 3), and the `layers/<class>/vars/<n>` of Keras 3's `.weights.h5`. Reads names and shapes;
// values are read later and only where a network needs them.
import { LabError } from '../../shared/contract/errors.ts';
import type { Hdf5File } from './hdf5.ts';

export interface SavedWeight {
  /** Keras's name of the weight, without scope and `:0`; empty in files that do not say. */
  readonly name: string;
  /** Of the dataset in the file. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly isFloat32: boolean;
}

export interface SavedLayer {
  /** Undefined in files that name classes only. */
  readonly name: string | undefined;
  /** The class in snake_case as Keras 3 writes it, such as `batch_normalization`; undefined in older files. */
  readonly kind: string | undefined;
  /** The model that lists the layer: layers are in order within one model, and in `.weights.h5` within one kind of it. */
  readonly model: string;
  readonly weights: readonly SavedWeight[];
}

export interface SavedModel {
  readonly layers: readonly SavedLayer[];
  /** The JSON that describes the layers, in whole-model files. */
  readonly config: string | undefined;
}

const mostLayers = 5000;
const mostWeights = 1000;
const deepest = 8;

/** Only layers with weights, in the order of the file; throws bad_input for HDF5 files that Keras did not write. */
export function readSavedModel(file: Hdf5File, name: string): SavedModel {
  const config = file.text('/', 'model_config');
  const root = file.keys('/model_weights') === undefined ? '/' : '/model_weights';
  const names = readList(file, root, 'layer_names');
  if (names !== undefined) return { layers: readNamedLayers(file, root, names, name), config };
  if (file.keys('/layers') !== undefined) return { layers: readClassLayers(file, '', name, 0), config };
  const found = file.keys('/') ?? [];
  throw new LabError('bad_input', `The file ${name} is HDF5, but no weights file of Keras.`, {
    expected: "the attribute 'layer_names', or a group 'layers'",
    received: found.length === 0 ? 'an empty file' : `groups ${found.slice(0, 8).join(', ')}`,
    help: 'Write the weights with model.save_weights or the model with model.save.',
  });
}

/** Long lists are split over attributes `name0`, `name1`, ... because HDF5 limits the size of one. */
function readList(file: Hdf5File, group: string, name: string): string[] | undefined {
  const whole = file.strings(group, name);
  if (whole !== undefined) return [...whole];
  const parts: string[] = [];
  for (let index = 0; index < mostLayers; index += 1) {
    const part = file.strings(group, `${name}${index}`);
    if (part === undefined) return index === 0 ? undefined : parts;
    parts.push(...part);
  }
  return parts;
}

function readNamedLayers(file: Hdf5File, root: string, names: readonly string[], fileName: string): SavedLayer[] {
  requireCount(names.length, mostLayers, fileName);
  const prefix = root === '/' ? '' : root;
  return names.flatMap((name) => {
    const group = `${prefix}/${name}`;
    if (file.keys(group) === undefined) {
      throw new LabError('bad_input', `The file ${fileName} names a layer that it does not hold.`, {
        expected: `a group ${name}`,
        received: 'none',
        help: 'Use an undamaged copy of the file.',
      });
    }
    const paths = readList(file, group, 'weight_names') ?? [];
    requireCount(paths.length, mostWeights, fileName);
    return splitNested(
      name,
      root,
      paths.map((path) => readWeight(file, `${group}/${path}`, path, fileName)),
    );
  });
}

/** A model used as a layer keeps all its weights in one group: there the scope of each weight's name is its layer. */
function splitNested(group: string, model: string, weights: readonly SavedWeight[]): SavedLayer[] {
  if (weights.length === 0) return [];
  const scopes = Map.groupBy(weights, ({ path }) => path.split('/').at(-2) ?? group);
  if (scopes.size === 1) return [{ name: group, kind: undefined, model, weights }];
  return [...scopes].map(([name, members]) => ({ name, kind: undefined, model: `${model}/${group}`, weights: members }));
}

function readClassLayers(file: Hdf5File, model: string, fileName: string, depth: number): SavedLayer[] {
  if (depth > deepest) throw tooLarge(fileName, `models within models ${deepest} deep`);
  const folder = `${model}/layers`;
  const groups = [...(file.keys(folder) ?? [])].sort(compareNumbered);
  requireCount(groups.length, mostLayers, fileName);
  return groups.flatMap((group) => {
    const path = `${folder}/${group}`;
    const inner = file.keys(`${path}/layers`) === undefined ? [] : readClassLayers(file, path, fileName, depth + 1);
    const own = [...(file.keys(`${path}/vars`) ?? [])].sort(compareNumbered);
    requireCount(own.length, mostWeights, fileName);
    if (own.length === 0) return inner;
    const weights = own.map((index) => readWeight(file, `${path}/vars/${index}`, '', fileName));
    const layer = { name: file.text(`${path}/vars`, 'name'), kind: group.replace(/_\d+$/, ''), model: folder, weights };
    return [layer, ...inner];
  });
}

function readWeight(file: Hdf5File, path: string, scopedName: string, fileName: string): SavedWeight {
  const found = file.describe(path);
  if (found !== undefined) return { name: readWeightName(scopedName), path, ...found };
  throw new LabError('bad_input', `The file ${fileName} names a weight that it does not hold.`, {
    expected: `a dataset ${path}`,
    received: 'none',
    help: 'Use an undamaged copy of the file.',
  });
}

function readWeightName(scopedName: string): string {
  return (scopedName.split('/').at(-1) ?? '').replace(/:\d+$/, '');
}

/** `conv2d` before `conv2d_1` before `conv2d_10`. */
function compareNumbered(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => /^(.*?)(?:_?(\d+))?$/.exec(text));
  const byKind = (left?.[1] ?? '').localeCompare(right?.[1] ?? '');
  return byKind === 0 ? Number(left?.[2] ?? -1) - Number(right?.[2] ?? -1) : byKind;
}

function requireCount(count: number, most: number, fileName: string): void {
  if (count > most) throw tooLarge(fileName, `${count} entries in one list`);
}

function tooLarge(fileName: string, received: string): LabError {
  return new LabError('bad_input', `The file ${fileName} is larger than a network of Keras can be.`, {
    expected: `at most ${mostLayers} layers, ${mostWeights} weights in each`,
    received,
    help: 'Use a weights file of one of the networks of the lab.',
  });
}
