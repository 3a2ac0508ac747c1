// Mean pictures of classes: computed exactly by one pass over the pictures of the class, remembered as PNG.
import { LabError } from '../../shared/contract/errors.ts';
import type { ViewerAnswer, ViewerRequest } from '../../shared/contract/viewer.ts';
import { setImmediate as breathe } from 'node:timers/promises';
import { encode } from './pictures.ts';
import type { OpenStore } from './stores.ts';

const mostRemembered = 256;
/** Pictures are read in blocks of about this size; between blocks other requests are answered. */
const blockBytes = 2 ** 20;

export interface Means {
  /** Each channel of each pixel is the mean, rounded to the nearest byte. Throws `not_found` when the filter leaves no picture. */
  draw(open: OpenStore, request: ViewerRequest<'mean'>, signal: AbortSignal): Promise<ViewerAnswer<'mean'>>;
}

export function createMeans(): Means {
  const remembered = new Map<string, Uint8Array>();
  return {
    async draw(open, request, signal) {
      const key = `${request.fingerprint} ${request.split} ${request.classes?.join('.') ?? 'all'}`;
      const found = remembered.get(key);
      if (found !== undefined) return { png: found };
      const png = await encode(await computeMean(open, open.select(request), signal), open.store.manifest.shape);
      remembered.set(key, png);
      const [oldest] = remembered.keys();
      if (remembered.size > mostRemembered && oldest !== undefined) remembered.delete(oldest);
      return { png };
    },
  };
}

async function computeMean({ store }: OpenStore, indices: Uint32Array, signal: AbortSignal): Promise<Uint8Array> {
  if (indices.length === 0) throw new LabError('not_found', 'There is no picture to take the mean of.', { help: 'Choose another class.' });
  const { pictureBytes } = store;
  // Exact: a double holds sums of bytes of more pictures than a store can have.
  const sums = new Float64Array(pictureBytes);
  const perBlock = Math.max(1, Math.floor(blockBytes / pictureBytes));
  const block = new Uint8Array(Math.min(perBlock, indices.length) * pictureBytes);
  for (let first = 0; first < indices.length; first += perBlock) {
    await breathe();
    signal.throwIfAborted();
    const shown = indices.subarray(first, first + perBlock);
    store.readPictures(shown, block);
    for (let position = 0; position < shown.length; position += 1) addPicture(sums, block, position * pictureBytes);
  }
  return Uint8Array.from(sums, (sum) => Math.round(sum / indices.length));
}

function addPicture(sums: Float64Array, block: Uint8Array, offset: number): void {
  for (let index = 0; index < sums.length; index += 1) sums[index] = (sums[index] ?? 0) + (block[offset + index] ?? 0);
}
