import type { ViewerAnswer, ViewerRequest } from '../../shared/contract/viewer.ts';
import { makeSplit, selectClasses } from '../../shared/domain/split.ts';
import type { OpenStore } from './stores.ts';

/** The sizes that training would find, from the same split of the same labels; throws `bad_recipe` where training would. */
export function measureSplit({ store, labels }: OpenStore, { split, phases }: ViewerRequest<'splitSizes'>): ViewerAnswer<'splitSizes'> {
  const { trainCount, testCount, classes } = store.manifest;
  const lists = makeSplit({ labels, trainCount, testCount, classCount: classes.length, split });
  const countIn = (indices: Uint32Array, wanted: number[] | null): number =>
    wanted === null ? indices.length : selectClasses(indices, labels, wanted).indices.length;
  return {
    phases: phases.map((wanted) => ({
      train: countIn(lists.train, wanted),
      validation: countIn(lists.validation, wanted),
      test: countIn(lists.test, wanted),
    })),
  };
}
