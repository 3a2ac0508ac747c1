// What decides the numbers of cached features. Two entries with the same key hold the same bits; a name, a head or a training setting that
// does not reach the frozen layers changes no key.
import { createHash } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import type { InputPipeline } from '../../shared/contract/schema.ts';
import type { ResolvedLayer } from '../../shared/domain/networkTypes.ts';
import type { Executor } from '../engine/executor.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import type { PhasePlan } from './phasePlan.ts';

/** Raised when the engine computes frozen layers in another way than before. */
const featureFormat = 1;
/** These change the order in which sums are taken. */
const decisiveVariables = ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'OMP_NUM_THREADS', 'TF_ENABLE_ONEDNN_OPTS'];

export interface PrefixFacts {
  readonly plan: PhasePlan;
  readonly input: InputPipeline;
  readonly weights: readonly NamedTensor[];
  /** Fingerprint of the pictures at the size and in the colours that reach the network. */
  readonly fingerprint: string;
  readonly executor: Pick<Executor, 'version' | 'device' | 'build'>;
}

/** SHA-256 of everything but the pictures' positions. */
export function hashPrefix({ plan, input, weights, fingerprint, executor }: PrefixFacts): string {
  const layers = plan.network.layers.slice(0, plan.prefix.length);
  const { version, device, build } = executor;
  const processor = [cpus()[0]?.model ?? '', availableParallelism(), ...decisiveVariables.map((name) => process.env[name] ?? null)];
  const facts = { featureFormat, fingerprint, input, precision: plan.precision, layers: describeLayers(layers), version, device, build };
  const hash = createHash('sha256').update(JSON.stringify({ ...facts, processor }));
  const values = new Map(weights.map((weight) => [weight.name, weight.data]));
  for (const { path } of layers.flatMap((layer) => layer.weights)) {
    const data = values.get(path);
    if (data !== undefined) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/** The key of these pictures in this order; the batch decides how the library splits its work. */
export function hashPictures(prefix: string, indices: Uint32Array, batchSize: number): string {
  const positions = new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength);
  return createHash('sha256').update(`${prefix}/${batchSize}/`).update(positions).digest('hex');
}

/** Layers by position instead of name, without what only a start or a training reads. */
function describeLayers(layers: readonly ResolvedLayer[]): unknown[] {
  const positions = new Map(layers.map((layer, index) => [layer.name, index]));
  return layers.map((layer) => {
    const settings = Object.entries(layer.config).filter(
      ([key]) => key !== 'name' && key !== 'inputs' && !/(Initializer|Regularizer)$/.test(key),
    );
    return { ...Object.fromEntries(settings), inputs: layer.inputs.map((name) => positions.get(name) ?? 'input') };
  });
}
