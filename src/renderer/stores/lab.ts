// The state of the lab itself: connection, host, what trains and waits, and the newest progress for the status line.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { Answer } from '../../shared/contract/api.ts';
import type { LabEvent, VolatileEvent } from '../../shared/contract/events.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import { useConnection } from '../injection.ts';
import type { ConnectionState } from '../connection.ts';

export type Progress = Extract<VolatileEvent, { type: 'run.progress' }>;
export type Resources = Extract<VolatileEvent, { type: 'run.resources' }>;

/** Events after which the queue may be another one. */
const queueEvents: readonly LabEvent['type'][] = [
  'run.created',
  'run.queued',
  'run.started',
  'run.finished',
  'run.failed',
  'run.stopped',
  'run.interrupted',
  'queue.changed',
];

export const useLabStore = defineStore('lab', () => {
  const connection = useConnection();
  const state = ref<ConnectionState>(connection.state());
  const host = shallowRef<Answer<'core.host'> | null>(null);
  const status = shallowRef<Answer<'core.status'> | null>(null);
  const progress = shallowRef<Progress | null>(null);
  const resources = shallowRef<Resources | null>(null);

  const refresh = async (): Promise<void> => {
    status.value = await connection.call('core.status', {});
  };
  connection.onState((next) => {
    state.value = next;
  });
  connection.onConnected(() => {
    void refresh().catch(() => undefined);
    void connection.call('core.host', {}).then(
      (answer) => {
        host.value = answer;
      },
      () => undefined,
    );
  });
  connection.onEvent((event) => {
    if (event.type === 'run.progress') progress.value = event;
    if (event.type === 'run.resources') resources.value = event;
    if (queueEvents.includes(event.type)) void refresh().catch(() => undefined);
  });

  const runningId = computed<RunId | null>(() => status.value?.running[0] ?? null);
  const current = computed(() => (progress.value?.runId === runningId.value ? progress.value : null));
  return {
    state,
    host,
    status,
    resources,
    runningId,
    queued: computed(() => status.value?.queued ?? []),
    /** Of the run that trains; null while nothing trains. */
    progress: current,
    refresh,
  };
});
