import type { HandlersOf } from '../../shared/contract/api.ts';
import type { reportMethods } from '../../shared/contract/methods/reports.ts';
import type { ReportsService } from '../services/reports.ts';

export function createReportsHandlers(reports: ReportsService): HandlersOf<typeof reportMethods> {
  return {
    'reports.create': (request, { signal }) => reports.create(request, signal),
    'reports.list': () => reports.list(),
    'reports.remove': ({ reportId }) => reports.remove(reportId),
    'reports.export': (request, { signal }) => reports.exportTo(request, signal),
  };
}
