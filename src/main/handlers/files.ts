import type { HandlersOf } from '../../shared/contract/api.ts';
import type { fileMethods } from '../../shared/contract/methods/files.ts';
import type { FilesService } from '../services/files.ts';

export function createFilesHandlers(files: FilesService): HandlersOf<typeof fileMethods> {
  return {
    'files.places': () => files.places(),
    'files.browse': (request) => files.browse(request),
    'files.choose': (request) => files.choose(request),
    'uploads.open': (request) => files.openUpload(request),
    'uploads.name': (request) => files.nameUpload(request),
    'uploads.discard': ({ uploadId }) => files.discardUpload(uploadId),
  };
}
