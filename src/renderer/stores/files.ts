// Folders of the lab's machine in which a person may choose: places, what lies in them, and the native dialog where there is one.
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { CallInput } from '../../shared/contract/api.ts';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import type { FileEntry } from '../../shared/contract/methods/files.ts';
import { useConnection } from '../injection.ts';

const pageLength = 500;

export const useFilesStore = defineStore('files', () => {
  const connection = useConnection();
  /** From the place down to the folder that is shown; empty where the places themselves are shown. */
  const trail = shallowRef<readonly FileEntry[]>([]);
  const entries = shallowRef<readonly FileEntry[]>([]);
  const total = ref(0);
  const isBusy = ref(false);
  const error = shallowRef<WireError | null>(null);
  let lastRequest = 0;

  /** Only the newest request is shown, whatever order the answers come in. */
  const load = async (work: () => Promise<() => void>): Promise<void> => {
    lastRequest += 1;
    const request = lastRequest;
    isBusy.value = true;
    try {
      const apply = await work();
      if (request !== lastRequest) return;
      apply();
      error.value = null;
    } catch (problem) {
      if (request === lastRequest) error.value = toWire(problem);
    } finally {
      if (request === lastRequest) isBusy.value = false;
    }
  };
  const showPlaces = (): Promise<void> =>
    load(async () => {
      const { places } = await connection.call('files.places', {});
      return () => {
        trail.value = [];
        entries.value = places;
        total.value = places.length;
      };
    });
  const openFolder = (token: string): Promise<void> =>
    load(async () => {
      const answer = await connection.call('files.browse', { token, limit: pageLength });
      return () => {
        trail.value = answer.trail;
        entries.value = answer.entries;
        total.value = answer.total;
      };
    });
  /** The next entries of the folder that is shown. */
  const loadMore = (): Promise<void> =>
    load(async () => {
      const token = trail.value.at(-1)?.token;
      if (token === undefined) return () => undefined;
      const answer = await connection.call('files.browse', { token, offset: entries.value.length, limit: pageLength });
      return () => {
        entries.value = [...entries.value, ...answer.entries];
        total.value = answer.entries.length === 0 ? entries.value.length : answer.total;
      };
    });
  /** A native dialog; an empty list when the person cancelled it. */
  const choose = async (purpose: CallInput<'files.choose'>['purpose']): Promise<readonly FileEntry[]> =>
    (await connection.call('files.choose', { purpose })).chosen;

  return { trail, entries, total, isBusy, error, showPlaces, openFolder, loadMore, choose };
});
