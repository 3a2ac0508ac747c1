// The pictures of one dataset under one filter: which picture stands at which position, its label, and the pixels of single pictures.
// Pictures themselves are fetched by URL; only labels and single pixels travel here, page by page and never twice.
import { defineStore } from 'pinia';
import { computed, shallowReactive, shallowRef } from 'vue';
import type { Answer } from '../../shared/contract/api.ts';
import type { DatasetDetails } from '../../shared/contract/answers.ts';
import { readPixels, type PixelPicture } from '../../shared/domain/pixels.ts';
import type { PictureFilter } from '../../shared/domain/pictures.ts';
import { useConnection } from '../injection.ts';
import type { LabConnection } from '../connection.ts';

export type ListedPicture = Answer<'datasets.browse'>['pictures'][number];

export interface OpenedPicture {
  readonly index: number;
  readonly split: 'train' | 'test';
  readonly label: number;
  readonly shape: readonly number[];
  /** Null when the picture is too large for its values to be listed. */
  readonly pixels: PixelPicture | null;
}

const pageLength = 1000;
const mostOpened = 64;

export const usePicturesStore = defineStore('pictures', () => {
  const connection = useConnection();
  const list = shallowRef<PictureList | null>(null);
  const opened = new Map<string, OpenedPicture>();

  /** The list that `pictureAt` and the others speak about from here on. */
  const show = (dataset: DatasetDetails, filter: PictureFilter): void => {
    list.value = createPictureList(connection, dataset, filter);
  };
  /** Kept for the next time; rejects with `not_found` when the dataset has no such picture. */
  const open = async (dataset: DatasetDetails, index: number): Promise<OpenedPicture> => {
    const key = `${dataset.fingerprint}/${index}`;
    const known = opened.get(key);
    if (known !== undefined) return known;
    const picture = await openPicture(connection, dataset, index);
    opened.set(key, picture);
    const [oldest] = opened.keys();
    if (opened.size > mostOpened && oldest !== undefined) opened.delete(oldest);
    return picture;
  };
  return {
    show,
    open,
    total: computed(() => list.value?.total ?? 0),
    pictureAt: (position: number): ListedPicture | undefined => list.value?.pictureAt(position),
    indexAt: (position: number): number | undefined => list.value?.indexAt(position),
    need: (from: number, to: number): Promise<void> => list.value?.need(from, to) ?? Promise.resolve(),
    positionOf: (index: number): Promise<number | undefined> => list.value?.positionOf(index) ?? Promise.resolve(undefined),
  };
});

/** How many pictures a filter leaves, known from the counts per class. */
export function countPictures({ perClass }: DatasetDetails, { split, classes }: PictureFilter): number {
  return perClass.reduce((sum, { train, test }, index) => {
    if (classes !== null && !classes.includes(index)) return sum;
    return sum + (split === 'test' ? 0 : train) + (split === 'train' ? 0 : test);
  }, 0);
}

export interface PictureList {
  readonly total: number;
  /** Undefined while it is not known. */
  pictureAt(position: number): ListedPicture | undefined;
  indexAt(position: number): number | undefined;
  /** Resolves when the pictures from one position up to another are known. */
  need(from: number, to: number): Promise<void>;
  /** Of the picture with this index, or of the next one that the filter leaves; undefined when it leaves none. */
  positionOf(index: number): Promise<number | undefined>;
}

function createPictureList(connection: LabConnection, dataset: DatasetDetails, filter: PictureFilter): PictureList {
  const total = countPictures(dataset, filter);
  const pages = shallowReactive(new Map<number, readonly ListedPicture[]>());
  const asked = new Map<number, Promise<readonly ListedPicture[]>>();
  // Without a choice of classes the order is that of the dataset.
  const first = filter.classes !== null ? undefined : filter.split === 'test' ? dataset.trainCount : 0;

  const ask = (page: number): Promise<readonly ListedPicture[]> => {
    const known = asked.get(page);
    if (known !== undefined) return known;
    const classes = filter.classes === null ? null : [...filter.classes];
    const request = { datasetId: dataset.id, split: filter.split, classes, offset: page * pageLength, limit: pageLength };
    const answer = connection.call('datasets.browse', request).then(({ pictures }) => {
      pages.set(page, pictures);
      return pictures;
    });
    asked.set(page, answer);
    answer.catch(() => asked.delete(page));
    return answer;
  };
  const pictureAt = (position: number): ListedPicture | undefined => pages.get(Math.floor(position / pageLength))?.[position % pageLength];
  return {
    total,
    pictureAt,
    indexAt: (position) => {
      if (position < 0 || position >= total) return undefined;
      return first === undefined ? pictureAt(position)?.index : first + position;
    },
    need: async (from, to) => {
      const wanted: Promise<unknown>[] = [];
      const last = Math.min(to, total - 1);
      for (let page = Math.floor(Math.max(0, from) / pageLength); page * pageLength <= last; page += 1) wanted.push(ask(page));
      await Promise.all(wanted);
    },
    positionOf: (index) => {
      if (first === undefined) return search(ask, total, index);
      return Promise.resolve(total === 0 ? undefined : Math.min(total - 1, Math.max(0, index - first)));
    },
  };
}

/** Halves the pages, which rise by index, until one holds the index or the next higher one. */
async function search(ask: (page: number) => Promise<readonly ListedPicture[]>, total: number, index: number): Promise<number | undefined> {
  let low = 0;
  let high = Math.ceil(total / pageLength) - 1;
  if (high < 0) return undefined;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const last = (await ask(middle)).at(-1)?.index ?? 0;
    if (last < index) low = middle + 1;
    else high = middle;
  }
  const page = await ask(low);
  const at = page.findIndex((picture) => picture.index >= index);
  return low * pageLength + (at < 0 ? page.length - 1 : at);
}

async function openPicture(connection: LabConnection, dataset: DatasetDetails, index: number): Promise<OpenedPicture> {
  try {
    const { pixels, ...picture } = await connection.call('datasets.picture', { datasetId: dataset.id, index });
    return { ...picture, pixels: readPixels(picture.shape, pixels) };
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    const { pictures } = await connection.call('datasets.browse', { datasetId: dataset.id, offset: index, limit: 1 });
    const split = index < dataset.trainCount ? 'train' : 'test';
    return { index, split, label: pictures[0]?.label ?? 0, shape: dataset.shape, pixels: null };
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'unsupported';
}
