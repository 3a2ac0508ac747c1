// Reports that are kept in the workspace, and the one that is being made; that one goes on while the person looks at something else.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { CallInput } from '../../shared/contract/api.ts';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import type { ReportSummary } from '../../shared/contract/methods/reports.ts';
import { useConnection } from '../injection.ts';

export type ReportRequest = CallInput<'reports.create'>;

export interface ReportMaking {
  readonly title: string;
  readonly startedAt: number;
}

export const useReportsStore = defineStore('reports', () => {
  const connection = useConnection();
  /** Newest first; null until first read. */
  const reports = shallowRef<readonly ReportSummary[] | null>(null);
  const error = shallowRef<WireError | null>(null);
  const making = shallowRef<ReportMaking | null>(null);
  const isOpened = ref(false);
  let work: AbortController | undefined;

  const read = async (): Promise<void> => {
    isOpened.value = true;
    try {
      reports.value = (await connection.call('reports.list', {})).reports;
      error.value = null;
    } catch (problem) {
      error.value = toWire(problem);
    }
  };
  /** Rejects with `cancelled` after `cancel`; nothing is left of the report then. */
  const create = async (request: ReportRequest): Promise<ReportSummary> => {
    work?.abort();
    const own = new AbortController();
    work = own;
    making.value = { title: request.title ?? '', startedAt: Date.now() };
    try {
      const made = await connection.call('reports.create', request, { signal: own.signal });
      reports.value = [made, ...(reports.value ?? []).filter(({ reportId }) => reportId !== made.reportId)];
      return made;
    } finally {
      if (work === own) making.value = null;
    }
  };
  const remove = async (reportId: string): Promise<void> => {
    await connection.call('reports.remove', { reportId });
    reports.value = (reports.value ?? []).filter((report) => report.reportId !== reportId);
  };

  connection.onEvent((event) => {
    if (isOpened.value && (event.type === 'report.created' || event.type === 'report.removed')) void read();
  });
  connection.onConnected(() => {
    if (isOpened.value) void read();
  });
  return {
    reports,
    error,
    making: computed(() => making.value),
    read,
    create,
    cancel: () => work?.abort(),
    remove,
    find: (reportId: string): ReportSummary | undefined => reports.value?.find((report) => report.reportId === reportId),
  };
});

/** Where a page finds a file of a report. */
export function reportFileUrl(reportId: string, name: string): string {
  return `/report/${reportId}/${name}`;
}
