// How a later command finds the process that owns a workspace: owner.json beside the history names it, its endpoint and the token that
// the greeting must carry. The lock, not this file, says who the owner is: after a crash the file is stale and nobody answers.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ownerSchema, type Owner } from '../../shared/contract/methods/core.ts';

const ownerFileSchema = ownerSchema.extend({ endpoint: z.string(), token: z.string() });
export type OwnerFile = z.infer<typeof ownerFileSchema>;

/** A socket path longer than this cannot be bound on every system (108 bytes on Linux, 104 on macOS). */
const longestSocketPath = 100;

/** Describes this process as the owner, with an endpoint that is inside the workspace where the path is short enough. */
export function describeOwner(folder: string, kind: string): OwnerFile {
  const token = randomBytes(24).toString('base64url');
  return { pid: process.pid, host: hostname(), kind, since: new Date().toISOString(), endpoint: chooseEndpoint(folder), token };
}

export function writeOwnerFile(folder: string, owner: OwnerFile): void {
  const path = placeOf(folder);
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(owner, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Undefined when there is no owner, or the file cannot be understood. */
export function readOwnerFile(folder: string): OwnerFile | undefined {
  try {
    return ownerFileSchema.parse(JSON.parse(readFileSync(placeOf(folder), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Removes the file and what belongs to the endpoint; call it before the lock is released. */
export function removeOwnerFile(folder: string, owner: OwnerFile): void {
  rmSync(placeOf(folder), { force: true });
  if (process.platform === 'win32') return;
  rmSync(owner.endpoint, { force: true });
  if (dirname(owner.endpoint) !== folder) rmSync(dirname(owner.endpoint), { recursive: true, force: true });
}

/** The owner without what only its clients may know. */
export function publicOwner({ pid, host, kind, since }: OwnerFile): Owner {
  return { pid, host, kind, since };
}

function chooseEndpoint(folder: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\transfer-lab-${randomBytes(12).toString('hex')}`;
  const inside = join(folder, 'lab.sock');
  // mkdtemp makes a folder that only this user can enter.
  return Buffer.byteLength(inside) <= longestSocketPath ? inside : join(mkdtempSync(join(tmpdir(), 'transfer-lab-')), 'lab.sock');
}

function placeOf(folder: string): string {
  return join(folder, 'owner.json');
}
