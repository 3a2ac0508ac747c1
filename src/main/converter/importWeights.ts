// A weights file of Keras -> weights.safetensors of the lab: read whole, recognised by its checksum, matched with the network's layers,
// copied weight by weight. Nothing in the file is executed, and values are read only where their shape is the expected one.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { ImportWeightsCommand, WeightsImportedReport } from '../../shared/contract/worker.ts';
import { resolveNetwork } from '../../shared/domain/network.ts';
import type { ResolvedLayer } from '../../shared/domain/networkTypes.ts';
import { makeBaseLayers } from '../../shared/domain/zoo/expand.ts';
import { encodeTensors, type NamedTensor } from '../engine/safetensors.ts';
import { writeFlushed } from '../trainer/files.ts';
import { openHdf5, type Hdf5File } from './hdf5.ts';
import { readSavedModel } from './kerasFile.ts';
import { matchLayers, type LayerMatch, type WantedBase } from './matchLayers.ts';
import { readModelConfig, type ConfiguredLayer } from './modelConfig.ts';
import { isOfficialFile } from './officialFiles.ts';

/** The largest official file, VGG19 with top, has 575 MB. */
const fileLimit = 1024 * 1024 * 1024;

/** Leaves weights.safetensors in the target folder; throws bad_input for every file that does not hold this network. */
export async function importWeights({ path, network, alpha, targetFolder }: ImportWeightsCommand): Promise<WeightsImportedReport> {
  const name = basename(path);
  const bytes = readWhole(path, name);
  const digest = (algorithm: 'sha256' | 'md5'): string => createHash(algorithm).update(bytes).digest('hex');
  const [fileFingerprint, isOfficial] = [digest('sha256'), isOfficialFile(network, digest('md5'))];
  const wanted = resolveBase(network, alpha);
  const file = await openHdf5(bytes, name);
  try {
    const saved = readSavedModel(file, name);
    const configured = saved.config === undefined ? undefined : readModelConfig(saved.config, name);
    const match = matchLayers(saved.layers, wanted, name);
    if (configured !== undefined) checkConfig(configured, wanted, name);
    const tensors = readTensors(file, match, name);
    // Only what the values belong to, so that equal weights have equal fingerprints, whichever file they came from.
    const metadata = { network, alpha: String(alpha) };
    const written = writeFlushed(join(targetFolder, 'weights.safetensors'), encodeTensors(tensors, metadata));
    const { sha256: fingerprint, bytes: size } = written;
    return { type: 'weightsImported', fileFingerprint, fingerprint, bytes: size, isOfficial, match: match.report };
  } finally {
    file.close();
  }
}

function readWhole(path: string, name: string): Uint8Array {
  try {
    const found = statSync(path);
    if (found.isFile() && found.size <= fileLimit) return readFileSync(path);
    throw new LabError('bad_input', `${name} is not a weights file.`, {
      expected: `a file of at most ${fileLimit} bytes`,
      received: found.isFile() ? `${found.size} bytes` : 'something that is not a file',
      help: "Choose a file of Keras with the ending '.h5'.",
    });
  } catch (cause) {
    if (cause instanceof LabError) throw cause;
    throw new LabError('bad_input', `The file ${name} cannot be read.`, {
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Check its path and whether you may read it.',
      cause,
    });
  }
}

/** The shapes of weights do not depend on the size of the pictures. */
function resolveBase(network: WantedBase['network'], alpha: number): WantedBase {
  const layers = makeBaseLayers({ network, alpha, cutAt: null, weights: 'random', weightsFingerprint: null });
  const result = resolveNetwork(layers, [224, 224, 3], null);
  if (result.ok) return { network, alpha, resolved: result.network };
  throw new LabError('bad_usage', `${network} cannot have the width ${alpha}: ${result.problem.message}`, { help: result.problem.fix });
}

function readTensors(file: Hdf5File, match: LayerMatch, name: string): NamedTensor[] {
  return match.weights.map(({ spec, saved }) => {
    const data = file.read(saved.path);
    const position = data.findIndex((value) => !Number.isFinite(value));
    if (position < 0) return { name: spec.path, shape: spec.shape, data };
    throw new LabError('bad_input', `The weight ${spec.path} in ${name} is damaged.`, {
      expected: 'finite numbers only',
      received: `${String(data[position])} at position ${position}`,
      help: 'Use an undamaged copy of the file.',
    });
  });
}

/** A whole model says how its layers compute; where that is not what the network's layers do, its weights mean something else. */
function checkConfig(configured: ReadonlyMap<string, ConfiguredLayer>, { network, resolved }: WantedBase, name: string): void {
  for (const layer of resolved.layers) {
    const found = configured.get(layer.name);
    const difference = found === undefined || layer.weights.length === 0 ? undefined : findDifference(layer, found);
    if (difference === undefined) continue;
    throw new LabError('bad_input', `The layer '${layer.name}' in ${name} is not that of ${network}.`, {
      ...difference,
      help: `Use a file with the weights of ${network} as keras.applications makes it.`,
    });
  }
}

function findDifference({ config: layer }: ResolvedLayer, { kind, config }: ConfiguredLayer) {
  if (kind !== layer.type) return { expected: layer.type, received: kind };
  const epsilon = config['epsilon'];
  if (layer.type === 'BatchNormalization' && typeof epsilon === 'number' && epsilon !== layer.epsilon)
    return { expected: `epsilon ${layer.epsilon}`, received: `epsilon ${epsilon}` };
  const activation = config['activation'];
  if (layer.type === 'Conv2D' && typeof activation === 'string' && activation !== layer.activation)
    return { expected: `activation ${layer.activation}`, received: `activation ${activation}` };
  return undefined;
}
