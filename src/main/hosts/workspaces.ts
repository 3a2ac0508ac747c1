// The core behind a window or server, which a person may change for that of another workspace: the next core opens before the last one closes, so
// that a folder that cannot be opened changes nothing.
import { realpathSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import { LabError } from '../../shared/contract/errors.ts';
import type { Core, CoreOptions } from '../core.ts';
import { ownWorkspace } from './ownWorkspace.ts';

type HostFeatures = NonNullable<CoreOptions['host']>;

export interface WorkspaceOptions {
  readonly core: Omit<CoreOptions, 'host'>;
  readonly host: Omit<HostFeatures, 'openWorkspace'>;
  /** Pages must load again, to meet the next core. */
  readonly onChanged: () => void;
}

export interface Workspaces {
  /** Undefined once closing has begun. */
  core(): Core | undefined;
  /** Ends the runs of all cores that are open with their work saved. */
  close(): Promise<void>;
  /** Ends all children at once; the process must exit afterwards. */
  abandon(): void;
}

/** The answer to the page that asked for another workspace travels to it in this time. */
const answerMs = 50;

/** Throws `workspace_busy` with the owner's name, and what startCore throws. */
export async function openWorkspaces({ core: options, host, onChanged }: WorkspaceOptions): Promise<Workspaces> {
  const open = new Set<Core>();
  let { folder } = options;
  let isClosing = false;
  let leaving = Promise.resolve();
  const start = async (next: string): Promise<Core> => {
    const core = await ownWorkspace({ ...options, folder: next, host: { ...host, openWorkspace: change } });
    open.add(core);
    return core;
  };
  const leave = async (core: Core): Promise<void> => {
    await core.close();
    open.delete(core);
  };
  const change = async (next: string): Promise<void> => {
    if (isSame(folder, next)) throw new LabError('conflict', `The workspace ${next} is open already.`, { help: 'Choose another folder.' });
    const previous = current;
    const core = await start(next);
    if (isClosing || previous !== current) {
      await leave(core);
      throw new LabError('conflict', 'Another workspace is being opened already.', { help: 'Wait a moment and try again.' });
    }
    current = core;
    folder = next;
    leaving = leaving
      .then(() => rest(answerMs))
      .then(onChanged)
      .then(() => leave(previous));
    // What went wrong is said when the program closes.
    leaving.catch(() => undefined);
  };
  let current = await start(folder);
  return {
    core: () => (isClosing ? undefined : current),
    close: async () => {
      isClosing = true;
      await leaving.finally(() => Promise.all([...open].map(leave)));
    },
    abandon: () => {
      for (const core of open) core.abandon();
    },
  };
}

function isSame(first: string, second: string): boolean {
  try {
    return realpathSync(first) === realpathSync(second);
  } catch {
    return first === second;
  }
}
