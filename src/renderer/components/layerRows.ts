// What a row of the layer table shows, from the layers of a recipe and what the network makes of them; and a row for each folded block.
import type { Layer } from '../../shared/contract/layers.ts';
import type { LayerBlock, ListedLayers } from '../../shared/domain/draft/layers.ts';
import { formatShape } from '../../shared/domain/networkRules.ts';
import type { ResolvedPhase } from '../../shared/domain/recipe.ts';
import type { NetworkProblem, ResolvedNetwork } from '../../shared/domain/networkTypes.ts';

export interface LayerRow {
  readonly name: string;
  readonly type: string;
  readonly summary: string;
  /** null for layers after the first problem. */
  readonly output: string | null;
  readonly parameters: number | null;
  /** Whether the phase trains it; null where that is not known or means nothing. */
  readonly isTrained: boolean | null;
  readonly problem: NetworkProblem | null;
  /** Belongs to the base, where nothing can be changed but whether it trains. */
  readonly isFixed: boolean;
}

/** A block of the base as one row. */
export interface BlockRow extends LayerBlock {
  readonly output: string | null;
  /** null when not all layers are known. */
  readonly parameters: number | null;
  /** null where the block has no weights, or it is not known. */
  readonly trained: 'all' | 'some' | 'none' | null;
  /** Layers with weights. */
  readonly weighted: readonly string[];
}

export function describeRows(
  { all, baseCount }: ListedLayers,
  network: ResolvedNetwork,
  phase: ResolvedPhase | undefined,
  problem: NetworkProblem | null,
): LayerRow[] {
  const faulty = all.findLastIndex(({ name }) => name === problem?.layer);
  return all.map((layer, index) => {
    const resolved = network.layers[index];
    const hasWeights = resolved !== undefined && resolved.parameters > 0;
    return {
      name: layer.name,
      type: layer.type,
      summary: summarise(layer),
      output: resolved === undefined ? null : formatShape(resolved.outputShape),
      parameters: resolved?.parameters ?? null,
      isTrained: hasWeights && phase !== undefined ? phase.trainableLayers.has(layer.name) : null,
      problem: index === faulty ? problem : null,
      isFixed: index < baseCount,
    };
  });
}

export function describeBlocks({ blocks }: ListedLayers, rows: readonly LayerRow[]): BlockRow[] {
  return blocks.map((block) => {
    const layers = rows.slice(block.start, block.end);
    const weighted = layers.filter(({ isTrained }) => isTrained !== null);
    const count = weighted.filter(({ isTrained }) => isTrained === true).length;
    const isKnown = layers.every(({ parameters }) => parameters !== null);
    return {
      ...block,
      output: layers.at(-1)?.output ?? null,
      parameters: isKnown ? layers.reduce((sum, { parameters }) => sum + (parameters ?? 0), 0) : null,
      trained: weighted.length === 0 ? null : count === 0 ? 'none' : count === weighted.length ? 'all' : 'some',
      weighted: weighted.map(({ name }) => name),
    };
  });
}

/** The options that say most, in Keras's words. */
function summarise(layer: Layer): string {
  const parts: string[] = [];
  if ('filters' in layer) parts.push(`${layer.filters} filters`);
  if ('units' in layer) parts.push(`${layer.units} units`);
  if ('kernelSize' in layer) parts.push(layer.kernelSize.join('×'));
  if ('poolSize' in layer) parts.push(layer.poolSize.join('×'));
  if ('rate' in layer) parts.push(`rate ${layer.rate}`);
  if ('stddev' in layer) parts.push(`σ ${layer.stddev}`);
  if (layer.type === 'Rescaling') parts.push(`× ${Number(layer.scale.toPrecision(4))} + ${layer.offset}`);
  if ('strides' in layer && layer.strides !== null && layer.strides.some((stride) => stride !== 1))
    parts.push(`strides ${layer.strides.join('×')}`);
  if (layer.type !== 'ZeroPadding2D' && 'padding' in layer && layer.padding === 'same') parts.push('same');
  if ('activation' in layer && layer.activation !== 'linear') parts.push(layer.activation);
  if ('kernelRegularizer' in layer && layer.kernelRegularizer !== null) parts.push('regularised');
  if (layer.inputs !== undefined) parts.push(`from ${layer.inputs.join(', ')}`);
  return parts.join(', ');
}
