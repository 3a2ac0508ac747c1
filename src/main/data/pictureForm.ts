// The size and colours in which a recipe wants its pictures: shape and conversion of single pictures, for the store that training derives
// and for whoever shows pictures as training sees them.
import type { InputPipeline } from '../../shared/contract/schema.ts';
import { convertChannels } from './channels.ts';
import { createResampler } from './resample.ts';
import type { PictureShape } from './storeWriter.ts';

export interface PictureForm {
  readonly shape: PictureShape;
  /** False when pictures stay as they are. */
  readonly isChanged: boolean;
  /** One packed picture of the dataset; answers the same array when nothing changes. */
  readonly convert: (picture: Uint8Array) => Uint8Array;
}

/** `from` is the shape of the dataset. */
export function createPictureForm(from: PictureShape, input: Pick<InputPipeline, 'size' | 'colorMode' | 'resize'>): PictureForm {
  const channels = input.colorMode === null ? from[2] : input.colorMode === 'rgb' ? 3 : 1;
  const shape: PictureShape = [input.size?.[0] ?? from[0], input.size?.[1] ?? from[1], channels];
  // Grey becomes three equal channels, so one of them is enough to resize; colours turn grey before, as Keras' load_img does.
  const resized: PictureShape[2] = from[2] === 1 ? 1 : channels;
  const resample = createResampler([from[0], from[1], resized], [shape[0], shape[1], resized], input.resize);
  return {
    shape,
    isChanged: from.some((size, axis) => size !== shape[axis]),
    convert: (picture) => convertChannels(resample(convertChannels(picture, from[2], resized)), resized, channels),
  };
}
