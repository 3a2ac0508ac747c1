import type { HandlersOf } from '../../shared/contract/api.ts';
import type { datasetMethods } from '../../shared/contract/methods/datasets.ts';
import type { DatasetService } from '../services/datasets.ts';
import type { FilesService } from '../services/files.ts';
import type { PicturesService } from '../services/pictures.ts';

export interface DatasetServices {
  readonly datasets: DatasetService;
  readonly pictures: PicturesService;
  readonly files: FilesService;
  /** Throws while the core is closing. */
  readonly requireOpen: () => void;
}

export function createDatasetsHandlers({ datasets, pictures, files, requireOpen }: DatasetServices): HandlersOf<typeof datasetMethods> {
  return {
    'datasets.list': () => datasets.list(),
    'datasets.show': ({ datasetId }, { signal }) => datasets.show(datasetId, signal),
    'datasets.import': (request, { signal }) => {
      requireOpen();
      return datasets.import(request, signal);
    },
    'datasets.importFiles': ({ tokens, ...options }, { signal }) => {
      requireOpen();
      return files.consume(tokens, (paths) => datasets.import({ ...options, paths }, signal));
    },
    'datasets.remove': ({ datasetId }) => datasets.remove(datasetId),
    'datasets.browse': (request, { signal }) => pictures.browse(request, signal),
    'datasets.picture': (request, { signal }) => pictures.picture(request, signal),
  };
}
