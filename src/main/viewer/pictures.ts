// Stored pictures for people: lists, raw bytes, and lossless PNGs of one picture or of a sheet of many. The layout of sheets is
// domain/pictures; small pictures keep their pixels, bigger ones are averaged down to tiles.
import sharp from 'sharp';
import { LabError } from '../../shared/contract/errors.ts';
import type { ViewerAnswer, ViewerRequest } from '../../shared/contract/viewer.ts';
import { sheetLayout, tilePlace, type SheetLayout } from '../../shared/domain/pictures.ts';
import { mapInOrder } from '../data/lanes.ts';
import type { DatasetStore } from '../data/store.ts';
import type { OpenStore } from './stores.ts';

/** Big pictures that are held at once while a sheet is drawn. */
const lanes = 2;
/** Sheets are drawn while a person scrolls: on Fashion-MNIST level 9 saves 4 % of the bytes and takes five times as long. */
const compressionLevel = 2;

/** One page of the filtered list. */
export function browseStore(open: OpenStore, request: ViewerRequest<'browse'>): ViewerAnswer<'browse'> {
  const selected = open.select(request);
  const shown = selected.subarray(request.offset, request.offset + request.limit);
  return { total: selected.length, pictures: Array.from(shown, (index) => ({ index, label: open.labels[index] ?? 0 })) };
}

/** Throws `not_found` for a page that no picture is on. */
export async function drawSheet(open: OpenStore, request: ViewerRequest<'sheet'>, signal: AbortSignal): Promise<ViewerAnswer<'sheet'>> {
  const layout = sheetLayout(open.store.manifest.shape);
  const first = request.page * layout.perSheet;
  const shown = open.select(request).subarray(first, first + layout.perSheet);
  if (shown.length === 0) {
    throw new LabError('not_found', `There is no sheet ${request.page} of these pictures.`, { help: 'Load the page again.' });
  }
  const [height, width, channels] = open.store.manifest.shape;
  const isNatural = layout.tileHeight === height && layout.tileWidth === width;
  const tiles = isNatural ? readTiles(open.store, shown) : shrinkTiles(open.store, shown, layout, signal);
  const sheet = new Uint8Array(layout.columns * layout.tileWidth * layout.rows * layout.tileHeight * channels);
  let position = 0;
  for await (const tile of tiles) {
    placeTile(sheet, tile, position, layout, channels);
    position += 1;
  }
  const png = await encode(sheet, [layout.rows * layout.tileHeight, layout.columns * layout.tileWidth, channels]);
  return { png };
}

/** Throws `not_found` when the dataset has fewer pictures. */
export async function drawPicture(open: OpenStore, index: number): Promise<ViewerAnswer<'picture'>> {
  return { png: await encode(readPixels(open, index).pixels, open.store.manifest.shape) };
}

/** The bytes as stored; throws `not_found` when the dataset has fewer pictures. */
export function readPixels({ store, labels }: OpenStore, index: number): ViewerAnswer<'pixels'> {
  const label = labels[index];
  if (label === undefined) {
    throw new LabError('not_found', `The dataset ${store.manifest.id} has no picture ${index}.`, {
      expected: `0 to ${store.count - 1}`,
      received: String(index),
      help: 'Choose another picture.',
    });
  }
  return { label, pixels: readOne(store, index) };
}

/** Lossless PNG of packed bytes of [height, width, channels], one or three channels; level 0 stores them as they are. */
export async function encode(
  pixels: Uint8Array,
  [height, width, channels]: readonly [number, number, 1 | 3],
  level = compressionLevel,
): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width, height, channels }, limitInputPixels: false })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png({ compressionLevel: level, palette: false, adaptiveFiltering: false })
    .toBuffer();
}

function readOne(store: DatasetStore, index: number): Uint8Array {
  const pixels = new Uint8Array(store.pictureBytes);
  store.readPictures([index], pixels);
  return pixels;
}

function* readTiles(store: DatasetStore, indices: Uint32Array): Generator<Uint8Array> {
  const all = new Uint8Array(indices.length * store.pictureBytes);
  store.readPictures(indices, all);
  for (let position = 0; position < indices.length; position += 1) {
    yield all.subarray(position * store.pictureBytes, (position + 1) * store.pictureBytes);
  }
}

function shrinkTiles(store: DatasetStore, indices: Uint32Array, layout: SheetLayout, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const [height, width, channels] = store.manifest.shape;
  return mapInOrder(indices, lanes, async (index) => {
    signal.throwIfAborted();
    // The triangle filter widens with the scale: an average over the area that a pixel of the tile covers, without ringing.
    return sharp(readOne(store, index), { raw: { width, height, channels }, limitInputPixels: false })
      .resize(layout.tileWidth, layout.tileHeight, { fit: 'fill', kernel: 'linear' })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
  });
}

function placeTile(sheet: Uint8Array, tile: Uint8Array, position: number, layout: SheetLayout, channels: number): void {
  const { x, y } = tilePlace(layout, position);
  const rowBytes = layout.tileWidth * channels;
  const sheetRowBytes = layout.columns * rowBytes;
  for (let row = 0; row < layout.tileHeight; row += 1) {
    sheet.set(tile.subarray(row * rowBytes, (row + 1) * rowBytes), (y + row) * sheetRowBytes + x * channels);
  }
}
