// The datasets of a workspace: imported ones and those that come with the program. A dataset appears only when it is complete: a child
// fills a temporary folder, which is renamed into place before its row is written. Pictures are never read here.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import type { DatasetAnswer, DatasetDetails } from '../../shared/contract/answers.ts';
import { datasetManifestSchema, type DatasetManifest } from '../../shared/contract/dataset.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { DatasetId } from '../../shared/contract/schema.ts';
import { validate } from '../../shared/contract/validation.ts';
import type { Command, Report } from '../../shared/contract/worker.ts';
import { findNearest } from '../../shared/domain/nearest.ts';
import type { DatasetStore } from '../db/datasets.ts';
import type { RunStore } from '../db/runs.ts';
import { syncFolder, writeAtomically, type WorkspacePlaces } from '../db/workspace.ts';
import { readBundledDatasets } from './bundledDatasets.ts';
import type { EventService } from './events.ts';
import { startChild, type ChildPrograms } from './supervisor.ts';

type Rejected = Answer<'datasets.import'>['rejected'];

export interface StoredDataset {
  readonly folder: string;
  readonly manifest: DatasetManifest;
}

export interface DatasetService {
  list(): Answer<'datasets.list'>;
  /** Undefined when neither the workspace nor the program has it. */
  find(datasetId: string): DatasetAnswer | undefined;
  show(datasetId: string, signal: AbortSignal): Promise<DatasetDetails>;
  /** The store on disk, unpacked first when the dataset comes with the program; throws `dataset_missing`. */
  open(datasetId: string, signal: AbortSignal): Promise<StoredDataset>;
  import(request: HandlerInput<'datasets.import'>, signal: AbortSignal): Promise<Answer<'datasets.import'>>;
  remove(datasetId: string): Promise<Answer<'datasets.remove'>>;
  isBusy(): boolean;
}

export interface DatasetSurroundings {
  readonly places: WorkspacePlaces;
  readonly resourcesFolder: string;
  readonly programs: ChildPrograms;
  readonly datasets: DatasetStore;
  readonly runs: RunStore;
  readonly events: EventService;
}

export function createDatasets(surroundings: DatasetSurroundings): DatasetService {
  return new Datasets(surroundings);
}

class Datasets implements DatasetService {
  readonly #around: DatasetSurroundings;
  readonly #unpacking = new Map<string, Promise<StoredDataset>>();
  #open = 0;
  #lastTemporary = 0;

  constructor(surroundings: DatasetSurroundings) {
    this.#around = surroundings;
    // What an earlier process did not finish is worth nothing.
    const folder = surroundings.places.datasets;
    for (const name of readdirSync(folder)) if (name.startsWith('.')) rmSync(join(folder, name), { recursive: true, force: true });
  }

  list(): Answer<'datasets.list'> {
    const stored = this.#around.datasets.list();
    const known = new Set<string>(stored.map((manifest) => manifest.id));
    const bundled = this.#bundled();
    const packed = bundled.filter((dataset) => !known.has(dataset.id));
    const datasets = [...packed, ...stored.map(toAnswer)].sort((a, b) => a.id.localeCompare(b.id));
    return { datasets, bundled: bundled.map(({ id }) => id) };
  }

  find(datasetId: string): DatasetAnswer | undefined {
    const manifest = this.#around.datasets.find(datasetId);
    return manifest === undefined ? this.#bundled().find((dataset) => dataset.id === datasetId) : toAnswer(manifest);
  }

  async show(datasetId: string, signal: AbortSignal): Promise<DatasetDetails> {
    if (this.find(datasetId) === undefined) throw this.#notFound(datasetId);
    const { manifest } = await this.open(datasetId, signal);
    const perClass = manifest.classes.map((name, index) => {
      const [train, test] = manifest.classCounts[index] ?? [0, 0];
      return { name, train, test };
    });
    return { ...toAnswer(manifest), perClass, licence: manifest.licence, sources: manifest.sources };
  }

