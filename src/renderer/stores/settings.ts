// Settings of the workspace and what it holds on the disk.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import type { FeatureEntry, Settings, WorkspaceAnswer } from '../../shared/contract/methods/core.ts';
import { useConnection } from '../injection.ts';

export const useSettingsStore = defineStore('settings', () => {
  const connection = useConnection();
  const settings = shallowRef<Settings | null>(null);
  const workspace = shallowRef<WorkspaceAnswer | null>(null);
  const features = shallowRef<readonly FeatureEntry[]>([]);

  const load = async (): Promise<void> => {
    settings.value = await connection.call('settings.show', {});
  };
  /** Sizes are counted on the disk, which takes a moment. */
  const measure = async (): Promise<void> => {
    const [answer, { entries }] = await Promise.all([connection.call('workspace.show', {}), connection.call('features.list', {})]);
    workspace.value = answer;
    features.value = entries;
  };
  const update = async (change: Partial<Settings>): Promise<void> => {
    settings.value = await connection.call('settings.update', change);
  };
  const clean = async (what: 'caches' | 'features' | 'trash'): Promise<{ freedBytes: number; removed: number }> => {
    const answer = await connection.call('workspace.clean', { what });
    await measure();
    return answer;
  };
  connection.onEvent((event) => {
    if (event.type === 'settings.changed') void load().catch(() => undefined);
  });
  return { settings, workspace, features, load, measure, update, clean };
});
