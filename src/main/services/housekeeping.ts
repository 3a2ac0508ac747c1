// What a workspace holds on the disk, and how to make it smaller. Sizes are walked without blocking and remembered for a moment. The event
// stream is append-only: what happened to a run stays there when the run is deleted for good, followed by `runs.purged`.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as giveWay } from 'node:timers/promises';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import type { RunStore } from '../db/runs.ts';
import type { RunTable } from '../db/runTable.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import { measureFiles, measureFolder } from './diskUse.ts';
import type { EventService } from './events.ts';
import { clearFeatures, listFeatures } from './featureShelf.ts';
import { measureDisk } from './machine.ts';

export interface HousekeepingService {
  /** Sizes may be some seconds old; an aborted walk leaves nothing behind. */
  show(signal: AbortSignal): Promise<Answer<'workspace.show'>>;
  clean(what: HandlerInput<'workspace.clean'>['what']): Promise<Answer<'workspace.clean'>>;
  listFeatures(): Promise<Answer<'features.list'>>;
}

export interface HousekeepingSurroundings {
  readonly places: WorkspacePlaces;
  readonly runs: RunStore;
  readonly table: RunTable;
  readonly events: EventService;
  /** Discards uploads that nothing uses; answers how many. */
  readonly discardUploads: () => Promise<number>;
}

type Bytes = Answer<'workspace.show'>['bytes'];

export function createHousekeeping(surroundings: HousekeepingSurroundings): HousekeepingService {
  return new Housekeeping(surroundings);
}

const freshMs = 5000;
/** Rows of epochs that one transaction deletes; it blocks for about 20 ms. */
const batchEpochs = 10_000;
const batchRuns = 100;
const runFolderName = /^[a-z0-9-]{4,40}$/;

class Housekeeping implements HousekeepingService {
  readonly #around: HousekeepingSurroundings;
  #known: { readonly bytes: Bytes; readonly at: number } | undefined;
  #cleaning: Promise<unknown> = Promise.resolve();

  constructor(surroundings: HousekeepingSurroundings) {
    this.#around = surroundings;
  }

  async show(signal: AbortSignal): Promise<Answer<'workspace.show'>> {
    const { places, table } = this.#around;
    const known = this.#known;
    const bytes = known !== undefined && performance.now() - known.at < freshMs ? known.bytes : await this.#measure(signal);
    const { freeBytes } = await measureDisk(places.folder);
    return { folder: places.folder, bytes, runs: table.countViews(), freeBytes };
  }

  clean(what: HandlerInput<'workspace.clean'>['what']): Promise<Answer<'workspace.clean'>> {
    const cleaning = this.#cleaning.then(() => this.#empty(what));
    this.#cleaning = cleaning.catch(() => undefined);
    return cleaning.finally(() => (this.#known = undefined));
  }

  async listFeatures(): Promise<Answer<'features.list'>> {
    return { entries: await listFeatures(this.#around.places.features) };
  }

  #empty(what: HandlerInput<'workspace.clean'>['what']): Promise<Answer<'workspace.clean'>> {
    switch (what) {
      case 'trash':
        return this.#emptyTrash();
      case 'caches':
        return this.#emptyCaches();
      case 'features':
        return clearFeatures(this.#around.places.features);
    }
  }

  async #measure(signal: AbortSignal): Promise<Bytes> {
    const { places, runs } = this.#around;
    const trashed = runs.listTrashed().map(({ runId }) => join(places.runs, runId));
    const [database, backups, datasets, allRuns, caches, features, reports, trash] = await Promise.all([
      measureFiles([places.database, `${places.database}-wal`, `${places.database}-shm`], signal),
      measureFolder(places.backups, signal),
      measureFolder(places.datasets, signal),
      measureFolder(places.runs, signal),
      measureFolder(places.cache, signal),
      measureFolder(places.features, signal),
      measureFolder(places.reports, signal),
      measureFolders(trashed, signal),
    ]);
    const bytes = { history: database + backups, datasets, runs: Math.max(0, allRuns - trash), caches, features, reports, trash };
    this.#known = { bytes, at: performance.now() };
    return bytes;
  }

  /** History first, files afterwards: a run whose files are gone must not be in the history. Folders left by a crash go too. */
  async #emptyTrash(): Promise<Answer<'workspace.clean'>> {
    const { places, runs } = this.#around;
    let removed = 0;
    for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) {
      const runIds = batch;
      this.#around.events.commitLab({ type: 'runs.purged', runs: runIds }, () => runIds.forEach((runId) => runs.remove(runId)));
      removed += runIds.length;
      await giveWay();
    }
    let freedBytes = 0;
    for (const name of await readdir(places.runs)) {
      if (runFolderName.test(name) && runs.find(name) === undefined) freedBytes += await removeMeasured(join(places.runs, name));
    }
    return { freedBytes, removed };
  }

  /** Trashed runs at this moment: one that was restored meanwhile is not among them. */
  #nextBatch(): RunId[] {
    const batch: RunId[] = [];
    let epochs = 0;
    for (const run of this.#around.runs.listTrashed()) {
      epochs += run.epochs;
      if (batch.length === batchRuns || (batch.length > 0 && epochs > batchEpochs)) break;
      batch.push(run.runId);
    }
    return batch;
  }

  /** Entries of runs that train and of measurements are removed by who made them; uploads know themselves whether they are used. */
  async #emptyCaches(): Promise<Answer<'workspace.clean'>> {
    const { places, runs, discardUploads } = this.#around;
    const before = await measureFolder(places.cache);
    let removed = await discardUploads();
    for (const name of await readdir(places.cache)) {
      const isUsed = name === 'uploads' || name.startsWith('calibration-') || runs.listActive().some((run) => run.runId === name);
      if (isUsed) continue;
      await rm(join(places.cache, name), { recursive: true, force: true });
      removed += 1;
    }
    return { freedBytes: Math.max(0, before - (await measureFolder(places.cache))), removed };
  }
}

async function measureFolders(folders: readonly string[], signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for (const folder of folders) bytes += await measureFolder(folder, signal);
  return bytes;
}

async function removeMeasured(folder: string): Promise<number> {
  const bytes = await measureFolder(folder);
  await rm(folder, { recursive: true, force: true });
  return bytes;
}
