// Pictures of datasets for people: browsing by filter, sprite sheets, single pictures and class means, rendered by the viewer child.
// A dataset that comes with the program is unpacked when its pictures are first asked for.
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { PictureAddress } from '../../shared/domain/pictures.ts';
import type { DatasetService, StoredDataset } from './datasets.ts';
import { createSheetShelf } from './sheetShelf.ts';
import type { ViewerClient } from './viewerClient.ts';

export interface PicturesService {
  browse(request: HandlerInput<'datasets.browse'>, signal: AbortSignal): Promise<Answer<'datasets.browse'>>;
  picture(request: HandlerInput<'datasets.picture'>, signal: AbortSignal): Promise<Answer<'datasets.picture'>>;
  /** Remembers a sheet of augmented pictures for a while and answers its address. */
  keepSheet(sheet: { readonly png: Uint8Array; readonly sha256: string }): string;
  /** A PNG; throws `not_found` when no dataset has the fingerprint, the dataset has no such picture or the sheet was forgotten. */
  draw(address: PictureAddress, signal: AbortSignal): Promise<Uint8Array>;
  /** Gives up unpacking. */
  close(): void;
}

export interface PicturesSurroundings {
  readonly viewer: ViewerClient;
  readonly datasets: DatasetService;
}

/** Base64 of more would not fit into a message. */
const mostPixelBytes = 600_000;
/** Of sheets of augmented pictures. */
const mostSheetBytes = 96 * 2 ** 20;

export function createPictures({ viewer, datasets }: PicturesSurroundings): PicturesService {
  const closing = new AbortController();
  const idByFingerprint = new Map<string, string>();
  const sheets = createSheetShelf(mostSheetBytes);

  // Whoever leaves must not stop the unpacking that others wait for.
  const open = (datasetId: string, signal: AbortSignal): Promise<StoredDataset> =>
    Promise.race([datasets.open(datasetId, closing.signal), rejectOnAbort(signal)]);

  const openByFingerprint = async (fingerprint: string, signal: AbortSignal): Promise<StoredDataset> => {
    const known = idByFingerprint.get(fingerprint);
    if (known !== undefined && datasets.find(known)?.fingerprint === fingerprint) return open(known, signal);
    const found = datasets.list().datasets.find((dataset) => dataset.fingerprint === fingerprint);
    if (found === undefined) {
      throw new LabError('not_found', 'The dataset of this picture is not in the workspace.', { help: 'Import the dataset again.' });
    }
    idByFingerprint.set(fingerprint, found.id);
    return open(found.id, signal);
  };

  return {
    async browse({ datasetId, ...request }, signal) {
      const { folder, manifest } = await open(datasetId, signal);
      return viewer.ask('browse', { folder, fingerprint: manifest.fingerprint, ...request }, signal);
    },
    async picture({ datasetId, index }, signal) {
      const { folder, manifest } = await open(datasetId, signal);
      const [height, width, channels] = manifest.shape;
      refuseLarge(height * width * channels);
      const { label, pixels } = await viewer.ask('pixels', { folder, fingerprint: manifest.fingerprint, index }, signal);
      const split = index < manifest.trainCount ? 'train' : 'test';
      return { index, split, label, shape: manifest.shape, pixels: Buffer.from(pixels).toString('base64') };
    },
    keepSheet: (sheet) => sheets.keep(sheet),
    async draw(address, signal) {
      if (address.type === 'augmented') return sheets.find(address.sha256);
      const { fingerprint } = address;
      const { folder } = await openByFingerprint(fingerprint, signal);
      const store = { folder, fingerprint };
      if (address.type === 'picture') return (await viewer.ask('picture', { ...store, index: address.index }, signal)).png;
      const filter = { split: address.split, classes: address.classes === null ? null : [...address.classes] };
      if (address.type === 'mean') return (await viewer.ask('mean', { ...store, ...filter }, signal)).png;
      return (await viewer.ask('sheet', { ...store, ...filter, page: address.page }, signal)).png;
    },
    close: () => closing.abort(new LabError('cancelled', 'The lab is closing.', { help: 'Start it again.' })),
  };
}

function refuseLarge(bytes: number): void {
  if (bytes <= mostPixelBytes) return;
  throw new LabError('unsupported', 'The pixels of this picture are too many to be listed.', {
    expected: `at most ${mostPixelBytes} bytes`,
    received: `${bytes} bytes`,
    help: 'Look at the picture itself.',
  });
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
