// A file as Keras writes it, small enough to make in a test: MobileNet at a twentieth of its width with a classifier of its own.
import { baseSchema } from '../src/shared/contract/base.ts';
import { layerSchema, type Layer } from '../src/shared/contract/layers.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import { expandLayers } from '../src/shared/domain/zoo/expand.ts';
import { encodeKerasModel } from '../src/main/converter/exportKeras.ts';
import { makeZooWeights } from './zooWeights.ts';

export const smallAlpha = 0.05;
export const smallHead = 'my_predictions';

/** The bytes of a whole-model `.h5`; the layer `my_predictions` is not one of MobileNet's. */
export async function makeMobileNetFile(): Promise<Uint8Array<ArrayBuffer>> {
  const head: Layer[] = [
    layerSchema.parse({ type: 'GlobalAveragePooling2D', name: 'my_pooling' }),
    layerSchema.parse({ type: 'Dense', name: smallHead, units: 3, activation: 'softmax' }),
  ];
  const base = baseSchema.parse({ network: 'MobileNet', alpha: smallAlpha });
  const resolved = resolveNetwork(expandLayers({ base, layers: head }), [32, 32, 3], 3);
  if (!resolved.ok) throw new Error(resolved.problem.message);
  return new Uint8Array(await encodeKerasModel(resolved.network, makeZooWeights(resolved.network), 'small', {}));
}
