// Cutting a network behind one of its layers.
import { LabError } from '../../contract/errors.ts';
import type { Layer } from '../../contract/layers.ts';
import { findNearest } from '../nearest.ts';

/** The layers up to and including `lastLayer`; all for null. Throws LabError bad_recipe for a name that is not among them. */
export function cutLayers(layers: readonly Layer[], lastLayer: string | null): readonly Layer[] {
  if (lastLayer === null) return layers;
  const index = layers.findIndex(({ name }) => name === lastLayer);
  if (index >= 0) return layers.slice(0, index + 1);
  const near = findNearest(
    lastLayer,
    layers.flatMap(({ name }) => name ?? []),
  );
  throw new LabError('bad_recipe', `The base network has no layer called '${lastLayer}'.`, {
    expected: near.length > 0 ? `a layer of the base, for example ${near.join(', ')}` : 'the name of a layer of the base',
    received: lastLayer,
    help: 'Write the name of a layer as `recipes params` prints it.',
  });
}
