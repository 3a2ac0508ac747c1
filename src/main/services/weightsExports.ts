// Trained weights on their way out: finds what a phase kept, has the converter child write it, and puts it where a person wants it or keeps
// it for a page to fetch. Nothing is overwritten, and what cannot be finished leaves nothing.
import { randomBytes } from 'node:crypto';
import { constants, existsSync, mkdirSync } from 'node:fs';
import { copyFile, cp, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { ExportWeightsCommand, WeightsExportedReport } from '../../shared/contract/worker.ts';
import type { PhaseStore } from '../db/phases.ts';
import type { RunStore, StoredRun } from '../db/runs.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import { askChild } from './childAnswer.ts';
import type { DatasetService } from './datasets.ts';
import { resolveRun } from './runReferences.ts';
import type { ChildPrograms } from './supervisor.ts';

export interface WeightsExports {
  /** Throws `conflict` for a phase that is not finished and for a path that is taken. */
  toPath(request: HandlerInput<'weights.export'>, signal: AbortSignal): Promise<Answer<'weights.export'>>;
  forPage(request: HandlerInput<'weights.prepareExport'>, signal: AbortSignal): Promise<Answer<'weights.prepareExport'>>;
  /** The path of a prepared file; undefined for every other name. */
  findFile(exportId: string, name: string): { readonly file: string } | undefined;
}

export interface WeightsExportSurroundings {
  readonly places: WorkspacePlaces;
  readonly programs: ChildPrograms;
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly datasets: Pick<DatasetService, 'find'>;
}

interface Prepared {
  readonly exportId: string;
  readonly name: string;
  readonly folder: string;
}

/** Older files make room: each may have the size of a large network. */
const mostPrepared = 4;

export function createWeightsExports(surroundings: WeightsExportSurroundings): WeightsExports {
  return new Exports(surroundings);
}

type Wanted = HandlerInput<'weights.prepareExport'>;

class Exports implements WeightsExports {
  readonly #around: WeightsExportSurroundings;
  readonly #prepared: Prepared[] = [];

  constructor(surroundings: WeightsExportSurroundings) {
    this.#around = surroundings;
  }

  async toPath({ out, ...wanted }: HandlerInput<'weights.export'>, signal: AbortSignal): Promise<Answer<'weights.export'>> {
    requireFreePath(out, wanted.format);
    const folder = this.#makeFolder();
    try {
      const made = join(folder, 'made');
      const { bytes, sha256 } = await this.#write(wanted, made, false, signal);
      await place(made, out, wanted.format);
      return { path: out, bytes, sha256 };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async forPage(wanted: Wanted, signal: AbortSignal): Promise<Answer<'weights.prepareExport'>> {
    const run = resolveRun(this.#around.runs, wanted.run);
    const name = `${run.runId}-phase-${wanted.phase + 1}${wanted.format === 'keras-h5' ? '.h5' : '-saved-model.tar'}`;
    const folder = this.#makeFolder();
    try {
      const { bytes } = await this.#write({ ...wanted, run: run.runId }, join(folder, name), true, signal);
      const exportId = randomBytes(18).toString('base64url');
      this.#prepared.push({ exportId, name, folder });
      while (this.#prepared.length > mostPrepared) {
        const oldest = this.#prepared.shift();
        if (oldest !== undefined) await rm(oldest.folder, { recursive: true, force: true });
      }
      return { url: `/exported/${exportId}/${name}`, name, bytes };
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  findFile(exportId: string, name: string): { readonly file: string } | undefined {
    const found = this.#prepared.find((one) => one.exportId === exportId && one.name === name);
    return found === undefined ? undefined : { file: join(found.folder, found.name) };
  }

  #write(wanted: Wanted, target: string, isPacked: boolean, signal: AbortSignal): Promise<WeightsExportedReport> {
    const { programs } = this.#around;
    const command: ExportWeightsCommand = { ...this.#describe(wanted), isPacked, target };
    return askChild({ node: programs.node, program: programs.converter, command, answer: 'weightsExported' }, signal);
  }

  #describe({ run: reference, phase: index, format }: Wanted): Omit<ExportWeightsCommand, 'isPacked' | 'target'> {
    const { runs, phases, places } = this.#around;
    const run = resolveRun(runs, reference);
    const stored = phases.list(run.runId);
    const phase = stored[index];
    if (phase === undefined) {
      throw new LabError('not_found', `The run ${run.runId} has no phase ${index}.`, {
        expected: `0 to ${stored.length - 1}`,
        received: String(index),
        help: 'Phases count from 0.',
      });
    }
    if (phase.weights === null) {
      throw new LabError('conflict', `The phase ${phase.name} of the run ${run.runId} has not finished.`, {
        help: `Wait for its end, or continue the run with \`lab resume ${run.runId}\`.`,
      });
    }
    const recipe = runs.readRecipe(run.runId);
    const weights = { path: join(places.runs, run.runId, phase.weights.file), sha256: phase.weights.sha256 };
    return { type: 'exportWeights', recipe, phase: index, runId: run.runId, weights, format, dataset: this.#datasetOf(run, index) };
  }

  /** As the run saw it; a dataset that is gone is spoken for by the recipe. */
  #datasetOf({ runId, datasetId, datasetFingerprint }: StoredRun, index: number): ExportWeightsCommand['dataset'] {
    const recipe = this.#around.runs.readRecipe(runId);
    const found = this.#around.datasets.find(datasetId);
    const known = found?.fingerprint === datasetFingerprint ? found : undefined;
    const [height = 1, width = 1, channels = 1] = known?.shape ?? recipe.dataset.shape;
    const names = known?.classes ?? recipe.dataset.classes;
    const chosen = recipe.phases[index]?.classes ?? names.map((_, label) => label);
    return { shape: [height, width, channels === 3 ? 3 : 1], classes: chosen.map((label) => names[label] ?? `class ${label}`) };
  }

  #makeFolder(): string {
    const folder = join(this.#around.places.cache, `weights-export-${randomBytes(6).toString('hex')}`);
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

/** The target may lie on another disk, so nothing can be renamed; what was half copied goes again. */
async function place(made: string, out: string, format: Wanted['format']): Promise<void> {
  try {
    mkdirSync(dirname(out), { recursive: true });
    if (format === 'keras-h5') await copyFile(made, out, constants.COPYFILE_EXCL);
    else await cp(made, out, { recursive: true, errorOnExist: true, force: false });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code !== 'EEXIST' && code !== 'ERR_FS_CP_EEXIST') await rm(out, { recursive: true, force: true });
    throw new LabError(code === 'ENOSPC' ? 'disk_full' : 'disk_error', `The weights cannot be written to ${out}.`, {
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Choose another place, or make room.',
      cause,
    });
  }
}

function requireFreePath(out: string, format: Wanted['format']): void {
  if (!isAbsolute(out)) {
    throw new LabError('bad_usage', 'The place for the weights is not a whole path.', { received: out, help: 'Give a whole path.' });
  }
  if (format === 'keras-h5' && (!out.endsWith('.h5') || out.endsWith('.weights.h5'))) {
    throw new LabError('bad_usage', 'Keras would not read a model from a file with this name.', {
      expected: "a name that ends in '.h5' and not in '.weights.h5', which is another format",
      received: out,
      help: "Choose a name such as 'model.h5'.",
    });
  }
  if (!existsSync(out)) return;
  throw new LabError('conflict', `${out} exists already.`, { help: 'Choose another name, or move it away: nothing is overwritten.' });
}
