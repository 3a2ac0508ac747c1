// Weights for the bases of networks: those that come with the lab and those that a person imported; and trained weights written for Keras.
// Files are read and written by the converter child; here is only what the lab has and where it lies. Imported weights appear only when
// they are complete: a child fills a temporary folder, which is renamed into place.
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { weightsIdSchema } from '../../shared/contract/base.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { WeightsEntry } from '../../shared/contract/methods/weights.ts';
import type { BaseWeights, WeightsImportedReport } from '../../shared/contract/worker.ts';
import { findNearest } from '../../shared/domain/nearest.ts';
import { syncFolder, writeAtomically } from '../db/workspace.ts';
import { askChild } from './childAnswer.ts';
import type { EventService } from './events.ts';
import type { FilesService } from './files.ts';
import { createWeightsExports, type WeightsExports, type WeightsExportSurroundings } from './weightsExports.ts';
import { entryName, readBundledWeights, readImportedWeights, tensorsName, type ShelvedWeights } from './weightsShelf.ts';

export interface WeightsService {
  list(): Answer<'weights.list'>;
  find(id: string): WeightsEntry | undefined;
  /** The file a trainer reads; throws `weights_missing` when there are none of this id. */
  locate(id: string): BaseWeights;
  import(request: HandlerInput<'weights.import'>, signal: AbortSignal): Promise<Answer<'weights.import'>>;
  importFile(request: HandlerInput<'weights.importFile'>, signal: AbortSignal): Promise<Answer<'weights.importFile'>>;
  remove(id: string): Promise<Answer<'weights.remove'>>;
  export(request: HandlerInput<'weights.export'>, signal: AbortSignal): Promise<Answer<'weights.export'>>;
  prepareExport(request: HandlerInput<'weights.prepareExport'>, signal: AbortSignal): Promise<Answer<'weights.prepareExport'>>;
  /** The path of a prepared export; undefined for every other name. */
  findFile(exportId: string, name: string): { readonly file: string } | undefined;
  isBusy(): boolean;
}

export interface WeightsSurroundings extends WeightsExportSurroundings {
  readonly resourcesFolder: string;
  readonly events: EventService;
  readonly files: Pick<FilesService, 'consume'>;
}

type ImportOptions = Omit<HandlerInput<'weights.import'>, 'path'>;

const imageNet = 'official ImageNet weights, verified';
/** What Keras says of the files of both networks. */
const officialLicence = 'CC BY 4.0, Visual Geometry Group, University of Oxford';

export function createWeights(surroundings: WeightsSurroundings): WeightsService {
  return new Weights(surroundings);
}

class Weights implements WeightsService {
  readonly #around: WeightsSurroundings;
  readonly #exports: WeightsExports;
  readonly #bundled: readonly ShelvedWeights[];
  readonly #imported: Map<string, ShelvedWeights>;
  #open = 0;
  #lastTemporary = 0;

  constructor(surroundings: WeightsSurroundings) {
    this.#around = surroundings;
    this.#exports = createWeightsExports(surroundings);
    const folder = surroundings.places.weights;
    // What an earlier process did not finish is worth nothing.
    for (const name of readdirSync(folder)) if (name.startsWith('.')) rmSync(join(folder, name), { recursive: true, force: true });
    this.#bundled = readBundledWeights(surroundings.resourcesFolder);
    this.#imported = new Map(readImportedWeights(folder).map((shelved) => [shelved.entry.id, shelved]));
  }

