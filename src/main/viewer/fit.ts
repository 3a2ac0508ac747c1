// Mean and standard deviation per channel of the training pictures, as Keras 3.15 ImageDataGenerator.fit computes them, in float64. Without
// samplewise standardisation every value is one of 256 levels, so counting them gives exact sums; with it each picture is taken by itself.
import { setImmediate as breathe } from 'node:timers/promises';
import { LabError } from '../../shared/contract/errors.ts';
import type { InputPipeline } from '../../shared/contract/schema.ts';
import type { ViewerAnswer, ViewerRequest } from '../../shared/contract/viewer.ts';
import { makeSplit } from '../../shared/domain/split.ts';
import { createPictureForm } from '../data/pictureForm.ts';
import type { OpenStore } from './stores.ts';

const blockBytes = 2 ** 20;
/** Keras adds it to the standard deviation before it divides. */
const kerasEpsilon = 1e-6;

/** Throws `bad_recipe` where the training would; between blocks of pictures other requests are answered. */
export async function fitInput(open: OpenStore, request: ViewerRequest<'fit'>, signal: AbortSignal): Promise<ViewerAnswer<'fit'>> {
  const { store, labels } = open;
  const { trainCount, testCount, classes, shape } = store.manifest;
  const { train } = makeSplit({ labels, trainCount, testCount, classCount: classes.length, split: request.split });
  const form = createPictureForm(shape, request.input);
  const [, , channels] = form.shape;
  if (request.input.scaling === 'caffe' && channels !== 3) throw notColoured(channels);
  const statistics = request.input.standardization === null ? countLevels(request.input, channels) : addPictures(request.input, channels);
  const perBlock = Math.max(1, Math.floor(blockBytes / store.pictureBytes));
  const block = new Uint8Array(perBlock * store.pictureBytes);
  for (let first = 0; first < train.length; first += perBlock) {
    await breathe();
    signal.throwIfAborted();
    const shown = train.subarray(first, first + perBlock);
    store.readPictures(shown, block);
    for (let row = 0; row < shown.length; row += 1)
      statistics.add(form.convert(block.subarray(row * store.pictureBytes, (row + 1) * store.pictureBytes)));
  }
  const { mean, variance } = statistics.end();
  return { mean, std: variance.map((value) => Math.sqrt(value) + kerasEpsilon), images: train.length };
}

interface Statistics {
  readonly add: (picture: Uint8Array) => void;
  readonly end: () => { readonly mean: number[]; readonly variance: number[] };
}

/** From a channel of the pixels as stored (0 .. 255) to the channel that the network sees. */
function scaleOf(scaling: InputPipeline['scaling']): {
  readonly factor: number;
  readonly offset: readonly number[];
  readonly isReversed: boolean;
} {
  switch (scaling) {
    case 'none':
      return { factor: 1, offset: [0, 0, 0], isReversed: false };
    case 'unit':
      return { factor: 1 / 255, offset: [0, 0, 0], isReversed: false };
    case 'minusOneToOne':
      return { factor: 1 / 127.5, offset: [-1, -1, -1], isReversed: false };
    case 'caffe':
      return { factor: 1, offset: [-103.939, -116.779, -123.68], isReversed: true };
  }
}

function countLevels({ scaling }: InputPipeline, channels: number): Statistics {
  const counts = Array.from({ length: channels }, () => new Float64Array(256));
  return {
    add(picture) {
      counts.forEach((levels, channel) => {
        for (let index = channel; index < picture.length; index += channels) {
          const level = picture[index] ?? 0;
          levels[level] = (levels[level] ?? 0) + 1;
        }
      });
    },
    end() {
      const { factor, offset, isReversed } = scaleOf(scaling);
      const moments = (isReversed ? counts.toReversed() : counts).map(momentsOf);
      return {
        mean: moments.map(({ mean }, channel) => mean * factor + (offset[channel] ?? 0)),
        variance: moments.map(({ variance }) => variance * factor ** 2),
      };
    },
  };
}

function momentsOf(counts: Float64Array): { readonly mean: number; readonly variance: number } {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = counts.reduce((sum, count, level) => sum + count * level, 0) / total;
  const variance = counts.reduce((sum, count, level) => sum + count * (level - mean) ** 2, 0) / total;
  return { mean, variance };
}

function addPictures({ scaling, standardization }: InputPipeline, channels: number): Statistics {
  const { factor, offset, isReversed } = scaleOf(scaling);
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  let pixels = 0;
  return {
    add(picture) {
      const values = Float64Array.from(picture, (_, index) => {
        const channel = index % channels;
        const stored = isReversed ? index - channel + (channels - 1 - channel) : index;
        return (picture[stored] ?? 0) * factor + (offset[channel] ?? 0);
      });
      standardize(values, standardization);
      pixels += picture.length / channels;
      values.forEach((value, index) => {
        const channel = index % channels;
        sums[channel] = (sums[channel] ?? 0) + value;
        squares[channel] = (squares[channel] ?? 0) + value ** 2;
      });
    },
    end() {
      const mean = Array.from(sums, (sum) => sum / pixels);
      // Standardised values lie about 0, so the difference keeps its digits.
      return { mean, variance: Array.from(squares, (sum, channel) => Math.max(0, sum / pixels - (mean[channel] ?? 0) ** 2)) };
    },
  };
}

/** ImageDataGenerator.standardize of one picture over all its values; dividing includes centring. */
function standardize(values: Float64Array, standardization: InputPipeline['standardization']): void {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const divides = standardization?.samplewiseStdNormalization === true;
  const centre = divides || standardization?.samplewiseCenter === true ? mean : 0;
  const divisor = divides ? deviation + kerasEpsilon : 1;
  for (let index = 0; index < values.length; index += 1) values[index] = ((values[index] ?? 0) - centre) / divisor;
}

function notColoured(channels: number): LabError {
  return new LabError('bad_recipe', 'The scaling "caffe" is defined for colour pictures only.', {
    expected: '3 channels',
    received: `${channels} channel`,
    help: 'Set input.colorMode to "rgb" or choose another scaling.',
  });
}
