// What the viewer child answers: one handler per row of contract/viewer.ts. Handlers may run at the same time; each stops when its
// signal is aborted. What they share (open stores, means) is made here, once per process.
import type { ViewerAnswer, ViewerCall, ViewerRequest } from '../../shared/contract/viewer.ts';
import { createAugmentedPictures } from './augmented.ts';
import { fitInput } from './fit.ts';
import { createMeans } from './means.ts';
import { browseStore, drawPicture, drawSheet, readPixels } from './pictures.ts';
import { createResultShelf } from './results.ts';
import { measureSplit } from './splits.ts';
import { createStoreShelf } from './stores.ts';

export type ViewerHandlers = {
  readonly [Call in ViewerCall]: (request: ViewerRequest<Call>, signal: AbortSignal) => Promise<ViewerAnswer<Call>>;
};

export function createViewerHandlers(): ViewerHandlers {
  const shelf = createStoreShelf();
  const means = createMeans();
  const augmented = createAugmentedPictures();
  const results = createResultShelf();
  return {
    browse: (request) => shelf.use(request, (open) => browseStore(open, request)),
    sheet: (request, signal) => shelf.use(request, (open) => drawSheet(open, request, signal)),
    picture: (request) => shelf.use(request, (open) => drawPicture(open, request.index)),
    mean: (request, signal) => shelf.use(request, (open) => means.draw(open, request, signal)),
    pixels: (request) => shelf.use(request, (open) => readPixels(open, request.index)),
    measures: (request) => Promise.resolve(results.measure(request)),
    predictions: (request) => Promise.resolve(results.list(request)),
    splitSizes: (request) => shelf.use(request, (open) => measureSplit(open, request)),
    augmented: (request, signal) => shelf.use(request, (open) => augmented.draw(open, request, signal)),
    fit: (request, signal) => shelf.use(request, (open) => fitInput(open, request, signal)),
  };
}
