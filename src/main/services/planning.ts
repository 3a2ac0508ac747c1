// What a recipe will cost before it starts: counts, memory, and times measured on a few real steps. The viewer child splits the labels,
// a trainer child takes the steps; one calibration at a time, so that two never disturb each other.
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import type { DatasetAnswer } from '../../shared/contract/answers.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Preflight, RecipeSource } from '../../shared/contract/methods/recipes.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { planPreflight, type SplitOutcome } from '../../shared/domain/preflight.ts';
import { chooseSplit, requireRecipe, type DatasetFacts } from '../../shared/domain/recipe.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import { locateWeights } from './baseWeights.ts';
import { askChild } from './childAnswer.ts';
import type { DatasetService } from './datasets.ts';
import { chooseFeatureCacheBytes } from './machine.ts';
import type { PicturesService } from './pictures.ts';
import type { RecipeService } from './recipes.ts';
import { chooseDataset, withDataset } from './runRequests.ts';
import { trainingEnvironment, type SettingsService } from './settings.ts';
import type { ChildPrograms } from './supervisor.ts';
import type { ViewerClient } from './viewerClient.ts';
import type { WeightsService } from './weights.ts';

export interface PlanningService {
  /** Throws `bad_recipe` only for what is no recipe at all; a recipe that cannot run is answered with its problem. */
  preflight(request: HandlerInput<'recipes.preflight'>): Promise<Answer<'recipes.preflight'>>;
  /** Statistics of the training pictures for `input.normalize`. */
  fit(request: HandlerInput<'recipes.fit'>, signal: AbortSignal): Promise<Answer<'recipes.fit'>>;
  /** Throws `not_found` for a phase, picture or batch that does not exist. */
  previewAugmentation(
    request: HandlerInput<'recipes.previewAugmentation'>,
    signal: AbortSignal,
  ): Promise<Answer<'recipes.previewAugmentation'>>;
  /** Throws what starting the run would throw; cancelling ends the child at once. */
  calibrate(request: HandlerInput<'recipes.calibrate'>, signal: AbortSignal): Promise<Answer<'recipes.calibrate'>>;
}

export interface PlanningSurroundings {
  readonly places: WorkspacePlaces;
  readonly programs: ChildPrograms;
  readonly recipes: RecipeService;
  readonly datasets: DatasetService;
  readonly settings: SettingsService;
  readonly weights: WeightsService;
  readonly viewer: ViewerClient;
  readonly pictures: Pick<PicturesService, 'keepSheet'>;
  readonly isTraining: () => boolean;
}

export function createPlanning(surroundings: PlanningSurroundings): PlanningService {
  return new Planning(surroundings);
}

