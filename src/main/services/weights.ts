// Weights for the bases of networks: those that come with the lab and those that a person imported; and trained weights written for Keras.
// Files are read and written by the converter child; here is only what the lab has and where it lies.
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { WeightsEntry } from '../../shared/contract/methods/weights.ts';
import type { BaseWeights } from '../../shared/contract/worker.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import type { ChildPrograms } from './supervisor.ts';

export interface WeightsService {
  list(): Answer<'weights.list'>;
  find(id: string): WeightsEntry | undefined;
  /** The file a trainer reads; throws `weights_missing` when there are none of this id. */
  locate(id: string): BaseWeights;
  import(request: HandlerInput<'weights.import'>, signal: AbortSignal): Promise<Answer<'weights.import'>>;
  importFile(request: HandlerInput<'weights.importFile'>, signal: AbortSignal): Promise<Answer<'weights.importFile'>>;
  remove(id: string): Promise<Answer<'weights.remove'>>;
  export(request: HandlerInput<'weights.export'>, signal: AbortSignal): Promise<Answer<'weights.export'>>;
  prepareExport(request: HandlerInput<'weights.prepareExport'>, signal: AbortSignal): Promise<Answer<'weights.prepareExport'>>;
}

export interface WeightsSurroundings {
  readonly places: WorkspacePlaces;
  readonly programs: ChildPrograms;
  readonly resourcesFolder: string;
}

export function createWeights(surroundings: WeightsSurroundings): WeightsService {
  const refuse = (): never => {
    throw new LabError('unsupported', `Weights cannot be used in ${surroundings.places.folder}.`);
  };
  return {
    list: () => ({ weights: [] }),
    find: () => undefined,
    locate: refuse,
    import: refuse,
    importFile: refuse,
    remove: refuse,
    export: refuse,
    prepareExport: refuse,
  };
}
