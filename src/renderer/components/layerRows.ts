// What a row of the layer table shows, from the layers of a recipe and what the network makes of them.
import type { Layer } from '../../shared/contract/layers.ts';
import { nameEveryLayer } from '../../shared/domain/draft/layers.ts';
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
  readonly trainable: number | null;
  /** Whether the phase trains it; null where that is not known or means nothing. */
  readonly isTrained: boolean | null;
  readonly problem: NetworkProblem | null;
}

export function describeRows(
  layers: readonly Layer[],
  network: ResolvedNetwork,
  phase: ResolvedPhase | undefined,
  problem: NetworkProblem | null,
): LayerRow[] {
  return nameEveryLayer(layers).map((layer, index) => {
    const resolved = network.layers[index];
    const hasWeights = resolved !== undefined && resolved.parameters > 0;
    return {
      name: layer.name,
      type: layer.type,
      summary: summarise(layer),
      output: resolved === undefined ? null : formatShape(resolved.outputShape),
      parameters: resolved?.parameters ?? null,
      trainable: phase?.counts.layers[index]?.trainable ?? null,
      isTrained: hasWeights && phase !== undefined ? phase.trainableLayers.has(layer.name) : null,
      problem: problem?.layer === layer.name ? problem : null,
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
