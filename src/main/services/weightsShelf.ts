// Which weights there are: those in the program's resources, `<id>.json` beside `<id>.safetensors`, and those that a person imported, one
// folder each in the workspace. An entry is on the shelf only when both of its files are.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { weightsEntrySchema, type WeightsEntry } from '../../shared/contract/methods/weights.ts';

export interface ShelvedWeights {
  readonly entry: WeightsEntry;
  /** Absolute path of the safetensors file. */
  readonly path: string;
}

export const tensorsName = 'weights.safetensors';
export const entryName = 'weights.json';

/** Those that come with the program; none when its resources hold no weights. */
export function readBundledWeights(resourcesFolder: string): ShelvedWeights[] {
  const folder = join(resourcesFolder, 'weights');
  const ids = listNames(folder).flatMap((name) => /^([a-z0-9-]+)\.json$/.exec(name)?.[1] ?? []);
  return ids.flatMap((id) => readEntry(join(folder, `${id}.json`), join(folder, `${id}.safetensors`), id));
}

/** A damaged entry hides only itself. */
export function readImportedWeights(folder: string): ShelvedWeights[] {
  return listNames(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((id) => readEntry(join(folder, id, entryName), join(folder, id, tensorsName), id));
}

function readEntry(file: string, path: string, id: string): ShelvedWeights[] {
  try {
    const bytes = statSync(path).size;
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const entry = weightsEntrySchema.parse({ ...(content as object), bytes });
    return entry.id === id ? [{ entry, path }] : [];
  } catch {
    return [];
  }
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
