// Dataset stores that the viewer has open: a few at a time, each with its labels and the lists that recent filters gave. Pictures are
// read from disk by position, so memory does not grow with the pictures.
import { LabError } from '../../shared/contract/errors.ts';
import type { PictureFilter } from '../../shared/domain/pictures.ts';
import { openStore, type DatasetStore } from '../data/store.ts';

const mostStores = 4;
const mostSelections = 8;

export interface OpenStore {
  readonly store: DatasetStore;
  readonly labels: Uint16Array;
  /** Indices of the pictures that the filter leaves, rising; shared, so not to be written to. */
  select(filter: PictureFilter): Uint32Array;
}

export interface StoreReference {
  readonly folder: string;
  readonly fingerprint: string;
}

export interface StoreShelf {
  /** The store stays open until the work is done; throws `dataset_missing` or `dataset_changed`. */
  use<Result>(reference: StoreReference, work: (open: OpenStore) => Result | Promise<Result>): Promise<Result>;
}

interface Shelved {
  readonly open: OpenStore;
  users: number;
}

export function createStoreShelf(): StoreShelf {
  const shelf = new Map<string, Shelved>();
  const take = ({ folder, fingerprint }: StoreReference): Shelved => {
    const key = `${fingerprint} ${folder}`;
    const found = shelf.get(key) ?? { open: openForViewing(folder, fingerprint), users: 0 };
    // Last in the map is last used.
    shelf.delete(key);
    shelf.set(key, found);
    return found;
  };
  const clear = (): void => {
    for (const [key, { open, users }] of shelf) {
      if (shelf.size <= mostStores) return;
      if (users > 0) continue;
      shelf.delete(key);
      open.store.close();
    }
  };
  return {
    async use(reference, work) {
      const shelved = take(reference);
      shelved.users += 1;
      try {
        return await work(shelved.open);
      } finally {
        shelved.users -= 1;
        clear();
      }
    },
  };
}

function openForViewing(folder: string, fingerprint: string): OpenStore {
  const store = openStore(folder, { heldBytes: 0 });
  if (store.manifest.fingerprint !== fingerprint) {
    store.close();
    throw new LabError('dataset_changed', `The dataset in ${folder} is not the one that was asked for.`, {
      expected: `fingerprint ${fingerprint}`,
      received: `fingerprint ${store.manifest.fingerprint}`,
      help: 'Load the page again.',
    });
  }
  const labels = store.readLabels();
  const selections = new Map<string, Uint32Array>();
  return {
    store,
    labels,
    select(filter) {
      const key = `${filter.split} ${filter.classes?.join('.') ?? 'all'}`;
      const found = selections.get(key) ?? selectPictures(store, labels, filter);
      selections.delete(key);
      selections.set(key, found);
      const [oldest] = selections.keys();
      if (selections.size > mostSelections && oldest !== undefined) selections.delete(oldest);
      return found;
    },
  };
}

function selectPictures({ manifest, count }: DatasetStore, labels: Uint16Array, { split, classes }: PictureFilter): Uint32Array {
  const first = split === 'test' ? manifest.trainCount : 0;
  const end = split === 'train' ? manifest.trainCount : count;
  const wanted = classes === null ? null : new Set(classes);
  const selected = new Uint32Array(end - first);
  let length = 0;
  for (let index = first; index < end; index += 1) {
    if (wanted === null || wanted.has(labels[index] ?? -1)) selected[length++] = index;
  }
  return selected.slice(0, length);
}
