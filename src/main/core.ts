// Starts the core of the lab in this process: takes the workspace, opens its history, builds and wires the services, and serves clients
// on memory ports and on the workspace's local endpoint. Each host calls it once; it imports no electron, no TensorFlow and no decoder.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { createClient, type Client } from '../shared/rpcClient.ts';
import { createMemoryPair, type Port } from '../shared/rpc.ts';
import { createServer, type Server } from '../shared/rpcServer.ts';
import type { Database } from 'better-sqlite3';
import { createDatasetStore } from './db/datasets.ts';
import { createEpochStore, type EpochStore } from './db/epochs.ts';
import { createEventStore } from './db/events.ts';
import { closeDatabase, openDatabase, readSqliteVersion } from './db/open.ts';
import { createPhaseStore, type PhaseStore } from './db/phases.ts';
import { createRunStore, type RunStore } from './db/runs.ts';
import { createRunTable } from './db/runTable.ts';
import { lockWorkspace, type WorkspaceLock, type WorkspacePlaces } from './db/workspace.ts';
import { createHandlers } from './handlers.ts';
import { describeOwner, publicOwner, removeOwnerFile, writeOwnerFile } from './ports/ownerFile.ts';
import { listenLocal } from './ports/socket.ts';
import { createAssets, type AssetService } from './services/assets.ts';
import { createComparison } from './services/comparison.ts';
import { createDatasets, type DatasetService } from './services/datasets.ts';
import { createEvents, type EventService } from './services/events.ts';
import { createFiles } from './services/files.ts';
import { createHistory } from './services/history.ts';
import type { HostFeatures } from './services/host.ts';
import { createHousekeeping } from './services/housekeeping.ts';
import { createPictures } from './services/pictures.ts';
import { createPlanning } from './services/planning.ts';
import { createRecipes } from './services/recipes.ts';
import { createReports } from './services/reports.ts';
import { createResults } from './services/results.ts';
import { createRuns, type RunService } from './services/runs.ts';
import { createSettings } from './services/settings.ts';
import type { ChildPrograms } from './services/supervisor.ts';
import { createViewerClient } from './services/viewerClient.ts';
import { createWeights, type WeightsService } from './services/weights.ts';

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
  /** What the host can do for a person; nothing when left out. */
  readonly host?: HostFeatures;
}

export interface Core {
  connect(): Promise<Client>;
  /** Serves a page on a port of the host: without the methods that take paths. */
  servePage(port: Port): void;
  readonly assets: AssetService;
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
  const { folder, isOutputValidated } = options;
  const { places } = lock;
  const database = openDatabase(places);
  for (const name of readdirSync(places.cache)) rmSync(join(places.cache, name), { recursive: true, force: true });
  const stores = { runs: createRunStore(database), phases: createPhaseStore(database), epochs: createEpochStore(database) };
  const events = createEvents({ database, events: createEventStore(database), runs: stores.runs });
  const services = createServices(options, places, database, events, stores);
  const { runs } = services;
  runs.reconcile();
  const owner = describeOwner(folder, options.kind);
  let isClosing = false;
  const handlers = createHandlers({ ...services, events, owner: publicOwner(owner), isOpen: () => !isClosing });
  const serving = { handlers, events, reach: 'local', isOutputValidated } as const;
  const own = createServer(serving);
  const clients = createServer({ ...serving, token: owner.token });
  const pages = createServer({ ...serving, reach: 'any' });
  const endpoint = await listenLocal(owner.endpoint, (port) => clients.serve(port));
  writeOwnerFile(folder, owner);
  return {
    connect: () => {
      const [client, server] = createMemoryPair();
      own.serve(server);
      return createClient(client);
    },
    servePage: (port) => pages.serve(port),
    assets: services.assets,
    activity: () => runs.activity(),
    whenIdle: () => waitUntilIdle(runs, services, clients),
    close: async () => {
      isClosing = true;
      await runs.stopAll();
      own.close();
      clients.close();
      pages.close();
      services.pictures.close();
      await services.viewer.close();
      await endpoint.close();
      while (isConverting(services)) await rest(idlePollMs);
      removeOwnerFile(folder, owner);
      closeDatabase(database);
      lock.release();
    },
    abandon: () => runs.abandonAll(),
  };
}

interface Stores {
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly epochs: EpochStore;
}

/** The only place that builds and wires services. */
function createServices(options: CoreOptions, places: WorkspacePlaces, database: Database, events: EventService, stores: Stores) {
  const { folder, programs, resourcesFolder, version } = options;
  const versions = { app: version, sqlite: readSqliteVersion() };
  const host = options.host ?? { browsableFolders: [] };
  const ladder = options.ladder === undefined ? {} : { ladder: options.ladder };
  const around = { ...stores, places, programs, events };
  const datasets = createDatasets({ ...around, resourcesFolder, datasets: createDatasetStore(database) });
  const recipes = createRecipes(resourcesFolder);
  const files = createFiles({ places, host });
  const weights = createWeights({ ...around, datasets, files, resourcesFolder });
  const settings = createSettings(around);
  const table = createRunTable(database);
  const runs = createRuns({ ...around, ...ladder, datasets, recipes, settings, weights, versions });
  const viewer = createViewerClient({ node: programs.node, program: programs.viewer });
  const pictures = createPictures({ viewer, datasets });
  const results = createResults({ ...around, datasets, files, viewer });
  const comparison = createComparison(stores);
  const reports = createReports({ ...around, comparison, results });
  const isTraining = (): boolean => runs.activity().running.length > 0;
  return {
    version,
    host,
    doctor: { folder, programs, versions },
    datasets,
    recipes,
    settings,
    runs,
    files,
    viewer,
    pictures,
    results,
    comparison,
    reports,
    weights,
    history: createHistory({ ...around, table }),
    housekeeping: createHousekeeping({ ...around, table, discardUploads: () => files.discardUnusedUploads() }),
    planning: createPlanning({ ...around, recipes, datasets, settings, weights, viewer, pictures, isTraining }),
    assets: createAssets({ files, pictures, reports, weights }),
  };
}

interface Converting {
  readonly datasets: Pick<DatasetService, 'isBusy'>;
  readonly weights: Pick<WeightsService, 'isBusy'>;
}

function isConverting({ datasets, weights }: Converting): boolean {
  return datasets.isBusy() || weights.isBusy();
}

async function waitUntilIdle(runs: RunService, converting: Converting, clients: Server): Promise<void> {
  const isBusy = (): boolean => {
    const { running, queued } = runs.activity();
    return (
      running.length + queued.length > 0 ||
      isConverting(converting) ||
      clients.peers().some((peer) => peer.openCalls > 0 || peer.quietMs < clientPauseMs)
    );
  };
  while (isBusy()) await rest(idlePollMs);
}
