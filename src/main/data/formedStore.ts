/**
 * The dataset at the size and in the colours that a recipe asks for. What fits is converted once and kept as a store of its own; what would
 * take longer to write than to convert, such as 60,000 small pictures enlarged to 224 x 224 (9 GB), is converted whenever it is read.
 */
import { createHash } from 'node:crypto';
import { deriveStore, type DeriveOptions } from './derive.ts';
import { createPictureForm, type PictureForm } from './pictureForm.ts';
import { type DatasetStore, openStore, readManifest } from './store.ts';
import type { PictureShape } from './storeWriter.ts';

/** Enlarged pictures up to this many bytes are written to the cache folder: a run that reads few of them should not write all. */
const WRITTEN_BYTES = 512 * 2 ** 20;
/** Making a picture smaller costs its larger original every time, so much more is written before that is worth it. */
const WRITTEN_SMALLER_BYTES = 8 * 2 ** 30;

export interface FormOptions extends DeriveOptions {
  /** Tests lower it. */
  readonly writtenBytes?: number;
}

/** Opens the pictures in the form of `input`, whichever way; the caller closes the store. Throws as deriveStore. */
export async function openFormedStore(options: FormOptions): Promise<DatasetStore> {
  // The description is enough to choose the way: opening a small store would read all of its pictures.
  const { shape, trainCount, testCount } = readManifest(options.folder);
  const form = createPictureForm(shape, options.input);
  if (!form.isChanged) return openStore(options.folder);
  const bytes = (trainCount + testCount) * sizeOf(form.shape);
  const most = options.writtenBytes ?? (sizeOf(form.shape) > sizeOf(shape) ? WRITTEN_BYTES : WRITTEN_SMALLER_BYTES);
  return bytes > most ? convertOnReading(openStore(options.folder), form, options.input.resize) : openStore(await deriveStore(options));
}

function sizeOf([height, width, channels]: PictureShape): number {
  return height * width * channels;
}

function convertOnReading(store: DatasetStore, form: PictureForm, resize: string): DatasetStore {
  const [height, width, channels] = form.shape;
  const pictureBytes = sizeOf(form.shape);
  const identity = `${store.manifest.fingerprint} as ${form.shape.join('x')} ${resize}`;
  const fingerprint = createHash('sha256').update(identity).digest('hex');
  const picture = new Uint8Array(store.pictureBytes);
  return {
    ...store,
    manifest: { ...store.manifest, shape: [height, width, channels], fingerprint },
    pictureBytes,
    readPictures(indices, target, offset = 0) {
      for (let row = 0; row < indices.length; row += 1) {
        store.readPictures([indices[row] ?? 0], picture);
        target.set(form.convert(picture), offset + row * pictureBytes);
      }
    },
  };
}
