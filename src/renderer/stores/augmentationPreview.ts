// Training pictures as the augmentation of a phase changes them. Asked for shortly after every edit; what was shown stays until the answer
// is there, and an answer to an older question is never shown. Also the fitting of mean and standard deviation, which reads the same data.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import type { Answer, CallInput } from '../../shared/contract/api.ts';
import type { DatasetDetails } from '../../shared/contract/answers.ts';
import { LabError, toWire, type WireError } from '../../shared/contract/errors.ts';
import type { PreviewAnswer, PreviewPictures } from '../../shared/contract/preview.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import type { LabConnection } from '../connection.ts';
import { useConnection } from '../injection.ts';

const restMs = 120;

export interface PreviewWish {
  readonly recipe: Recipe;
  readonly datasetId: string | null;
  readonly phase: number;
  readonly pictures: PreviewPictures | ChosenByClass;
  readonly extremes: boolean;
}

/** Training pictures of different classes; another round shows others. */
export interface ChosenByClass {
  readonly kind: 'classes';
  readonly dataset: { readonly id: string };
  /** Classes of the dataset that the phase trains on; null means all. */
  readonly classes: readonly number[] | null;
  readonly count: number;
  readonly round: number;
  readonly variants: number;
}

export type FittedInput = Answer<'recipes.fit'>;

export const useAugmentationPreviewStore = defineStore('augmentationPreview', () => {
  const connection = useConnection();
  return { ...followWishes(connection), ...createFitting(connection) };
});

function followWishes(connection: LabConnection) {
  const answer = shallowRef<PreviewAnswer | null>(null);
  const error = shallowRef<WireError | null>(null);
  const asking = shallowRef<AbortController | null>(null);
  const choices = createChoices(connection);
  let latest: PreviewWish | null = null;

  const ask = async (wish: PreviewWish, waitMs: number): Promise<void> => {
    asking.value?.abort(new LabError('cancelled', 'Another preview was asked for.'));
    const mine = new AbortController();
    asking.value = mine;
    latest = wish;
    try {
      await rest(waitMs, mine.signal);
      const pictures = wish.pictures.kind === 'classes' ? await choices.choose(wish.pictures) : wish.pictures;
      const { recipe, datasetId, phase, extremes } = wish;
      const request: CallInput<'recipes.previewAugmentation'> = {
        recipe: { from: 'content', content: recipe },
        datasetId,
        phase,
        pictures,
        extremes,
      };
      const found = await connection.call('recipes.previewAugmentation', request, { signal: mine.signal });
      if (asking.value !== mine) return;
      answer.value = found;
      error.value = null;
    } catch (problem) {
      if (asking.value === mine) error.value = toWire(problem);
    }
    if (asking.value === mine) asking.value = null;
  };
  // What failed while the lab was away is asked for again.
  connection.onConnected(() => {
    if (latest !== null && error.value !== null) void ask(latest, 0);
  });
  return {
    answer,
    error,
    isBusy: computed(() => asking.value !== null),
    /** Shows this shortly, unless something else is wished meanwhile. */
    show: (wish: PreviewWish): Promise<void> => ask(wish, restMs),
    /** The same once more, when its sheet is gone or it failed. */
    again: async (): Promise<void> => {
      if (latest !== null) await ask(latest, 0);
    },
    /** Nobody looks any more. */
    leave: (): void => {
      asking.value?.abort(new LabError('cancelled', 'The preview was left.'));
      asking.value = null;
      latest = null;
    },
    /** Of another draft. */
    forget: (): void => {
      answer.value = null;
      error.value = null;
    },
  };
}

/** Which picture of the dataset stands where in its class, asked once. */
function createChoices(connection: LabConnection) {
  const details = new Map<string, Promise<DatasetDetails>>();
  const indices = new Map<string, Promise<number | undefined>>();

  const remember = <Value>(known: Map<string, Promise<Value>>, key: string, ask: () => Promise<Value>): Promise<Value> => {
    const found = known.get(key) ?? ask();
    known.set(key, found);
    found.catch(() => known.delete(key));
    return found;
  };
  const find = (datasetId: string, fingerprint: string, label: number, offset: number): Promise<number | undefined> =>
    remember(indices, `${fingerprint}/${label}/${offset}`, async () => {
      const request = { datasetId, split: 'train' as const, classes: [label], offset, limit: 1 };
      return (await connection.call('datasets.browse', request)).pictures[0]?.index;
    });
  return {
    choose: async ({ dataset, classes, count, round, variants }: ChosenByClass): Promise<PreviewPictures> => {
      const { fingerprint, perClass } = await remember(details, dataset.id, () =>
        connection.call('datasets.show', { datasetId: dataset.id }),
      );
      const present = (classes ?? perClass.map((_, label) => label)).filter((label) => (perClass[label]?.train ?? 0) > 0);
      const labels = spread(present, count, round);
      const found = await Promise.all(
        labels.map((label, position) => {
          const inClass = perClass[label]?.train ?? 1;
          return find(dataset.id, fingerprint, label, (round * 7919 + position * 31) % inClass);
        }),
      );
      const chosen = [...new Set(found.filter((index) => index !== undefined))];
      return chosen.length === 0 ? { kind: 'training', count, variants } : { kind: 'chosen', indices: chosen, variants };
    },
  };
}

/** `count` of the classes spread over all of them; each round begins one class further. With fewer classes than wanted they repeat. */
export function spread(classes: readonly number[], count: number, round: number): number[] {
  if (classes.length === 0) return [];
  const step = Math.max(1, classes.length / count);
  return Array.from({ length: count }, (_, position) => classes[(Math.floor(position * step) + round) % classes.length] ?? 0);
}

function createFitting(connection: LabConnection) {
  const fitting = shallowRef<AbortController | null>(null);
  return {
    isFitting: computed(() => fitting.value !== null),
    /** Undefined when it was cancelled. */
    fit: async (recipe: Recipe, datasetId: string | null): Promise<FittedInput | undefined> => {
      const control = new AbortController();
      fitting.value?.abort(new LabError('cancelled', 'Another fit was asked for.'));
      fitting.value = control;
      try {
        const request = { recipe: { from: 'content', content: recipe }, datasetId } as const;
        return await connection.call('recipes.fit', request, { signal: control.signal });
      } catch (problem) {
        if (control.signal.aborted) return undefined;
        throw problem;
      } finally {
        if (fitting.value === control) fitting.value = null;
      }
    },
    cancelFitting: (): void => fitting.value?.abort(new LabError('cancelled', 'The fit was cancelled.')),
  };
}

function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(toError(signal.reason));
    });
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new LabError('cancelled', 'The preview was cancelled.');
}
