// Where a network may be frozen: the parts behind which its freeze line can stand, from the top down, and phases that stand there. Shared by
// the ladder and by gradual unfreezing.
import { LabError } from '../contract/errors.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import type { ResolvedLayer, ResolvedNetwork } from './networkTypes.ts';
import { findInputShape } from './recipe.ts';
import { resolveWholeNetwork } from './recipeNetwork.ts';
import { withoutRetraining } from './retraining.ts';
import { listBlocks } from './zoo/blocks.ts';

/** A part of the transferred layers that is unfrozen at once. */
export interface Part {
  readonly name: string;
  readonly firstLayer: string;
}

/** What is transferred, and the phases that a variant is made of. */
export interface Transfer {
  readonly network: ResolvedNetwork;
  /** The last of the layers that are transferred. */
  readonly lastFrozen: string;
  /** From the last to the first; only those with weights. */
  readonly parts: readonly Part[];
  /** Phases before the transfer: those that train the layers to transfer when the recipe has no base. */
  readonly before: readonly Phase[];
  /** Options of the phase that trains the head, and of those that train more. */
  readonly head: Phase;
  readonly tune: Phase;
}

/** Throws LabError bad_recipe with the reason when the recipe transfers nothing, or has no place for a freeze line. */
export function findTransfer(given: Recipe): Transfer {
  const recipe = withoutRetraining(given);
  const outcome = resolveWholeNetwork(recipe, findInputShape(recipe), null);
  if (!outcome.ok) {
    const { layer, message, fix } = outcome.problem;
    throw new LabError('bad_recipe', `The recipe ${recipe.id} cannot work. At '${layer}': ${message}`, { help: fix });
  }
  const { network } = outcome;
  const { base } = recipe.network;
  const parts = base === null ? listFeatureParts(network) : listBaseParts(network, listBlocks(base));
  const first = recipe.phases[0];
  const last = recipe.phases.at(-1);
  if (first === undefined || last === undefined) throw new LabError('internal', 'A recipe has phases.');
  const head = base === null ? last : { ...first, classes: last.classes, classWeights: last.classWeights };
  return { network, ...parts, before: base === null ? requireEarlier(recipe) : [], head, tune: last };
}

interface Line {
  readonly lastFrozen: string;
  readonly parts: readonly Part[];
}

function listBaseParts(
  network: ResolvedNetwork,
  blocks: readonly { readonly name: string; firstLayer: string; lastLayer: string }[],
): Line {
  const names = network.layers.map(({ name }) => name);
  const hasWeights = (first: string, last: string): boolean =>
    network.layers.slice(names.indexOf(first), names.indexOf(last) + 1).some(({ weights }) => weights.length > 0);
  const weighted = blocks.filter(({ firstLayer, lastLayer }) => hasWeights(firstLayer, lastLayer));
  const last = blocks.at(-1)?.lastLayer ?? '';
  return { lastFrozen: last, parts: weighted.map(({ name, firstLayer }) => ({ name, firstLayer })).reverse() };
}

const convolutions: ReadonlySet<string> = new Set(['Conv2D', 'SeparableConv2D', 'DepthwiseConv2D']);

/** As in document 000: the convolutions are transferred, the Dense layers behind them are the head. */
function listFeatureParts(network: ResolvedNetwork): Line {
  const isConvolution = ({ config }: ResolvedLayer): boolean => convolutions.has(config.type);
  const lastConvolution = network.layers.findLastIndex(isConvolution);
  const head = network.layers.findIndex(({ config }, index) => index > lastConvolution && config.type === 'Dense');
  if (lastConvolution < 0 || head < 0) {
    throw new LabError(
      'bad_recipe',
      'The network has no convolutions in front of Dense layers, so there is no sensible place to freeze up to.',
      {
        expected: 'convolutions, which find features, followed by Dense layers, which tell the classes',
        received: network.layers.map(({ config }) => config.type).join(', '),
        help: 'Choose a recipe with a base, or with convolutions.',
      },
    );
  }
  const parts = network.layers.slice(0, head).filter(isConvolution);
  return {
    lastFrozen: network.layers[head - 1]?.name ?? '',
    parts: parts.map(({ name }) => ({ name, firstLayer: name })).reverse(),
  };
}

function requireEarlier(recipe: Recipe): readonly Phase[] {
  const earlier = recipe.phases.slice(0, -1);
  if (earlier.length > 0 && recipe.phases.at(-1)?.startFrom === 'previous') return earlier;
  throw new LabError('bad_recipe', 'The recipe transfers nothing: its layers start at random and are trained in one go.', {
    expected: 'a base with weights, or an earlier phase whose weights the last one starts from',
    received: recipe.phases.map(({ name }) => name).join(', '),
    help: 'Choose a recipe with a base, or put a phase in front that trains on other classes.',
  });
}

/** Trains everything behind the transferred layers and nothing else. */
export function trainHead(transfer: Transfer, name: string, augmentation: Phase['augmentation']): Phase {
  return prepare(transfer.head, { name, augmentation, trainable: { type: 'freezeUpTo', layer: transfer.lastFrozen } });
}

/** Trains the last `count` parts too, at `share` of the head's learning rate. */
export function trainParts(transfer: Transfer, count: number, name: string, augmentation: Phase['augmentation'], share: number): Phase {
  const { network, parts, head, tune } = transfer;
  const first = network.layers.findIndex(({ name: layer }) => layer === parts[count - 1]?.firstLayer);
  const frozen = network.layers.slice(0, first).some(({ weights }) => weights.length > 0) ? network.layers[first - 1] : undefined;
  const learningRate = Number((head.optimizer.learningRate * share).toPrecision(6));
  return prepare(tune, {
    name,
    augmentation,
    trainable: frozen === undefined ? { type: 'all' } : { type: 'freezeUpTo', layer: frozen.name },
    optimizer: { ...tune.optimizer, learningRate },
  });
}

/** Frozen normalisation stays in inference mode and every phase goes on from the one before, validated alike. */
function prepare(phase: Phase, change: Partial<Phase>): Phase {
  return {
    ...phase,
    startFrom: 'previous',
    frozenBatchNormalization: 'inference',
    learningRateMultipliers: [],
    epochsFrom: null,
    trainOn: 'train',
    cacheFeatures: true,
    ...change,
  };
}
