// The predictions a filter leaves, in one order: known page by page, as far as they were asked for.
import { shallowReactive, shallowRef, type Ref } from 'vue';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import type { CallInput } from '../../shared/contract/api.ts';
import type { Prediction } from '../../shared/contract/methods/results.ts';
import type { LabConnection } from '../connection.ts';

type Request = Required<CallInput<'results.predictions'>>;

/** Class indices of the phase; null means every class. */
export type PredictionFilter = Readonly<Pick<Request, 'outcome' | 'label' | 'predicted' | 'order'>>;

export interface PredictionList {
  readonly filter: PredictionFilter;
  /** Null until the first page is there. */
  readonly total: Readonly<Ref<number | null>>;
  /** Why the last page asked for did not come. */
  readonly error: Readonly<Ref<WireError | null>>;
  /** By its place in this list; undefined while it is not known. */
  at(rank: number): Prediction | undefined;
  /** Resolves when everything from one place to another is known or has failed; failed pages are asked for again next time. */
  need(from: number, to: number): Promise<void>;
}

export interface PredictionListParts {
  readonly entry: Pick<Request, 'run' | 'phase'>;
  readonly filter: PredictionFilter;
  readonly classCount: number;
}

const longestPage = 200;
/** More would not fit into one message. */
const mostProbabilities = 40_000;

export function createPredictionList(connection: LabConnection, { entry, filter, classCount }: PredictionListParts): PredictionList {
  const limit = Math.max(1, Math.min(longestPage, Math.floor(mostProbabilities / Math.max(1, classCount))));
  const total = shallowRef<number | null>(null);
  const error = shallowRef<WireError | null>(null);
  const pages = shallowReactive(new Map<number, readonly Prediction[]>());
  const asked = new Map<number, Promise<void>>();

  const read = async (page: number): Promise<void> => {
    try {
      const answer = await connection.call('results.predictions', { ...entry, ...filter, offset: page * limit, limit });
      pages.set(page, answer.predictions);
      total.value = answer.total;
      error.value = null;
    } catch (problem) {
      asked.delete(page);
      error.value = toWire(problem);
    }
  };
  const ask = (page: number): Promise<void> => {
    const answer = asked.get(page) ?? read(page);
    asked.set(page, answer);
    return answer;
  };
  return {
    filter,
    total,
    error,
    at: (rank) => pages.get(Math.floor(rank / limit))?.[rank % limit],
    need: async (from, to) => {
      const last = Math.min(to, (total.value ?? Infinity) - 1);
      const wanted: Promise<void>[] = [];
      for (let page = Math.floor(Math.max(0, from) / limit); page * limit <= last; page += 1) wanted.push(ask(page));
      await Promise.all(wanted);
    },
  };
}
