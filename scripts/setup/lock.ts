/**
 * One set-up at a time for one thing, on one machine.
 *
 * The lock is SQLite's own file lock, which the operating system drops when its holder dies in whatever way, so there is
 * no stale lock to detect: no process number that another program may have taken over, no clock, no heartbeat.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from './report.ts';

const POLL_MS = 100;

/** Runs `work` while this process alone holds `name`; waits for another holder, saying once whom it waits for. */
export async function withLock<Result>(folder: string, name: string, report: Report, work: () => Promise<Result>): Promise<Result> {
  await mkdir(folder, { recursive: true });
  const holderFile = join(folder, `${name}.holder`);
  const database = new DatabaseSync(join(folder, `${name}.lock`), { timeout: 0 });
  try {
    let hasSaidSo = false;
    while (!tryLock(database)) {
      if (!hasSaidSo) report(`Waiting for the set-up in process ${await readHolder(holderFile)}, which is doing the same`);
      hasSaidSo = true;
      await wait(POLL_MS);
    }
    await writeFile(holderFile, String(process.pid));
    return await work();
  } finally {
    database.close();
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && /locked|busy/i.test(error.message)) return false;
    throw error;
  }
}

async function readHolder(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim() || 'unknown';
}
