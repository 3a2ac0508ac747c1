// Weights for the bases of networks: those the lab has, the import that is under way, and trained weights on their way to Keras.
// The import goes on while other views are shown; what it matched is kept until it was read.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { Answer, CallInput } from '../../shared/contract/api.ts';
import type { ZooNetwork } from '../../shared/contract/base.ts';
import { LabError, toWire, type WireError } from '../../shared/contract/errors.ts';
import type { FileEntry } from '../../shared/contract/methods/files.ts';
import type { WeightsEntry } from '../../shared/contract/methods/weights.ts';
import type { LabConnection } from '../connection.ts';
import { useConnection } from '../injection.ts';
import { sendFiles, type PutFile, type SentFile } from './uploads.ts';

export type ImportedWeights = Answer<'weights.importFile'>;
export type WeightsExport = CallInput<'weights.prepareExport'>;

export interface WeightsChoice {
  readonly network: ZooNetwork;
  readonly alpha: number;
  /** Becomes the id. */
  readonly name: string;
  readonly source: { readonly from: 'upload'; readonly file: SentFile } | { readonly from: 'machine'; readonly entry: FileEntry };
}

export interface WeightsStage {
  readonly name: string;
  readonly stage: 'sending' | 'reading';
  /** Bytes that were sent; both are 0 while reading. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export const useWeightsStore = defineStore('weights', () => {
  const connection = useConnection();
  /** Null until first read. */
  const weights = shallowRef<readonly WeightsEntry[] | null>(null);
  const error = shallowRef<WireError | null>(null);
  const isWanted = ref(false);

  const refresh = async (): Promise<void> => {
    isWanted.value = true;
    try {
      weights.value = (await connection.call('weights.list', {})).weights;
      error.value = null;
    } catch (problem) {
      error.value = toWire(problem);
    }
  };
  connection.onConnected(() => {
    if (isWanted.value) void refresh();
  });
  connection.onEvent(({ type }) => {
    if (isWanted.value && (type === 'weights.imported' || type === 'weights.removed')) void refresh();
  });
  return {
    weights,
    error,
    refresh,
    find: (id: string): WeightsEntry | undefined => weights.value?.find((entry) => entry.id === id),
    remove: async (id: string): Promise<void> => {
      await connection.call('weights.remove', { id });
      await refresh();
    },
    /** Writes the weights of a finished phase; the address is downloaded once. */
    prepareExport: (wanted: WeightsExport, signal: AbortSignal): Promise<Answer<'weights.prepareExport'>> =>
      connection.call('weights.prepareExport', wanted, { signal }),
    ...createImport(connection, refresh),
  };
});

function createImport(connection: LabConnection, refresh: () => Promise<void>) {
  const stage = shallowRef<WeightsStage | null>(null);
  const failure = shallowRef<{ readonly choice: WeightsChoice; readonly error: WireError } | null>(null);
  const outcome = shallowRef<ImportedWeights | null>(null);
  let control = new AbortController();

  const send = async ({ name, source }: WeightsChoice, put: PutFile | undefined): Promise<string> => {
    if (source.from === 'machine') return source.entry.token;
    const totalBytes = source.file.file.size;
    stage.value = { name, stage: 'sending', bytes: 0, totalBytes };
    const onProgress = ({ bytes }: { bytes: number }): void => {
      stage.value = { name, stage: 'sending', bytes, totalBytes };
    };
    const options = { signal: control.signal, onProgress, ...(put === undefined ? {} : { put }) };
    return (await sendFiles(connection, [source.file], options)).token;
  };
  /** Undefined when it failed, which `failure` tells, or was cancelled; throws `conflict` while another one is under way. */
  const start = async (choice: WeightsChoice, put?: PutFile): Promise<ImportedWeights | undefined> => {
    if (stage.value !== null) {
      throw new LabError('conflict', `${stage.value.name} is being imported.`, { help: 'Wait until it is done, or cancel it.' });
    }
    const { network, alpha, name } = choice;
    control = new AbortController();
    failure.value = null;
    outcome.value = null;
    stage.value = { name, stage: 'reading', bytes: 0, totalBytes: 0 };
    try {
      const token = await send(choice, put);
      stage.value = { name, stage: 'reading', bytes: 0, totalBytes: 0 };
      const answer = await connection.call('weights.importFile', { token, network, alpha, name }, { signal: control.signal });
      outcome.value = answer;
      await refresh();
      return answer;
    } catch (problem) {
      if (!control.signal.aborted) failure.value = { choice, error: toWire(problem) };
      return undefined;
    } finally {
      stage.value = null;
    }
  };
  return {
    stage,
    failure,
    isBusy: computed(() => stage.value !== null),
    /** What the last import brought, until it was read. */
    outcome,
    start,
    cancel: (): void => control.abort(new LabError('cancelled', 'The import was cancelled.')),
    dismiss: (): void => {
      failure.value = null;
      outcome.value = null;
    },
  };
}
