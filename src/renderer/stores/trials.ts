// Own pictures that a person tries on a trained network: sent to the lab once, predicted for whichever phase is looked at, and gone from
// the lab when they are replaced or the results are left.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import type { Answer } from '../../shared/contract/api.ts';
import { LabError, toWire, type WireError } from '../../shared/contract/errors.ts';
import { useConnection } from '../injection.ts';
import type { Entry } from './results.ts';
import { createTrialUpload } from './trialUpload.ts';
import type { PutFile } from './uploads.ts';

export const mostTrials = 50;

export interface ChosenPicture {
  readonly name: string;
  readonly file: Blob;
  /** For an image element, valid until the pictures are replaced or cleared. */
  readonly url: string;
}

export interface TrialAnswer extends Answer<'results.try'> {
  readonly entry: Entry;
  readonly isInverted: boolean;
}

export type TrialStage = 'resting' | 'sending' | 'predicting';

export const useTrialsStore = defineStore('trials', () => {
  const connection = useConnection();
  const pictures = shallowRef<readonly ChosenPicture[]>([]);
  /** How many more were chosen than can be tried at once. */
  const leftOut = shallowRef(0);
  const answer = shallowRef<TrialAnswer | null>(null);
  const error = shallowRef<WireError | null>(null);
  const stage = shallowRef<TrialStage>('resting');
  const upload = createTrialUpload(connection);
  const turns = createTurns();

  /** Predicts the chosen pictures; an earlier request that is still under way is given up. */
  const predict = async (entry: Entry, isInverted: boolean, put?: PutFile): Promise<void> => {
    const mine = turns.next('Something else is predicted instead.');
    error.value = null;
    answer.value = null;
    const ask = (token: string): Promise<Answer<'results.try'>> => {
      stage.value = 'predicting';
      return connection.call('results.try', { ...entry, tokens: [token], isInverted }, { signal: mine });
    };
    try {
      stage.value = 'sending';
      const predicted = await upload.use(pictures.value, ask, { signal: mine, ...(put === undefined ? {} : { put }) });
      if (turns.isLast(mine)) answer.value = { ...predicted, entry, isInverted };
    } catch (problem) {
      if (turns.isLast(mine) && !mine.aborted) error.value = toWire(problem);
    } finally {
      if (turns.isLast(mine)) stage.value = 'resting';
    }
  };
  /** Nothing of the pictures stays, neither here nor in the lab. */
  const clear = (): void => {
    turns.next('The pictures were put away.');
    for (const { url } of pictures.value) URL.revokeObjectURL(url);
    upload.discard();
    pictures.value = [];
    leftOut.value = 0;
    answer.value = null;
    error.value = null;
    stage.value = 'resting';
  };
  /** Replaces the pictures by the first of these. */
  const choose = (files: readonly { readonly name: string; readonly file: Blob }[]): void => {
    clear();
    pictures.value = files.slice(0, mostTrials).map(({ name, file }) => ({ name, file, url: URL.createObjectURL(file) }));
    leftOut.value = files.length - pictures.value.length;
  };
  return {
    pictures,
    leftOut,
    answer,
    error,
    stage,
    isBusy: computed(() => stage.value !== 'resting'),
    choose,
    predict,
    cancel: (): void => turns.end('The prediction was cancelled.'),
    clear,
  };
});

/** One request at a time: the next one gives up the one before. */
function createTurns() {
  let control = new AbortController();
  const end = (reason: string): void => control.abort(new LabError('cancelled', reason));
  return {
    next: (reason: string): AbortSignal => {
      end(reason);
      control = new AbortController();
      return control.signal;
    },
    end,
    isLast: (signal: AbortSignal): boolean => signal === control.signal,
  };
}
