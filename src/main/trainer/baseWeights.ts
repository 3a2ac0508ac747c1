// The weights that the base of a network starts from: one safetensors file, checked whole before anything is written into a session.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LabError } from '../../shared/contract/errors.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import type { BaseWeights } from '../../shared/contract/worker.ts';
import type { ResolvedNetwork, WeightSpec } from '../../shared/domain/networkTypes.ts';
import { makeBaseLayers } from '../../shared/domain/zoo/expand.ts';
import { decodeTensors, type NamedTensor } from '../engine/safetensors.ts';

/** Every weight of the base, none of the head; null when the base is drawn. Throws `weights_missing` or `bad_input`. */
export function readBaseWeights(file: BaseWeights | null, recipe: Recipe, network: ResolvedNetwork): readonly NamedTensor[] | null {
  const { base } = recipe.network;
  if (file === null || base === null) return null;
  const { tensors } = decodeTensors(readVerified(file), file.path);
  const held = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const names = new Set(makeBaseLayers(base).map((layer) => layer.name));
  const specs = network.layers.filter((layer) => names.has(layer.name)).flatMap((layer) => layer.weights);
  return specs.map((spec) => requireFitting(spec, held.get(spec.path), file.path));
}

function readVerified({ path, sha256 }: BaseWeights): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new LabError('weights_missing', `The weights of the base cannot be read from ${path}.`, {
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Import the weights again with `lab weights import`.',
      cause,
    });
  }
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === sha256) return bytes;
  throw new LabError('weights_missing', `The file ${path} does not hold the weights that this run began with.`, {
    expected: `SHA-256 ${sha256}`,
    received: `SHA-256 ${found}`,
    help: 'The file was changed or damaged: import the weights again with `lab weights import`.',
  });
}

function requireFitting(spec: WeightSpec, tensor: NamedTensor | undefined, path: string): NamedTensor {
  if (tensor !== undefined && String(tensor.shape) === String(spec.shape) && tensor.data instanceof Float32Array) return tensor;
  throw new LabError('bad_input', `The file ${path} does not fit the base of the network at ${spec.path}.`, {
    expected: `float32 of shape [${spec.shape.join(', ')}]`,
    received: tensor === undefined ? 'nothing of this name' : `${describeKind(tensor)} of shape [${tensor.shape.join(', ')}]`,
    help: 'Choose weights of the same network and width multiplier; `lab weights list` shows them.',
  });
}

function describeKind({ data }: NamedTensor): string {
  return data instanceof Float32Array ? 'float32' : 'int32';
}
