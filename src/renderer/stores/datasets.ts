// The datasets of the workspace, the details of those that were opened, and the progress of unpacking one that comes with the program.
import { defineStore } from 'pinia';
import { computed, shallowReactive, shallowRef } from 'vue';
import type { DatasetAnswer, DatasetDetails } from '../../shared/contract/answers.ts';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import { useConnection } from '../injection.ts';
import type { LabConnection } from '../connection.ts';

export interface DatasetUse {
  readonly active: number;
  readonly archived: number;
  readonly trashed: number;
  /** Names of the newest that are neither archived nor trashed. */
  readonly names: readonly string[];
}

interface Counted {
  readonly done: number;
  readonly total: number;
}

const namedRuns = 5;

export const useDatasetsStore = defineStore('datasets', () => {
  const connection = useConnection();
  const datasets = shallowRef<readonly DatasetAnswer[] | null>(null);
  const bundled = shallowRef<ReadonlySet<string>>(new Set());
  const error = shallowRef<WireError | null>(null);
  const details = shallowReactive(new Map<string, DatasetDetails>());
  const unpacking = shallowReactive(new Map<string, Counted>());

  const refresh = async (): Promise<void> => {
    try {
      const answer = await connection.call('datasets.list', {});
      datasets.value = answer.datasets;
      bundled.value = new Set(answer.bundled);
      error.value = null;
      forgetRemoved(details, answer.datasets);
    } catch (problem) {
      error.value = toWire(problem);
    }
  };
  /** Unpacks a dataset that comes with the program first; rejects with `not_found` for an unknown one. */
  const open = async (datasetId: string): Promise<DatasetDetails> => {
    const known = details.get(datasetId);
    if (known !== undefined) return known;
    try {
      const answer = await connection.call('datasets.show', { datasetId });
      details.set(datasetId, answer);
      return answer;
    } finally {
      unpacking.delete(datasetId);
    }
  };
  const remove = async (datasetId: string): Promise<void> => {
    await connection.call('datasets.remove', { datasetId });
    await refresh();
  };

  connection.onConnected(() => void refresh());
  connection.onEvent((event) => {
    if (event.type === 'dataset.imported' || event.type === 'dataset.removed') void refresh();
    if (event.type === 'dataset.progress' && bundled.value.has(event.name)) unpacking.set(event.name, event);
  });
  if (connection.state() === 'connected') void refresh();

  return {
    datasets,
    error,
    details,
    unpacking,
    isEmpty: computed(() => datasets.value?.length === 0),
    isBundled: (datasetId: string): boolean => bundled.value.has(datasetId),
    find: (datasetId: string): DatasetAnswer | undefined => datasets.value?.find(({ id }) => id === datasetId),
    refresh,
    open,
    remove,
    countUse: (datasetId: string): Promise<DatasetUse> => countUse(connection, datasetId),
  };
});

/** Runs that name the dataset, wherever they are kept. */
async function countUse(connection: LabConnection, datasetId: string): Promise<DatasetUse> {
  const filters = [{ field: 'datasetId', operator: '=' as const, value: datasetId }];
  const ask = (view: 'active' | 'archived' | 'trash') => connection.call('runs.query', { view, filters, limit: namedRuns });
  const [active, archived, trashed] = await Promise.all([ask('active'), ask('archived'), ask('trash')]);
  return { active: active.total, archived: archived.total, trashed: trashed.total, names: active.rows.map(({ name }) => name) };
}

/** An id may come back with other pictures. */
function forgetRemoved(details: Map<string, DatasetDetails>, present: readonly DatasetAnswer[]): void {
  const fingerprints = new Map<string, string>(present.map(({ id, fingerprint }) => [id, fingerprint]));
  for (const [id, { fingerprint }] of details) if (fingerprints.get(id) !== fingerprint) details.delete(id);
}
