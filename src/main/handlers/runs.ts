import type { HandlersOf } from '../../shared/contract/api.ts';
import type { runMethods } from '../../shared/contract/methods/runs.ts';
import type { HistoryService } from '../services/history.ts';
import type { RunService } from '../services/runs.ts';

export interface RunServices {
  readonly runs: RunService;
  readonly history: HistoryService;
  /** Throws while the core is closing. */
  readonly requireOpen: () => void;
}

export function createRunsHandlers({ runs, history, requireOpen }: RunServices): HandlersOf<typeof runMethods> {
  return {
    'runs.create': (request) => {
      requireOpen();
      return runs.create(request);
    },
    'runs.createGroup': ({ requests }) => {
      requireOpen();
      return runs.createGroup(requests);
    },
    'runs.list': (filter) => runs.list(filter),
    'runs.query': (query) => history.query(query),
    'runs.fields': () => history.fields(),
    'runs.tags': () => history.tags(),
    'runs.show': ({ run }) => runs.show(run),
    'runs.epochs': ({ run, offset, limit }) => runs.epochs(run, offset, limit),
    'runs.series': (request) => history.series(request),
    'runs.edit': (request) => history.edit(request),
    'runs.archive': ({ runs: references }) => history.archive(references),
    'runs.unarchive': ({ runs: references }) => history.unarchive(references),
    'runs.reorder': ({ run, before }) => runs.reorder(run, before),
    'runs.resume': ({ run }) => {
      requireOpen();
      return runs.resume(run);
    },
    'runs.pause': ({ run }, { signal }) => runs.pause(run, signal),
    'runs.stop': ({ run }, { signal }) => runs.stop(run, signal),
    'runs.delete': ({ runs: references }) => runs.trash(references),
    'runs.restore': ({ runs: references }) => runs.restore(references),
  };
}
