// Which weight of a file belongs to which weight of a network: by layer name, or by order within a kind of layer where the file has no
// names, and always by shape. Pure. Nothing is guessed: a layer that is missing, has other shapes or stands elsewhere is an error.
import { zooNetworks, type ZooNetwork } from '../../shared/contract/base.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { WeightsImportedReport } from '../../shared/contract/worker.ts';
import type { LayerType } from '../../shared/contract/layers.ts';
import type { ResolvedLayer, ResolvedNetwork, WeightSpec } from '../../shared/domain/networkTypes.ts';
import { makeBaseLayers } from '../../shared/domain/zoo/expand.ts';
import type { SavedLayer, SavedWeight } from './kerasFile.ts';

export interface MatchedWeight {
  readonly spec: WeightSpec;
  readonly saved: SavedWeight;
}

export interface LayerMatch {
  /** Every weight of the network, in its order. */
  readonly weights: readonly MatchedWeight[];
  readonly report: WeightsImportedReport['match'];
}

export interface WantedBase {
  readonly network: ZooNetwork;
  readonly alpha: number;
  readonly resolved: ResolvedNetwork;
}

/** Throws bad_input for a layer that is missing or has other shapes, naming what the file seems to be instead. */
export function matchLayers(saved: readonly SavedLayer[], wanted: WantedBase, fileName: string): LayerMatch {
  const layers = wanted.resolved.layers.filter((layer) => layer.weights.length > 0);
  const byName = new Map(saved.flatMap((layer) => (layer.name === undefined ? [] : [[layer.name, layer] as const])));
  const matchedBy = layers.some((layer) => byName.has(layer.name)) ? 'name' : 'order';
  const found = matchedBy === 'name' ? new Map(layers.map((layer) => [layer, byName.get(layer.name)])) : matchByOrder(layers, saved);
  const missing = layers.filter((layer) => found.get(layer) === undefined);
  if (missing.length > 0) throw missingLayers(missing, layers, saved, wanted, fileName);
  const weights = layers.flatMap((layer) => matchWeights(layer, found.get(layer)?.weights ?? [], wanted, fileName));
  const used = new Set([...found.values()]);
  refuseLayersBetween(saved, used, wanted, fileName);
  const unused = saved.filter((layer) => !used.has(layer)).map(describeLayer);
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  return { weights, report: { matchedLayers: layers.length, matchedWeights: weights.length, parameters, unused, matchedBy } };
}

/** Names of classes as Keras 3 spells them in files. */
const kinds: Partial<Record<LayerType, string>> = {
  Conv2D: 'conv2d',
  DepthwiseConv2D: 'depthwise_conv2d',
  SeparableConv2D: 'separable_conv2d',
  Dense: 'dense',
  BatchNormalization: 'batch_normalization',
  LayerNormalization: 'layer_normalization',
};

/** The n-th layer of a kind in the file is the n-th of the network, within the model that lists most layers. */
function matchByOrder(layers: readonly ResolvedLayer[], saved: readonly SavedLayer[]): Map<ResolvedLayer, SavedLayer | undefined> {
  const models = [...Map.groupBy(saved, (layer) => layer.model).values()].sort((a, b) => b.length - a.length);
  const ofKind = Map.groupBy(models[0] ?? [], (layer) => layer.kind);
  const taken = new Map<string, number>();
  return new Map(
    layers.map((layer) => {
      const kind = kinds[layer.config.type] ?? layer.config.type;
      const position = taken.get(kind) ?? 0;
      taken.set(kind, position + 1);
      return [layer, ofKind.get(kind)?.[position]];
    }),
  );
}

/** By name where the file uses today's names for all of them, otherwise in Keras's order; the shapes must agree in any case. */
function matchWeights(layer: ResolvedLayer, saved: readonly SavedWeight[], wanted: WantedBase, fileName: string): MatchedWeight[] {
  const isNamed = layer.weights.length === saved.length && layer.weights.every(({ name }) => saved.some((weight) => weight.name === name));
  const matched = layer.weights.flatMap((spec, index) => {
    const weight = isNamed ? saved.find(({ name }) => name === spec.name) : saved[index];
    return weight === undefined ? [] : [{ spec, saved: weight }];
  });
  const fits = saved.length === layer.weights.length && matched.every((one) => sameShape(one.spec.shape, one.saved.shape));
  if (!fits) throw otherShapes(layer, saved, wanted, fileName);
  const odd = saved.find((weight) => !weight.isFloat32);
  if (odd === undefined) return matched;
  throw new LabError('bad_input', `The layer '${layer.name}' of ${fileName} is not stored as float32.`, {
    expected: 'float32, little-endian',
    received: odd.path,
    help: 'Load the weights in Keras with the float32 policy and write them again.',
  });
}

