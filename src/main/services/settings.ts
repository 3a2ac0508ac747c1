// Settings of a workspace, kept in settings.json beside its history. The file is read each time it is needed: it is small, and a person may
// have edited it.
import { existsSync, readFileSync } from 'node:fs';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { settingsSchema, type Settings } from '../../shared/contract/methods/core.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { validate } from '../../shared/contract/validation.ts';
import { writeAtomically, type WorkspacePlaces } from '../db/workspace.ts';
import type { EventService } from './events.ts';

export interface SettingsService {
  /** Throws `workspace_damaged` when the file cannot be understood; it is never overwritten then. */
  show(): Answer<'settings.show'>;
  update(change: HandlerInput<'settings.update'>): Answer<'settings.update'>;
}

export interface SettingsSurroundings {
  readonly places: WorkspacePlaces;
  readonly events: EventService;
}

const untouched: Settings = { threads: null, featureCacheBytes: null };

export function createSettings({ places, events }: SettingsSurroundings): SettingsService {
  const show = (): Settings => readSettings(places.settings);
  return {
    show,
    update: (change) => {
      const before = show();
      const after: Settings = {
        threads: change.threads === undefined ? before.threads : change.threads,
        featureCacheBytes: change.featureCacheBytes === undefined ? before.featureCacheBytes : change.featureCacheBytes,
      };
      if (after.threads === before.threads && after.featureCacheBytes === before.featureCacheBytes) return before;
      // Inside the commit: when the file cannot be written, nothing was changed and nothing is announced.
      events.commitLab({ type: 'settings.changed' }, () => writeAtomically(places.settings, `${JSON.stringify(after, null, 2)}\n`));
      return after;
    },
  };
}

function readSettings(path: string): Settings {
  if (!existsSync(path)) return untouched;
  const help = 'Correct the file, or delete it to begin with the settings the lab comes with.';
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new LabError('workspace_damaged', `The settings ${path} cannot be read.`, { expected: 'a file with JSON', help, cause });
  }
  return validate(settingsSchema, content, `The settings ${path}`, { code: 'workspace_damaged', help });
}

/**
 * What the trainer's library reads when it is loaded; empty leaves it every core. TensorFlow computes on one thread only when both are 1
 * (measured: 1.9 s of processor time on one thread, 1.1 and 1.0 s on two when either is left out); OMP_NUM_THREADS changes nothing.
 */
export function trainingEnvironment({ threads }: Pick<Settings, 'threads'>): Readonly<Record<string, string>> {
  if (threads === null) return {};
  const count = String(threads);
  return { TF_NUM_INTRAOP_THREADS: count, TF_NUM_INTEROP_THREADS: count };
}
