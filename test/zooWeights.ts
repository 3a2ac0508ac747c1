// Weights and pictures that follow from their names, equal to those of scripts/fixtures/zoo_networks.py.
import type { HostTensor } from '../src/main/engine/executor.ts';
import type { ResolvedLayer, ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';

const fullTurn = 0x100000000;

/** FNV-1a of the name, then the finisher of MurmurHash3 over the positions: numbers in [0, 1). */
function makeFraction(name: string): (position: number) => number {
  let start = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 0x01000193);
  return (position) => {
    let value = (Math.imul(position, 0x9e3779b1) + start) >>> 0;
    value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
    return ((value ^ (value >>> 16)) >>> 0) / fullTurn;
  };
}

/** Every weight of the network by its path. */
export function makeZooWeights(
  network: ResolvedNetwork,
): { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[] {
  return network.layers.flatMap((layer) =>
    layer.weights.map(({ name, path, shape }) => {
      const fraction = makeFraction(path);
      const [shift, scale] = rangeOf(layer, name, shape);
      const data = new Float32Array(countOf(shape));
      for (let position = 0; position < data.length; position += 1) data[position] = scale * (fraction(position) + shift);
      return { name: path, shape, data };
    }),
  );
}

/** What is added to a fraction, then multiplied: kernels of He's variance, half of it where no ReLU follows; the rest near its usual start. */
function rangeOf(layer: ResolvedLayer, name: string, shape: readonly number[]): readonly [shift: number, scale: number] {
  if (name === 'gamma' || name === 'moving_variance') return [0.5, 1];
  if (name === 'bias' || name === 'beta' || name === 'moving_mean') return [-0.5, 0.4];
  const inputs = layer.config.type === 'DepthwiseConv2D' ? shape.slice(0, 2) : shape.slice(0, -1);
  return [-0.5, 2 * Math.sqrt((layer.name.includes('project') ? 3 : 6) / countOf(inputs))];
}

export function makeZooPictures(name: string, shape: readonly number[]): HostTensor & { readonly data: Uint8Array } {
  const fraction = makeFraction(name);
  return { shape, data: Uint8Array.from({ length: countOf(shape) }, (_, position) => Math.floor(fraction(position) * 256)) };
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
