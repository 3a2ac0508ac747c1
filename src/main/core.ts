// Starts the core of the lab in this process: takes the workspace, opens its history, builds and wires the services, and serves clients
// on memory ports and on the workspace's local endpoint. Each host calls it once; it imports no electron, no TensorFlow and no decoder.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { createClient, type Client } from '../shared/rpcClient.ts';
import { createMemoryPair } from '../shared/rpc.ts';
import { createServer, type Server } from '../shared/rpcServer.ts';
import { createDatasetStore } from './db/datasets.ts';
import { createEpochStore } from './db/epochs.ts';
import { createEventStore } from './db/events.ts';
import { closeDatabase, openDatabase, readSqliteVersion } from './db/open.ts';
import { createPhaseStore } from './db/phases.ts';
import { createRunStore } from './db/runs.ts';
import { lockWorkspace, type WorkspaceLock } from './db/workspace.ts';
import { createHandlers } from './handlers.ts';
import { describeOwner, publicOwner, removeOwnerFile, writeOwnerFile } from './ports/ownerFile.ts';
import { listenLocal } from './ports/socket.ts';
import { createDatasets, type DatasetService } from './services/datasets.ts';
import { createEvents } from './services/events.ts';
import { createRecipes } from './services/recipes.ts';
import { createRuns, type RunService } from './services/runs.ts';
import type { ChildPrograms } from './services/supervisor.ts';

export interface CoreOptions {
  /** Absolute folder of the workspace. */
  readonly folder: string;
  /** What kind of host this is, for people who meet it as the owner. */
  readonly kind: string;
  readonly programs: ChildPrograms;
  /** Absolute folder with `recipes` and `datasets`. */
  readonly resourcesFolder: string;
  readonly version: string;
  /** Checks every answer against its schema; for tests and development. */
  readonly isOutputValidated: boolean;
  /** Times of the stop ladder; tests shorten them. */
  readonly ladder?: { readonly messageMs: number; readonly terminateMs: number };
}

export interface Core {
  connect(): Promise<Client>;
  activity(): ReturnType<RunService['activity']>;
  /** Resolves when nothing trains, waits or is imported, and no client of the endpoint is being answered. */
  whenIdle(): Promise<void>;
  /** Stops all runs with their work saved, says goodbye to clients and releases the workspace. */
  close(): Promise<void>;
  /** Ends all children at once and notes it in the history; the process must exit afterwards. */
  abandon(): void;
}

const idlePollMs = 25;
/** A client leaves when its command is done; one that is silent for longer is not waited for. */
const clientPauseMs = 3000;

/** Undefined when another process owns the workspace; throws what openDatabase throws. */
export async function startCore(options: CoreOptions): Promise<Core | undefined> {
  const lock = lockWorkspace(options.folder);
  if (lock === undefined) return undefined;
  try {
    return await openCore(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openCore(options: CoreOptions, lock: WorkspaceLock): Promise<Core> {
  const { folder, programs, resourcesFolder, isOutputValidated } = options;
  const { places } = lock;
  const database = openDatabase(places);
  for (const name of readdirSync(places.cache)) rmSync(join(places.cache, name), { recursive: true, force: true });
  const stores = { runs: createRunStore(database), phases: createPhaseStore(database), epochs: createEpochStore(database) };
  const events = createEvents({ database, events: createEventStore(database), runs: stores.runs });
  const versions = { app: options.version, sqlite: readSqliteVersion() };
  const datasets = createDatasets({ ...stores, places, resourcesFolder, programs, events, datasets: createDatasetStore(database) });
  const recipes = createRecipes(resourcesFolder);
  const ladder = options.ladder === undefined ? {} : { ladder: options.ladder };
  const runs = createRuns({ ...stores, ...ladder, places, programs, events, datasets, recipes, versions });
  runs.reconcile();
  const owner = describeOwner(folder, options.kind);
  let isClosing = false;
  const handlers = createHandlers({
    owner: publicOwner(owner),
    runs,
    datasets,
    recipes,
    doctor: { folder, programs, versions },
    isOpen: () => !isClosing,
  });
  const serving = { handlers, events, reach: 'local', isOutputValidated } as const;
  const own = createServer(serving);
  const clients = createServer({ ...serving, token: owner.token });
  const endpoint = await listenLocal(owner.endpoint, (port) => clients.serve(port));
  writeOwnerFile(folder, owner);
  return {
    connect: () => {
      const [client, server] = createMemoryPair();
      own.serve(server);
      return createClient(client);
    },
    activity: () => runs.activity(),
    whenIdle: () => waitUntilIdle(runs, datasets, clients),
    close: async () => {
      isClosing = true;
      await runs.stopAll();
      own.close();
      clients.close();
      await endpoint.close();
      while (datasets.isBusy()) await rest(idlePollMs);
      removeOwnerFile(folder, owner);
      closeDatabase(database);
      lock.release();
    },
    abandon: () => runs.abandonAll(),
  };
}

async function waitUntilIdle(runs: RunService, datasets: DatasetService, clients: Server): Promise<void> {
  const isBusy = (): boolean => {
    const { running, queued } = runs.activity();
    return (
      running.length + queued.length > 0 ||
      datasets.isBusy() ||
      clients.peers().some((peer) => peer.openCalls > 0 || peer.quietMs < clientPauseMs)
    );
  };
  while (isBusy()) await rest(idlePollMs);
}
