/**
 * The datasets that come with the program: IDX files under resources/datasets, described by bundled.json with checksums, class names,
 * licence and the fingerprint their store must have. Owns turning one of them into a store; where stores live is the core's business.
 */
import { readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { DatasetManifest } from '../../shared/contract/dataset.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { datasetIdSchema } from '../../shared/contract/schema.ts';
import { pairIdxFiles, readIdx } from './idx.ts';
import { readManifest } from './store.ts';
import { type WriteOptions, writeStore } from './storeWriter.ts';

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

export const bundledDatasetSchema = z.strictObject({
  id: datasetIdSchema,
  name: z.string().min(1),
  classes: z.array(z.string()).min(2),
  /** IDX files inside the folder named like the id. */
  files: z.array(z.strictObject({ file: z.string(), sha256: sha256Schema })).min(2),
  licence: z.string(),
  origin: z.string(),
  trainCount: z.int().positive(),
  testCount: z.int().nonnegative(),
  shape: z.tuple([z.int().positive(), z.int().positive(), z.literal(1)]),
  fingerprint: sha256Schema,
});
export type BundledDataset = z.infer<typeof bundledDatasetSchema>;

export const bundledListSchema = z.strictObject({ version: z.literal(1), datasets: z.array(bundledDatasetSchema) });

/** Reads bundled.json of `resourcesFolder` (the folder `datasets` inside resources). */
export async function readBundledList(resourcesFolder: string): Promise<BundledDataset[]> {
  const text = await readFile(join(resourcesFolder, 'bundled.json'), 'utf8');
  return bundledListSchema.parse(JSON.parse(text)).datasets;
}

/** The bundled dataset whose folder `path` is, judged by the bundled.json beside it; undefined for any other path. */
export async function findBundled(path: string): Promise<BundledDataset | undefined> {
  const folder = dirname(path);
  const list = await readBundledList(folder).catch(() => []);
  return list.find((dataset) => dataset.id === basename(path));
}

/** Writes the store of a bundled dataset into `targetFolder` and checks it against bundled.json; throws `bad_input` when files differ. */
export async function writeBundled(
  dataset: BundledDataset,
  resourcesFolder: string,
  targetFolder: string,
  options: WriteOptions = {},
): Promise<DatasetManifest> {
  const paths = dataset.files.map((entry) => join(resourcesFolder, dataset.id, entry.file));
  const source = await readIdx(await pairIdxFiles(paths), dataset);
  const manifest = await writeStore(targetFolder, { ...source, id: dataset.id, name: dataset.name }, source.blocks(), options);
  const wrong = dataset.files.find((entry) => manifest.sources.find((read) => read.file === entry.file)?.sha256 !== entry.sha256);
  if (wrong === undefined && manifest.fingerprint === dataset.fingerprint) return manifest;
  await rm(targetFolder, { recursive: true, force: true });
  throw new LabError(
    'bad_input',
    `The bundled dataset ${dataset.id} in ${resourcesFolder} is damaged${wrong === undefined ? '' : `: ${wrong.file}`}.`,
    {
      expected: wrong === undefined ? `fingerprint ${dataset.fingerprint}` : `SHA-256 ${wrong.sha256}`,
      received:
        wrong === undefined ? manifest.fingerprint : (manifest.sources.find((read) => read.file === wrong.file)?.sha256 ?? 'no file'),
      help: 'Restore the file from the repository (git checkout) or install the program again.',
    },
  );
}

/**
 * Makes the store of bundled dataset `id` at `targetFolder` unless it is there already.
 *
 * Written beside it and renamed: two processes may do this at once, and a death leaves no half store under its name.
 */
export async function materializeBundled(id: string, resourcesFolder: string, targetFolder: string): Promise<DatasetManifest> {
  const dataset = (await readBundledList(resourcesFolder)).find((entry) => entry.id === id);
  if (dataset === undefined) {
    throw new LabError('not_found', `There is no bundled dataset ${JSON.stringify(id)}.`, {
      expected: 'an id listed in bundled.json',
      received: id,
      help: 'Import the dataset from its files.',
    });
  }
  const present = presentManifest(targetFolder);
  if (present?.fingerprint === dataset.fingerprint) return present;
  const partial = `${targetFolder}.partial-${process.pid}`;
  try {
    const manifest = await writeBundled(dataset, resourcesFolder, partial);
    await rename(partial, targetFolder);
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    // Another process was first.
    const other = presentManifest(targetFolder);
    if (other?.fingerprint === dataset.fingerprint) return other;
    throw error;
  }
}

function presentManifest(folder: string): DatasetManifest | null {
  try {
    return readManifest(folder);
  } catch (error) {
    if (error instanceof LabError) return null;
    throw error;
  }
}
