// Finds the workspace and a way in: become its owner, or a client of the process that owns it already. Both at once may be on their way
// out, so both are tried in turn for a few seconds.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { LabError } from '../../shared/contract/errors.ts';
import { createClient, type Client } from '../../shared/rpcClient.ts';
import { startCore, type Core, type CoreOptions } from '../core.ts';
import { readOwnerFile } from '../ports/ownerFile.ts';
import { connectLocal } from '../ports/socket.ts';

export interface CoreSurroundings extends Omit<CoreOptions, 'folder' | 'kind' | 'host'> {
  /** The built pages, for the command that serves them. */
  readonly rendererFolder: string;
}

export interface Workplace {
  readonly client: Client;
  /** Present when this process owns the workspace. */
  readonly core: Core | undefined;
}

const patienceMs = 5000;
const gapMs = 60;

/** `--workspace`, else `$LAB_WORKSPACE`, else `~/TransferLab`. */
export function chooseWorkspace(option: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = option ?? environment['LAB_WORKSPACE'];
  return chosen === undefined || chosen === '' ? join(homedir(), 'TransferLab') : resolve(chosen);
}

/** Throws `workspace_busy` with the owner's name when it neither answers nor leaves within five seconds. */
export async function openWorkplace(folder: string, surroundings: CoreSurroundings): Promise<Workplace> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const core = await startCore({ ...surroundings, folder, kind: 'command' });
    if (core !== undefined) return { client: await core.connect(), core };
    const client = await tryOwner(folder);
    if (client !== undefined) return { client, core: undefined };
    if (performance.now() > deadline) throw busy(folder);
    await rest(gapMs);
  }
}

async function tryOwner(folder: string): Promise<Client | undefined> {
  const owner = readOwnerFile(folder);
  if (owner === undefined) return undefined;
  try {
    return await createClient(await connectLocal(owner.endpoint), { token: owner.token });
  } catch (error) {
    // A stale file, an owner that is leaving, or a successor with another token: try again.
    if (error instanceof LabError && (error.code === 'connection_lost' || error.code === 'bad_usage')) return undefined;
    throw error;
  }
}

function busy(folder: string): LabError {
  const owner = readOwnerFile(folder);
  const who = owner === undefined ? 'Another process' : `The process ${owner.pid} on ${owner.host} (${owner.kind}, since ${owner.since})`;
  return new LabError('workspace_busy', `${who} owns the workspace ${folder} and does not answer.`, {
    expected: `an answer within ${patienceMs / 1000} s`,
    help: 'Wait until it has ended, or end it and run the command again.',
  });
}
