// VGG16 and VGG19 without top (Simonyan and Zisserman 2014), with the layer names of keras.applications.vgg16 and vgg19.
import type { Layer } from '../../contract/layers.ts';
import { layer } from './layer.ts';

const filters = [64, 128, 256, 512, 512];
const convolutions = { VGG16: [2, 2, 3, 3, 3], VGG19: [2, 2, 4, 4, 4] };

/** Five blocks of 3x3 convolutions, each with its pooling; any picture of 32 pixels or more. */
export function makeVgg(network: 'VGG16' | 'VGG19'): Layer[] {
  return convolutions[network].flatMap((count, block) => {
    const name = `block${block + 1}`;
    const convolution = (index: number): Layer =>
      layer({
        type: 'Conv2D',
        name: `${name}_conv${index + 1}`,
        filters: filters[block] ?? 512,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
      });
    return [
      ...Array.from({ length: count }, (_, index) => convolution(index)),
      layer({ type: 'MaxPooling2D', name: `${name}_pool`, poolSize: 2, strides: 2 }),
    ];
  });
}
