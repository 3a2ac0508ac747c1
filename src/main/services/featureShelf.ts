// The features of frozen layers that runs share, seen from the core: what there is, how large it is, and removing what nobody reads. Only
// trainers add entries; whatever is removed here is computed again when it is wanted.
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  featureKeyPattern,
  featureManifestFile,
  featureManifestSchema,
  readUser,
  type FeatureManifest,
} from '../../shared/contract/featureCache.ts';
import type { FeatureEntry } from '../../shared/contract/methods/core.ts';
import { measureFolder } from './diskUse.ts';
import { isProcessAlive } from './processes.ts';

/** Last used first; entries whose description cannot be read are left out. */
export async function listFeatures(folder: string): Promise<FeatureEntry[]> {
  const entries: FeatureEntry[] = [];
  for (const id of await readdir(folder)) {
    if (!featureKeyPattern.test(id)) continue;
    const manifest = await readManifest(join(folder, id));
    if (manifest === undefined) continue;
    const { recipe, base, layer, dataset, part, images, bytes, createdAt, lastUsedAt } = manifest;
    const isUsed = await isInUse(join(folder, id));
    entries.push({ id, recipe, base, layer, dataset, part, images, bytes, createdAt, lastUsedAt, isUsed });
  }
  return entries.sort((a, b) => b.lastUsedAt.localeCompare(a.lastUsedAt));
}

/** Removes every entry that no living process reads, and what dead ones left half made. */
export async function clearFeatures(folder: string): Promise<{ freedBytes: number; removed: number }> {
  let freedBytes = 0;
  let removed = 0;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const maker = readUser(name);
    if ((maker !== null && isProcessAlive(maker)) || (await isInUse(path))) continue;
    // Away under its name first, so that no trainer meets half an entry.
    const leaving = join(folder, `.leaving-${randomBytes(4).toString('hex')}`);
    const isGone = await rename(path, leaving).then(
      () => true,
      // Someone else was faster, or an open file keeps it in its place.
      () => false,
    );
    if (!isGone) continue;
    freedBytes += await measureFolder(leaving);
    await rm(leaving, { recursive: true, force: true });
    if (featureKeyPattern.test(name)) removed += 1;
  }
  return { freedBytes, removed };
}

async function readManifest(entry: string): Promise<FeatureManifest | undefined> {
  try {
    return featureManifestSchema.safeParse(JSON.parse(await readFile(join(entry, featureManifestFile), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

async function isInUse(entry: string): Promise<boolean> {
  const names = await readdir(entry).catch(() => []);
  return names.map(readUser).some((pid) => pid !== null && isProcessAlive(pid));
}