  async open(datasetId: string, signal: AbortSignal): Promise<StoredDataset> {
    const folder = join(this.#around.places.datasets, datasetId);
    const manifest = this.#around.datasets.find(datasetId);
    if (manifest !== undefined && existsSync(join(folder, 'dataset.json'))) return { folder, manifest };
    if (!this.#bundled().some((dataset) => dataset.id === datasetId)) {
      throw new LabError('dataset_missing', `The dataset ${datasetId} is not in the workspace.`, {
        help: 'Import it again with `lab datasets import`, or choose another one with --dataset.',
      });
    }
    const running = this.#unpacking.get(datasetId);
    if (running !== undefined) return running;
    const unpacking = this.#unpack(datasetId, signal).finally(() => this.#unpacking.delete(datasetId));
    this.#unpacking.set(datasetId, unpacking);
    return unpacking;
  }

  async import(request: HandlerInput<'datasets.import'>, signal: AbortSignal): Promise<Answer<'datasets.import'>> {
    const label = request.name ?? request.paths[0] ?? '';
    return this.#inTemporary(async (folder) => {
      const command: Command = { type: 'import', ...request, targetFolder: folder };
      const rejected = await this.#fill(command, label, signal);
      const manifest = readManifest(folder);
      const same = this.#findSame(manifest.fingerprint);
      if (same !== undefined) {
        throw new LabError('conflict', `These pictures are in the workspace already, as ${same}.`, {
          help: `Use --dataset ${same}, or remove it first with \`lab datasets remove ${same}\`.`,
        });
      }
      const id = this.#freeId(manifest.id);
      const renamed = { ...manifest, id };
      if (id !== manifest.id) writeAtomically(join(folder, 'dataset.json'), `${JSON.stringify(renamed, null, 2)}\n`);
      this.#settle(folder, renamed);
      return { ...toAnswer(renamed), rejected };
    });
  }

  async remove(datasetId: string): Promise<Answer<'datasets.remove'>> {
    const { datasets, runs, places, events } = this.#around;
    const manifest = datasets.find(datasetId);
    if (this.#bundled().some((dataset) => dataset.id === datasetId)) {
      throw new LabError('conflict', `The dataset ${datasetId} comes with the program and is present in every workspace.`, {
        help: 'Datasets that you imported can be removed.',
      });
    }
    if (manifest === undefined) throw this.#notFound(datasetId);
    const active = runs.listActive().find((run) => run.datasetId === datasetId);
    if (active !== undefined) {
      throw new LabError('conflict', `The run ${active.runId} is using the dataset ${datasetId}.`, {
        help: `Wait until it has finished, or stop it with \`lab stop ${active.runId}\`.`,
      });
    }
    const folder = join(places.datasets, datasetId);
    const leaving = this.#temporaryFolder();
    events.commitLab({ type: 'dataset.removed', datasetId: manifest.id }, () => datasets.remove(datasetId));
    if (existsSync(folder)) renameSync(folder, leaving);
    await rm(leaving, { recursive: true, force: true });
    return { removed: manifest.id, usedBy: runs.listByDataset(datasetId) };
  }

  isBusy(): boolean {
    return this.#open > 0;
  }

  #unpack(datasetId: string, signal: AbortSignal): Promise<StoredDataset> {
    return this.#inTemporary(async (folder) => {
      const { resourcesFolder } = this.#around;
      await this.#fill({ type: 'materialize', id: datasetId, resourcesFolder, targetFolder: folder }, datasetId, signal);
      const manifest = readManifest(folder);
      return { folder: this.#settle(folder, manifest), manifest };
    });
  }

  async #inTemporary<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
    const folder = this.#temporaryFolder();
    this.#open += 1;
    try {
      return await work(folder);
    } finally {
      this.#open -= 1;
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Resolves when the child has filled the folder; a cancelled import ends the child at once. */
  async #fill(command: Command, name: string, signal: AbortSignal): Promise<Rejected> {
    signal.throwIfAborted();
    const { programs, events } = this.#around;
    const rejected: Rejected = [];
    const seen = new Set<Report['type']>();
    const onReport = (report: Report): void => {
      if (report.type === 'importProgress') events.show({ type: 'dataset.progress', name, done: report.done, total: report.total });
      if (report.type === 'imported') rejected.push(...report.rejected);
      seen.add(report.type);
    };
    const child = startChild({ node: programs.node, program: programs.importer, command, onReport });
    const onAbort = (): void => child.kill();
    signal.addEventListener('abort', onAbort);
    const end = await child.ended;
    signal.removeEventListener('abort', onAbort);
    signal.throwIfAborted();
    if (end.outcome === 'done' && seen.has('imported')) return rejected;
    throw end.error ?? new LabError('internal', 'The import ended without an answer.', { received: end.stderr.slice(-3).join('\n') });
  }

  /** The rename comes before the row: a row never points to a folder that is not complete. */
  #settle(temporary: string, manifest: DatasetManifest): string {
    const { places, datasets, events } = this.#around;
    const folder = join(places.datasets, manifest.id);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
    syncFolder(places.datasets);
    events.commitLab({ type: 'dataset.imported', datasetId: manifest.id }, () => datasets.put(manifest));
    return folder;
  }

  #temporaryFolder(): string {
    this.#lastTemporary += 1;
    return join(this.#around.places.datasets, `.new-${process.pid}-${this.#lastTemporary}`);
  }

  #findSame(fingerprint: string): string | undefined {
    return this.#around.datasets.findByFingerprint(fingerprint)?.id ?? this.#bundled().find((one) => one.fingerprint === fingerprint)?.id;
  }

  #freeId(wanted: DatasetId): DatasetId {
    for (let number = 1; ; number += 1) {
      const id = (number === 1 ? wanted : `${wanted.slice(0, 58)}-${number}`) as DatasetId;
      if (this.find(id) === undefined) return id;
    }
  }

  #bundled(): DatasetAnswer[] {
    return readBundledDatasets(this.#around.resourcesFolder);
  }

  #notFound(datasetId: string): LabError {
    const ids = this.list().datasets.map((dataset) => dataset.id);
    const near = findNearest(datasetId, ids);
    return new LabError('not_found', `There is no dataset ${JSON.stringify(datasetId)}.`, {
      expected: `one of ${(near.length > 0 ? near : ids).join(', ')}`,
      help: '`lab datasets list` shows all datasets.',
    });
  }
}

function readManifest(folder: string): DatasetManifest {
  const path = join(folder, 'dataset.json');
  return validate(datasetManifestSchema, JSON.parse(readFileSync(path, 'utf8')), path, { code: 'internal' });
}

function toAnswer(manifest: DatasetManifest): DatasetAnswer {
  const { id, name, kind, classes, trainCount, testCount, shape, fingerprint, origin, bytes } = manifest;
  return { id, name, kind, classes, trainCount, testCount, shape, fingerprint, origin, bytes };
}
