// How a host gets its core: it must be the owner of the workspace. A command that is about to end is waited for; another host is named.
import { setTimeout as rest } from 'node:timers/promises';
import { LabError } from '../../shared/contract/errors.ts';
import { startCore, type Core, type CoreOptions } from '../core.ts';
import { readOwnerFile, type OwnerFile } from '../ports/ownerFile.ts';

/** For a command to end; cli.md: a second host is refused within a second. */
const patienceMs = 400;
const gapMs = 50;

/** Throws `workspace_busy` with the owner's name, and what startCore throws. */
export async function ownWorkspace(options: CoreOptions): Promise<Core> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const core = await startCore(options);
    if (core !== undefined) return core;
    const owner = readOwnerFile(options.folder);
    const isStaying = owner !== undefined && owner.kind !== 'command' && isAlive(owner.pid);
    if (isStaying || performance.now() > deadline) throw busy(options.folder, owner);
    await rest(gapMs);
  }
}

/** The file of an owner that died stays until the next owner has opened its history. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function busy(folder: string, owner: OwnerFile | undefined): LabError {
  const who = owner === undefined ? 'Another process' : `The process ${owner.pid} on ${owner.host} (${owner.kind}, since ${owner.since})`;
  return new LabError('workspace_busy', `${who} owns the workspace ${folder}.`, {
    expected: 'a workspace that no other process has open',
    help: 'Use the lab that is open already, close it first, or choose another workspace with --workspace.',
  });
}
