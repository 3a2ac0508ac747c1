// Layers of the zoo are written short; the schema fills in Keras's defaults.
import { layerSchema, type Layer } from '../../contract/layers.ts';
import type { z } from 'zod';

/** A layer with a name and the options that differ from Keras's defaults. */
export function layer(options: z.input<typeof layerSchema> & { readonly name: string }): Layer {
  return layerSchema.parse(options);
}
