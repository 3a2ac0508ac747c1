import type { HandlersOf } from '../../shared/contract/api.ts';
import type { coreMethods } from '../../shared/contract/methods/core.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Owner } from '../../shared/contract/methods/core.ts';
import { checkHealth, type DoctorSurroundings } from '../services/doctor.ts';
import type { EventService } from '../services/events.ts';
import type { FilesService } from '../services/files.ts';
import type { HostFeatures } from '../services/host.ts';
import type { HousekeepingService } from '../services/housekeeping.ts';
import type { RunService } from '../services/runs.ts';
import type { SettingsService } from '../services/settings.ts';

export interface CoreServices {
  readonly owner: Owner;
  readonly version: string;
  readonly host: HostFeatures;
  readonly events: EventService;
  readonly runs: RunService;
  readonly doctor: DoctorSurroundings;
  readonly settings: SettingsService;
  readonly housekeeping: HousekeepingService;
  readonly files: FilesService;
}

export function createCoreHandlers({
  owner,
  version,
  host,
  events,
  runs,
  doctor,
  settings,
  housekeeping,
  files,
}: CoreServices): HandlersOf<typeof coreMethods> {
  return {
    'core.status': () => {
      const { running, queued } = runs.activity();
      return { owner, running: [...running], queued: [...queued], workspace: doctor.folder, latest: events.latest() };
    },
    'core.host': () => ({
      kind: owner.kind,
      hasDialogs: host.choose !== undefined,
      canOpenWorkspace: host.openWorkspace !== undefined,
      version,
    }),
    'doctor.check': ({ deep }, { signal }) => checkHealth(doctor, deep, signal),
    'settings.show': () => settings.show(),
    'settings.update': (change) => settings.update(change),
    'workspace.show': (_, { signal }) => housekeeping.show(signal),
    'workspace.clean': ({ what }) => housekeeping.clean(what),
    'features.list': () => housekeeping.listFeatures(),
    'workspace.open': async ({ token }) => {
      if (host.openWorkspace === undefined) {
        throw new LabError('unsupported', 'This program cannot change its workspace.', { help: 'Start it with --workspace.' });
      }
      await host.openWorkspace(files.resolve(token));
      return {};
    },
  };
}