class Planning implements PlanningService {
  readonly #around: PlanningSurroundings;
  /** Never aborted: unpacking a dataset serves others too, so whoever leaves does not stop it. */
  readonly #untilDone = new AbortController().signal;
  #lastCalibration: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(surroundings: PlanningSurroundings) {
    this.#around = surroundings;
  }

  async preflight({ recipe: source, datasetId }: HandlerInput<'recipes.preflight'>): Promise<Answer<'recipes.preflight'>> {
    const { recipes, datasets } = this.#around;
    const recipe = recipes.read(source);
    const dataset = attempt(() => chooseDataset(recipe, datasetId, datasets));
    if (dataset instanceof LabError) return planPreflight(recipe, {}, { sizes: null, problem: toProblem(dataset, null) });
    const fitting = datasetId === null ? recipe : withDataset(recipe, dataset);
    return planPreflight(fitting, factsOf(fitting, dataset), await this.#split(fitting, dataset));
  }

  async fit(request: HandlerInput<'recipes.fit'>, signal: AbortSignal): Promise<Answer<'recipes.fit'>> {
    const { recipe, store, split } = await this.#open(request, signal);
    return this.#around.viewer.ask('fit', { ...store, split, input: recipe.input }, signal);
  }

  async previewAugmentation(
    { phase: position, seed, pictures, extremes, ...request }: HandlerInput<'recipes.previewAugmentation'>,
    signal: AbortSignal,
  ): Promise<Answer<'recipes.previewAugmentation'>> {
    const { recipe, store, split } = await this.#open(request, signal);
    const phase = recipe.phases[position];
    if (phase === undefined) {
      throw new LabError('not_found', `The recipe has no phase ${position}.`, { expected: `0 to ${recipe.phases.length - 1}` });
    }
    const { classes, trainOn, batchSize, stepsPerEpoch, augmentation } = phase;
    const { size, colorMode, resize } = recipe.input;
    const wanted = {
      ...store,
      split,
      input: { size, colorMode, resize },
      phase: { classes, trainOn, batchSize, stepsPerEpoch, augmentation },
      position,
      seed: seed ?? recipe.seed,
      pictures,
      extremes,
    };
    const { png, sha256, ...content } = await this.#around.viewer.ask('augmented', wanted, signal);
    return { ...content, sheetUrl: this.#around.pictures.keepSheet({ png, sha256 }) };
  }

  calibrate(request: HandlerInput<'recipes.calibrate'>, signal: AbortSignal): Promise<Answer<'recipes.calibrate'>> {
    const mine = this.#lastCalibration.then(() => this.#measure(request, signal));
    this.#lastCalibration = mine.catch(() => undefined);
    return mine;
  }

  /** The recipe on the dataset it would run on, which is unpacked when needed. */
  async #open({ recipe: source, datasetId }: { readonly recipe: RecipeSource; readonly datasetId: string | null }, signal: AbortSignal) {
    const { recipes, datasets } = this.#around;
    signal.throwIfAborted();
    const read = recipes.read(source);
    const dataset = chooseDataset(read, datasetId, datasets);
    const recipe = datasetId === null ? read : withDataset(read, dataset);
    const { folder, manifest } = await datasets.open(dataset.id, this.#untilDone);
    signal.throwIfAborted();
    return { recipe, store: { folder, fingerprint: manifest.fingerprint }, split: chooseSplit(recipe, dataset.id) };
  }

  async #split(recipe: Recipe, dataset: DatasetAnswer): Promise<SplitOutcome> {
    try {
      const { folder, manifest } = await this.#around.datasets.open(dataset.id, this.#untilDone);
      const store = { folder, fingerprint: manifest.fingerprint };
      const wanted = { split: chooseSplit(recipe, dataset.id), phases: recipe.phases.map((phase) => phase.classes) };
      const { phases } = await this.#around.viewer.ask('splitSizes', { ...store, ...wanted }, this.#untilDone);
      return { sizes: phases, problem: null };
    } catch (error) {
      if (error instanceof LabError && error.code === 'bad_recipe') return { sizes: null, problem: toProblem(error, 'splits') };
      throw error;
    }
  }

  async #measure(
    { recipe: source, datasetId }: HandlerInput<'recipes.calibrate'>,
    signal: AbortSignal,
  ): Promise<Answer<'recipes.calibrate'>> {
    const { recipes, datasets, places, programs, settings, weights, isTraining } = this.#around;
    signal.throwIfAborted();
    const read = recipes.read(source);
    const dataset = chooseDataset(read, datasetId, datasets);
    const recipe = datasetId === null ? read : withDataset(read, dataset);
    requireRecipe(recipe, factsOf(recipe, dataset));
    const { folder } = await datasets.open(dataset.id, this.#untilDone);
    signal.throwIfAborted();
    const wasTraining = isTraining();
    const chosen = settings.show();
    this.#count += 1;
    const cacheFolder = join(places.cache, `calibration-${this.#count}`);
    mkdirSync(cacheFolder, { recursive: true });
    const command = {
      type: 'calibrate',
      recipe,
      datasetFolder: folder,
      cacheFolder,
      baseWeights: weights.find(recipe.network.base?.weights ?? 'random') === undefined ? null : locateWeights(recipe, weights),
      featureCacheBytes: chosen.featureCacheBytes ?? chooseFeatureCacheBytes(),
    } as const;
    try {
      const environment = trainingEnvironment(chosen);
      const question = { node: programs.node, program: programs.trainer, command, answer: 'calibrated', environment } as const;
      const { device, phases } = await askChild(question, signal);
      return { device, phases, isDisturbed: wasTraining || isTraining() };
    } finally {
      await rm(cacheFolder, { recursive: true, force: true });
    }
  }
}

function factsOf(recipe: Recipe, { id, classes, shape }: DatasetAnswer): DatasetFacts {
  return { classCount: classes.length, shape, split: chooseSplit(recipe, id) };
}

function attempt<Result>(work: () => Result): Result | LabError {
  try {
    return work();
  } catch (error) {
    if (error instanceof LabError) return error;
    throw error;
  }
}

function toProblem({ message, expected, received, help }: LabError, layer: string | null): Preflight['problem'] {
  const found = received === undefined ? '' : `, not ${received}`;
  return { layer, message: expected === undefined ? message : `${message} Expected ${expected}${found}.`, fix: help ?? '' };
}