/** EfficientNet-B0 has every layer of Lite0, and others between them; its weights would fit and mean nothing. */
function refuseLayersBetween(
  saved: readonly SavedLayer[],
  used: ReadonlySet<SavedLayer | undefined>,
  wanted: WantedBase,
  fileName: string,
): void {
  for (const listed of Map.groupBy(saved, (layer) => `${layer.model} ${layer.kind ?? ''}`).values()) {
    const first = listed.findIndex((layer) => used.has(layer));
    const last = listed.findLastIndex((layer) => used.has(layer));
    const between = listed.slice(Math.max(first, 0), last + 1).find((layer) => !used.has(layer));
    if (between === undefined) continue;
    throw new LabError('bad_input', `The file ${fileName} holds another network than ${wanted.network}.`, {
      expected: `no other layers between those of ${wanted.network}`,
      received: `the layer ${describeLayer(between)}`,
      help: suggest(saved, wanted),
    });
  }
}

function missingLayers(
  missing: readonly ResolvedLayer[],
  layers: readonly ResolvedLayer[],
  saved: readonly SavedLayer[],
  wanted: WantedBase,
  fileName: string,
): LabError {
  const some = missing.slice(0, 4).map(({ name }) => name);
  const rest = missing.length > some.length ? ` and ${missing.length - some.length} more` : '';
  const isNothing = missing.length === layers.length;
  return new LabError(
    'bad_input',
    isNothing
      ? `The file ${fileName} holds no layer of ${wanted.network}.`
      : `The file ${fileName} does not hold every layer of ${wanted.network}.`,
    {
      expected: `the layers ${some.join(', ')}${rest}`,
      received:
        saved.length === 0
          ? 'no layer with weights'
          : `${saved.slice(0, 6).map(describeLayer).join(', ')}${saved.length > 6 ? ', ...' : ''}`,
      help: suggest(saved, wanted),
    },
  );
}

function otherShapes(layer: ResolvedLayer, saved: readonly SavedWeight[], wanted: WantedBase, fileName: string): LabError {
  const first = saved[0]?.shape ?? [];
  // The first convolution of MobileNet has 32 filters at alpha 1.
  const alpha = layer === wanted.resolved.layers.find(({ weights }) => weights.length > 0) ? (first.at(-1) ?? 0) / 32 : 0;
  const isOtherWidth = wanted.network === 'MobileNet' && first.length === 4 && alpha !== wanted.alpha && alpha > 0;
  return new LabError(
    'bad_input',
    `The weights of the layer '${layer.name}' in ${fileName} have other shapes than those of ${wanted.network}.`,
    {
      expected: layer.weights.map(({ name, shape }) => `${name} ${formatShape(shape)}`).join(', '),
      received: saved.length === 0 ? 'no weights' : saved.map(({ shape }) => formatShape(shape)).join(', '),
      help: isOtherWidth
        ? `The file seems to be of alpha ${alpha}: give --alpha ${alpha}.`
        : 'Choose the network and the width that the file was made with; pictures must have 3 channels.',
    },
  );
}

function suggest(saved: readonly SavedLayer[], wanted: WantedBase): string {
  const names = new Set(saved.map((layer) => layer.name));
  const fitting = zooNetworks
    .map((network) => ({ network, layers: listWeighted(network) }))
    .filter(({ network, layers }) => network !== wanted.network && layers.every((name) => names.has(name)))
    .sort((a, b) => b.layers.length - a.layers.length)[0];
  if (fitting !== undefined) return `It has the layers of ${fitting.network}: give --network ${fitting.network}.`;
  return `Choose a file with the weights of ${wanted.network}; \`docs/weights.md\` names them.`;
}

/** By name only, for which the width does not matter. */
function listWeighted(network: ZooNetwork): string[] {
  const layers = makeBaseLayers({ network, alpha: 1, cutAt: null, weights: 'random', weightsFingerprint: null });
  return layers.flatMap((layer) => (kinds[layer.type] === undefined ? [] : [layer.name ?? '']));
}

function describeLayer(layer: SavedLayer): string {
  return layer.name ?? `${layer.model}/${layer.kind ?? ''}`;
}

function formatShape(shape: readonly number[]): string {
  return `[${shape.join(',')}]`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}
