// A lab for tests: a temporary workspace, the real core, and child programs that only pretend. Everything is closed after the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { LabEvent } from '../src/shared/contract/events.ts';
import type { Client } from '../src/shared/rpcClient.ts';
import { startCore, type Core, type CoreOptions } from '../src/main/core.ts';

export const fakePrograms = {
  node: process.execPath,
  trainer: join(import.meta.dirname, 'fixtures/trainer/fakeTrainer.ts'),
  importer: join(import.meta.dirname, 'fixtures/trainer/fakeImporter.ts'),
  viewer: join(import.meta.dirname, '../src/main/viewer.ts'),
  reporter: join(import.meta.dirname, '../src/main/reporter.ts'),
  converter: join(import.meta.dirname, '../src/main/converter.ts'),
};

export const resourcesFolder = join(import.meta.dirname, '../resources');

/** A folder that is removed after the test; its name is short because socket paths are. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lab-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function coreOptions(folder: string, changed: Partial<CoreOptions> = {}): CoreOptions {
  const ladder = { messageMs: 1500, terminateMs: 500 };
  return { folder, kind: 'test', programs: fakePrograms, resourcesFolder, version: '0.0.0', isOutputValidated: true, ladder, ...changed };
}

export interface Lab {
  readonly folder: string;
  readonly core: Core;
  readonly client: Client;
  close(): Promise<void>;
}

export async function openLab(folder = makeFolder(), changed: Partial<CoreOptions> = {}): Promise<Lab> {
  const core = await startCore(coreOptions(folder, changed));
  if (core === undefined) throw new Error('The workspace has another owner.');
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await core.close();
    isOpen = false;
  };
  onTestFinished(close);
  return { folder, core, client: await core.connect(), close };
}

/** Events after `since` up to and including the first that fits. */
export async function eventsUntil(client: Client, since: number, isLast: (event: LabEvent) => boolean): Promise<LabEvent[]> {
  const seen: LabEvent[] = [];
  for await (const event of client.events(since, AbortSignal.timeout(20_000))) {
    seen.push(event);
    if (isLast(event)) return seen;
  }
  throw new Error(`The event did not come; last was ${JSON.stringify(seen.at(-1))}.`);
}

/** The description of a recipe that tells the fake trainer what to do. */
export function script(content: object): { path: string; json: string } {
  return { path: 'description', json: JSON.stringify(JSON.stringify(content)) };
}

export const transferRecipe = { from: 'template', id: 'fashion-transfer-5to9' } as const;
