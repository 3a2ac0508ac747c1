// Results of one entry on its test set, and predictions for own pictures. Stored predictions are read by the viewer child, own pictures
// are predicted by a trainer child; here entries are found and answers are put together.
import { join } from 'node:path';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { EntryReference } from '../../shared/contract/method.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import type { PredictCommand } from '../../shared/contract/worker.ts';
import type { PhaseStore, StoredPhase } from '../db/phases.ts';
import type { RunStore, StoredRun } from '../db/runs.ts';
import type { WorkspacePlaces } from '../db/workspace.ts';
import { askChild } from './childAnswer.ts';
import type { DatasetService } from './datasets.ts';
import type { FilesService } from './files.ts';
import { resolveRun } from './runReferences.ts';
import type { ChildPrograms } from './supervisor.ts';
import { describePictures, listPictures } from './triedPictures.ts';
import type { ViewerClient } from './viewerClient.ts';

export interface ResultsService {
  /** Throws `conflict` for a phase that is not finished and `not_found` for one without a test set. */
  show(request: HandlerInput<'results.show'>, signal: AbortSignal): Promise<Answer<'results.show'>>;
  predictions(request: HandlerInput<'results.predictions'>, signal: AbortSignal): Promise<Answer<'results.predictions'>>;
  /** Cancelling ends the child that predicts. */
  tryPictures(request: HandlerInput<'results.try'>, signal: AbortSignal): Promise<Answer<'results.try'>>;
}

export interface ResultsSurroundings {
  readonly places: WorkspacePlaces;
  readonly programs: ChildPrograms;
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly datasets: DatasetService;
  readonly files: FilesService;
  readonly viewer: ViewerClient;
}

export function createResults(surroundings: ResultsSurroundings): ResultsService {
  return new Results(surroundings);
}

interface Entry {
  readonly run: StoredRun;
  readonly index: number;
  readonly phase: StoredPhase;
  readonly best: NonNullable<StoredPhase['best']>;
}

class Results implements ResultsService {
  readonly #around: ResultsSurroundings;

  constructor(surroundings: ResultsSurroundings) {
    this.#around = surroundings;
  }

  async show(request: HandlerInput<'results.show'>, signal: AbortSignal): Promise<Answer<'results.show'>> {
    const { run, index, phase, best } = this.#find(request);
    const { predictions, test } = requireTested(run, phase);
    const measures = await this.#around.viewer.ask('measures', { predictions: this.#file(run, predictions) }, signal);
    const recipe = this.#around.runs.readRecipe(run.runId);
    const dataset = this.#datasetOf(run);
    const classes = nameClasses(recipe, index, dataset?.classes, measures.confusion.length);
    return {
      ...measures,
      runId: run.runId,
      phase: index,
      phaseName: phase.name,
      classes,
      fingerprint: run.datasetFingerprint ?? '',
      isDatasetPresent: dataset !== undefined,
      epoch: best.epoch,
      rule: best.rule,
      loss: test.loss,
      accuracy: test.accuracy,
      perClass: measures.perClass.map((scores, label) => ({ name: classes[label] ?? '', ...scores })),
      published: recipe.published.filter((published) => published.phase === phase.name),
    };
  }

  predictions(request: HandlerInput<'results.predictions'>, signal: AbortSignal): Promise<Answer<'results.predictions'>> {
    const { run: reference, phase: index, ...wanted } = request;
    const { run, phase } = this.#find({ run: reference, phase: index });
    const { predictions, split } = requireTested(run, phase);
    const files = { predictions: this.#file(run, predictions), split: this.#file(run, split) };
    return this.#around.viewer.ask('predictions', { ...wanted, ...files }, signal);
  }

  async tryPictures(request: HandlerInput<'results.try'>, signal: AbortSignal): Promise<Answer<'results.try'>> {
    const { programs, files, runs } = this.#around;
    const { run, index, phase } = this.#find(request);
    if (phase.weights === null) throw unfinished(run, phase);
    const pictures = listPictures(request.tokens.map((token) => files.resolve(token)));
    const recipe = runs.readRecipe(run.runId);
    const dataset = this.#datasetOf(run);
    const [height = 1, width = 1, channels = 1] = dataset?.shape ?? recipe.dataset.shape;
    const names = dataset?.classes ?? recipe.dataset.classes;
    const command: PredictCommand = {
      type: 'predict',
      recipe,
      phase: index,
      dataset: { shape: [height, width, channels === 3 ? 3 : 1], classCount: names.length },
      weights: this.#file(run, phase.weights),
      pictures,
      isInverted: request.isInverted,
    };
    const answer = await askChild({ node: programs.node, program: programs.trainer, command, answer: 'predicted' }, signal);
    const classCount = recipe.phases[index]?.classes?.length ?? names.length;
    return { classes: nameClasses(recipe, index, names, classCount), pictures: describePictures(answer, pictures) };
  }

  #find({ run: reference, phase: index }: EntryReference): Entry {
    const run = resolveRun(this.#around.runs, reference);
    const stored = this.#around.phases.list(run.runId);
    const phase = stored[index];
    if (phase === undefined) {
      throw new LabError('not_found', `The run ${run.runId} has no phase ${index}.`, {
        expected: `0 to ${stored.length - 1}`,
        received: String(index),
        help: 'Phases count from 0.',
      });
    }
    if (phase.best === null) throw unfinished(run, phase);
    return { run, index, phase, best: phase.best };
  }

  /** Undefined when the dataset the run was trained on is gone or another one has taken its name. */
  #datasetOf({ datasetId, datasetFingerprint }: StoredRun) {
    const found = this.#around.datasets.find(datasetId);
    return found?.fingerprint === datasetFingerprint ? found : undefined;
  }

  #file({ runId }: StoredRun, { file, sha256 }: NonNullable<StoredPhase['predictions']>): { path: string; sha256: string } {
    return { path: join(this.#around.places.runs, runId, file), sha256 };
  }
}

function unfinished({ runId }: StoredRun, { name }: StoredPhase): LabError {
  return new LabError('conflict', `The phase ${name} of the run ${runId} has not finished.`, {
    help: `Wait for its end, or continue the run with \`lab resume ${runId}\`.`,
  });
}

function requireTested({ runId }: StoredRun, { name, predictions, split, test }: StoredPhase) {
  if (predictions !== null && split !== null && test !== null) return { predictions, split, test };
  throw new LabError('not_found', `The phase ${name} of the run ${runId} has no test results.`, {
    expected: 'a phase whose split leaves test pictures',
    help: 'Look at its curves instead, or train it with a split that holds out test pictures.',
  });
}

/** In the order of the phase's labels; a dataset that is gone is spoken for by the recipe. */
function nameClasses(recipe: Recipe, phase: number, known: readonly string[] | undefined, classCount: number): string[] {
  const names = known ?? recipe.dataset.classes;
  const chosen = recipe.phases[phase]?.classes ?? null;
  return Array.from({ length: classCount }, (_, label) => names[chosen?.[label] ?? label] ?? `class ${chosen?.[label] ?? label}`);
}
