// Where a result comes from: the machine, the versions and the source that was measured.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { describeMachine } from '../src/main/services/machine.ts';

const root = join(import.meta.dirname, '..');
const hashedFolders = ['src/main/engine', 'src/main/trainer', 'src/main/data'];

export interface Origin {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly features: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  /** SHA-256 over path and content of every file of engine, trainer and data, in the order of their paths. */
  readonly sourceHash: string;
}

/** Leaves out the host's name, because results are committed. */
export function describeOrigin(): Origin {
  const { cpu, memoryBytes, platform } = describeMachine();
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const versions = { 'Transfer Lab': version, node: process.versions.node };
  return { cpu: cpu.model, cores: cpu.cores, features: cpu.features, memoryBytes, platform, versions, sourceHash: hashSource() };
}

function hashSource(): string {
  const hash = createHash('sha256');
  for (const folder of hashedFolders) {
    const names = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted();
    for (const name of names) hash.update(`${name.slice(root.length)}\n`).update(readFileSync(name));
  }
  return hash.digest('hex');
}