  list(): Answer<'weights.list'> {
    return { weights: this.#all().map(({ entry }) => entry) };
  }

  find(id: string): WeightsEntry | undefined {
    return this.#findShelved(id)?.entry;
  }

  locate(id: string): BaseWeights {
    const found = this.#findShelved(id);
    if (found !== undefined) return { path: found.path, sha256: found.entry.fingerprint };
    throw new LabError('weights_missing', `The weights ${id} are not in the lab.`, {
      help: `Import Keras's file with \`lab weights import FILE --network NETWORK --name ${id}\`.`,
    });
  }

  import({ path, ...options }: HandlerInput<'weights.import'>, signal: AbortSignal): Promise<Answer<'weights.import'>> {
    return this.#track(() => this.#import(path, options, signal));
  }

  importFile({ token, ...options }: HandlerInput<'weights.importFile'>, signal: AbortSignal): Promise<Answer<'weights.importFile'>> {
    return this.#track(() => this.#around.files.consume([token], ([path = '']) => this.#import(path, options, signal)));
  }

  async remove(id: string): Promise<Answer<'weights.remove'>> {
    const { places, events } = this.#around;
    if (this.#bundled.some(({ entry }) => entry.id === id)) {
      throw new LabError('conflict', `The weights ${id} come with the program.`, { help: 'Weights that you imported can be removed.' });
    }
    if (!this.#imported.has(id)) throw this.#notFound(id);
    this.#refuseWhileUsed(id);
    const leaving = this.#temporaryFolder();
    this.#imported.delete(id);
    renameSync(join(places.weights, id), leaving);
    events.commitLab({ type: 'weights.removed', weightsId: id });
    await rm(leaving, { recursive: true, force: true });
    return { removed: id };
  }

  export(request: HandlerInput<'weights.export'>, signal: AbortSignal): Promise<Answer<'weights.export'>> {
    return this.#track(() => this.#exports.toPath(request, signal));
  }

  prepareExport(request: HandlerInput<'weights.prepareExport'>, signal: AbortSignal): Promise<Answer<'weights.prepareExport'>> {
    return this.#track(() => this.#exports.forPage(request, signal));
  }

  findFile(exportId: string, name: string): { readonly file: string } | undefined {
    return this.#exports.findFile(exportId, name);
  }

  isBusy(): boolean {
    return this.#open > 0;
  }

  async #import(path: string, { network, alpha, name }: ImportOptions, signal: AbortSignal): Promise<Answer<'weights.import'>> {
    const { places, programs } = this.#around;
    if (network !== 'MobileNet' && alpha !== 1) {
      throw new LabError('bad_usage', `${network} has one width only.`, {
        expected: 'alpha 1',
        received: String(alpha),
        help: 'Leave alpha out.',
      });
    }
    const source = basename(path);
    const id = makeId(name ?? source.replace(/(\.weights)?\.(h5|hdf5)$/i, ''));
    this.#requireFree(id);
    const folder = this.#temporaryFolder();
    mkdirSync(folder);
    try {
      const command = { type: 'importWeights', path, network, alpha, targetFolder: folder } as const;
      const report = await askChild({ node: programs.node, program: programs.converter, command, answer: 'weightsImported' }, signal);
      const same = this.#all().find(({ entry }) => entry.fingerprint === report.fingerprint)?.entry;
      if (same !== undefined) {
        throw new LabError('conflict', `These weights are in the lab already, as ${same.id}.`, {
          help: `Use --weights ${same.id}, or remove them first with \`lab weights remove ${same.id}\`.`,
        });
      }
      this.#requireFree(id);
      const entry: WeightsEntry = { id, network, alpha, source, ...describe(report), bytes: report.bytes };
      writeAtomically(join(folder, entryName), `${JSON.stringify(entry, null, 2)}\n`);
      const settled = join(places.weights, id);
      // What lies there without being on the shelf is damaged.
      rmSync(settled, { recursive: true, force: true });
      renameSync(folder, settled);
      syncFolder(places.weights);
      this.#imported.set(id, { entry, path: join(settled, tensorsName) });
      this.#around.events.commitLab({ type: 'weights.imported', weightsId: id });
      return { weights: entry, match: report.match };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #track<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#open += 1;
    try {
      return await work();
    } finally {
      this.#open -= 1;
    }
  }

  #requireFree(id: string): void {
    if (this.find(id) === undefined) return;
    throw new LabError('conflict', `There are weights with the name ${id} already.`, {
      expected: 'a name that is free',
      received: id,
      help: 'Choose another name, or remove these first.',
    });
  }

  #refuseWhileUsed(id: string): void {
    const { runs } = this.#around;
    const active = runs.listActive().find((run) => runs.readRecipe(run.runId).network.base?.weights === id);
    if (active === undefined) return;
    throw new LabError('conflict', `The run ${active.runId} starts from the weights ${id}.`, {
      help: `Wait until it has finished, or stop it with \`lab stop ${active.runId}\`.`,
    });
  }

  #all(): ShelvedWeights[] {
    return [...this.#bundled, ...[...this.#imported.values()].sort((a, b) => a.entry.id.localeCompare(b.entry.id))];
  }

  #findShelved(id: string): ShelvedWeights | undefined {
    return this.#bundled.find(({ entry }) => entry.id === id) ?? this.#imported.get(id);
  }

  #temporaryFolder(): string {
    this.#lastTemporary += 1;
    return join(this.#around.places.weights, `.new-${process.pid}-${this.#lastTemporary}`);
  }

  #notFound(id: string): LabError {
    const ids = this.#all().map(({ entry }) => entry.id);
    const near = findNearest(id, ids);
    return new LabError('not_found', `There are no weights ${JSON.stringify(id)}.`, {
      expected: ids.length === 0 ? 'weights that were imported' : `one of ${(near.length > 0 ? near : ids).join(', ')}`,
      help: '`lab weights list` shows all weights.',
    });
  }
}

function describe({ fileFingerprint, fingerprint, isOfficial }: WeightsImportedReport) {
  const facts = { fileFingerprint, fingerprint };
  if (isOfficial) return { ...facts, verified: 'official', description: imageNet, licence: officialLicence } as const;
  const description = 'imported weights, not verified: nobody publishes a checksum that this file could be compared with';
  return { ...facts, verified: 'unverified', description, licence: null } as const;
}

/** Throws bad_usage for a name of which nothing is left, and for `random`, which means no weights. */
function makeId(name: string): string {
  const id = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
    .replace(/-+$/, '');
  if (id !== 'random' && weightsIdSchema.safeParse(id).success) return id;
  throw new LabError('bad_usage', 'The weights cannot have this name.', {
    expected: "a name with letters or digits, other than 'random'",
    received: name,
    help: 'Give another name.',
  });
}
