import type { ZooNetwork } from '../../../shared/contract/base.ts';
import type { WeightsEntry } from '../../../shared/contract/methods/weights.ts';

export interface KnownFile {
  readonly network: ZooNetwork;
  readonly alpha: number;
  /** As Keras publishes it; null for the weights that come with the lab. */
  readonly file: string | null;
  /** The id that templates ask for. */
  readonly id: string;
}

/** The published files that templates begin with, and the weights that are here already. */
export const knownFiles: readonly KnownFile[] = [
  { network: 'VGG16', alpha: 1, file: 'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5', id: 'vgg16-imagenet' },
  { network: 'VGG19', alpha: 1, file: 'vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5', id: 'vgg19-imagenet' },
  { network: 'MobileNet', alpha: 1, file: 'mobilenet_1_0_224_tf_no_top.h5', id: 'mobilenet-imagenet' },
  { network: 'EfficientNetLite0', alpha: 1, file: null, id: 'efficientnet-lite0-imagenet' },
];

export const networkWords: Readonly<Record<ZooNetwork, string>> = {
  VGG16: 'VGG16',
  VGG19: 'VGG19',
  MobileNet: 'MobileNet v1',
  EfficientNetLite0: 'EfficientNet-Lite0',
};

export const networkItems = (Object.keys(networkWords) as ZooNetwork[]).map((value) => ({ value, label: networkWords[value] }));

/** Only MobileNet has a width multiplier. */
export function hasAlpha(network: ZooNetwork): boolean {
  return network === 'MobileNet';
}

export interface FileGuess {
  readonly network: ZooNetwork | null;
  readonly alpha: number;
  readonly id: string;
}

/** What the name of a file tells; Keras writes a width of 0.75 as `7_5`. Without a known name the network is null. */
export function guessFromName(path: string): FileGuess {
  const name = (path.split('/').at(-1) ?? '').toLowerCase();
  if (/vgg_?-?16/.test(name)) return { network: 'VGG16', alpha: 1, id: nameFor('VGG16', 1, name) };
  if (/vgg_?-?19/.test(name)) return { network: 'VGG19', alpha: 1, id: nameFor('VGG19', 1, name) };
  if (/efficientnet.?lite.?0/.test(name)) return { network: 'EfficientNetLite0', alpha: 1, id: nameFor('EfficientNetLite0', 1, name) };
  if (!name.includes('mobilenet')) return { network: null, alpha: 1, id: toId(name) };
  const [, whole, part] = /mobilenet_(\d)_(\d)_/.exec(name) ?? [];
  const digits = Number(`${whole ?? '1'}.${part ?? '0'}`);
  const alpha = digits > 1 ? digits / 10 : digits;
  return { network: 'MobileNet', alpha, id: nameFor('MobileNet', alpha, name) };
}

/** Published files get the id that templates ask for, others one made of their name. */
function nameFor(network: ZooNetwork, alpha: number, file: string): string {
  const isPublished = /_tf_dim_ordering_tf_kernels|mobilenet_\d_\d_\d+_tf/.test(file);
  if (!isPublished) return toId(file);
  const known = knownFiles.find((one) => one.network === network)?.id ?? '';
  return alpha === 1 ? known : known.replace('-', `-${toId(String(alpha))}-`);
}

/** Lower-case letters, digits and "-" only, as ids of weights are. */
export function toId(text: string): string {
  const base = text.toLowerCase().replace(/(\.(weights|h5|hdf5|keras|safetensors))+$/, '');
  return base
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
}

/** The weights of the lab that a template finds under this id. */
export function findKnown(known: KnownFile, weights: readonly WeightsEntry[]): WeightsEntry | undefined {
  if (known.file === null) return weights.find(({ network, verified }) => network === known.network && verified === 'bundled');
  return weights.find(({ id }) => id === known.id);
}
