// What finished phases do on their test sets: measures, and the list of predictions that is shown. Results never change, so each is read
// once; predictions come page by page, as far as they are looked at.
import { defineStore } from 'pinia';
import { shallowReactive, shallowRef } from 'vue';
import type { Prediction, Result } from '../../shared/contract/methods/results.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { useConnection } from '../injection.ts';
import { createPredictionList, type PredictionFilter, type PredictionList } from './predictionList.ts';

/** One phase of one run, counted from 0. */
export interface Entry {
  readonly run: RunId;
  readonly phase: number;
}

export const useResultsStore = defineStore('results', () => {
  const connection = useConnection();
  const known = shallowReactive(new Map<string, Result>());
  const mistakes = shallowReactive(new Map<string, readonly Prediction[]>());
  const list = shallowRef<PredictionList | null>(null);

  /** Rejects with `conflict` for a phase that is not finished and `not_found` for one without a test set. */
  const open = async (entry: Entry): Promise<Result> => {
    const found = known.get(keyOf(entry)) ?? (await connection.call('results.show', { ...entry }));
    known.set(keyOf(entry), found);
    return found;
  };
  /** Reads the wrong predictions the network was most certain of. */
  const readMistakes = async (entry: Entry, limit: number): Promise<void> => {
    if (mistakes.has(keyOf(entry))) return;
    const request = { ...entry, outcome: 'wrong', order: 'confidence', limit } as const;
    mistakes.set(keyOf(entry), (await connection.call('results.predictions', request)).predictions);
  };
  /** Starts the list that is shown from here on; its length depends on the number of classes only. */
  const show = (entry: Entry, filter: PredictionFilter, classCount: number): PredictionList => {
    list.value = createPredictionList(connection, { entry, filter, classCount });
    return list.value;
  };
  return {
    open,
    readMistakes,
    show,
    list,
    /** Undefined until it was opened. */
    resultOf: (entry: Entry): Result | undefined => known.get(keyOf(entry)),
    mistakesOf: (entry: Entry): readonly Prediction[] | undefined => mistakes.get(keyOf(entry)),
  };
});

function keyOf({ run, phase }: Entry): string {
  return `${run}:${phase}`;
}
