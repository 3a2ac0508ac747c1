// The import that is under way: files on their way to the lab, then pictures being read. One at a time; it goes on while other views are
// shown, and what it left out is kept until it was read.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import type { DatasetImportAnswer } from '../../shared/contract/answers.ts';
import { LabError, toWire, type WireError } from '../../shared/contract/errors.ts';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import type { FileEntry } from '../../shared/contract/methods/files.ts';
import { useConnection } from '../injection.ts';
import { sendFiles, type PutFile, type SentFile } from './uploads.ts';

export interface ImportChoice {
  readonly name: string;
  /** Side of the stored pictures in pixels; null keeps them as they are. */
  readonly size: number | null;
  /** Null lets the lab find out. */
  readonly kind: DatasetManifest['kind'] | null;
  readonly source:
    { readonly from: 'upload'; readonly files: readonly SentFile[] } | { readonly from: 'machine'; readonly entries: readonly FileEntry[] };
}

export interface ImportStage {
  readonly name: string;
  readonly stage: 'sending' | 'reading';
  /** Files while sending, pictures while reading; the total is 0 while it is unknown. */
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Bytes per second while sending, pictures per second while reading; null in the first moments. */
  readonly rate: number | null;
  readonly remainingSeconds: number | null;
}

/** Before that a rate says nothing. */
const measuredAfterMs = 500;

export const useImportsStore = defineStore('imports', () => {
  const connection = useConnection();
  const { stage, begin, advance, restartClock } = createStages();
  const failure = shallowRef<{ readonly choice: ImportChoice; readonly error: WireError } | null>(null);
  const outcome = shallowRef<DatasetImportAnswer | null>(null);
  let control = new AbortController();

  connection.onEvent((event) => {
    if (event.type !== 'dataset.progress' || stage.value?.stage !== 'reading' || event.name !== stage.value.name) return;
    // The rate is that of reading pictures, not of listing files before.
    if (stage.value.done === 0) restartClock();
    advance({ done: event.done, total: event.total });
  });

  const send = async (choice: ImportChoice, put: PutFile | undefined): Promise<readonly string[]> => {
    const { source, name } = choice;
    if (source.from === 'machine') return source.entries.map(({ token }) => token);
    const bytes = source.files.reduce((sum, { file }) => sum + file.size, 0);
    begin(name, 'sending', source.files.length, bytes);
    const onProgress = (sent: { files: number; bytes: number }): void => advance({ done: sent.files, bytes: sent.bytes });
    const options = { signal: control.signal, onProgress, ...(put === undefined ? {} : { put }) };
    return [(await sendFiles(connection, source.files, options)).token];
  };
  /** Undefined when it failed, which `failure` tells, or was cancelled; throws `conflict` while another one is under way. */
  const start = async (choice: ImportChoice, put?: PutFile): Promise<DatasetImportAnswer | undefined> => {
    if (stage.value !== null) throw busy(stage.value.name);
    const { name, size, kind } = choice;
    control = new AbortController();
    failure.value = null;
    outcome.value = null;
    begin(name, 'reading', 0, 0);
    try {
      const tokens = await send(choice, put);
      begin(name, 'reading', 0, 0);
      outcome.value = await connection.call('datasets.importFiles', { tokens: [...tokens], name, size, kind }, { signal: control.signal });
      return outcome.value;
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
});

/** How far the import is, how fast, and how long it still takes. */
function createStages() {
  const stage = shallowRef<ImportStage | null>(null);
  let startedMs = 0;
  const restartClock = (): void => {
    startedMs = performance.now();
  };
  const begin = (name: string, kind: ImportStage['stage'], total: number, totalBytes: number): void => {
    restartClock();
    stage.value = { name, stage: kind, done: 0, total, bytes: 0, totalBytes, rate: null, remainingSeconds: null };
  };
  const advance = (change: Partial<ImportStage>): void => {
    if (stage.value === null) return;
    const changed = { ...stage.value, ...change };
    const [done, total] = changed.stage === 'sending' ? [changed.bytes, changed.totalBytes] : [changed.done, changed.total];
    const elapsedMs = performance.now() - startedMs;
    const rate = elapsedMs < measuredAfterMs || done === 0 ? null : done / (elapsedMs / 1000);
    stage.value = { ...changed, rate, remainingSeconds: rate === null || total === 0 ? null : (total - done) / rate };
  };
  return { stage, begin, advance, restartClock };
}

function busy(name: string): LabError {
  return new LabError('conflict', `${name} is being imported.`, { help: 'Wait until it is done, or cancel it.' });
}
