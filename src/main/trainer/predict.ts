// A person's own pictures through a trained network: decoded and brought to the recipe's input as the dataset store would, then predicted
// in inference mode with the weights that a phase kept. Owns its session; writes nothing.
import { LabError } from '../../shared/contract/errors.ts';
import type { PredictCommand, PredictedReport } from '../../shared/contract/worker.ts';
import { chooseEvaluationBatch } from '../../shared/domain/evaluationBatch.ts';
import { findInputShape } from '../../shared/domain/recipe.ts';
import { convertChannels } from '../data/channels.ts';
import { configureDecoder, decodePicture } from '../data/images.ts';
import { readKeptFile } from '../data/keptFile.ts';
import { readPictureFile } from '../data/pictureFiles.ts';
import { createResampler } from '../data/resample.ts';
import type { PictureShape } from '../data/storeWriter.ts';
import type { Executor } from '../engine/executor.ts';
import { planTraining } from '../engine/plan.ts';
import { decodeTensors } from '../engine/safetensors.ts';
import { planPhase, programOptions } from './phasePlan.ts';
import { PhaseSession } from './phaseSession.ts';

/** Memory grows with the pictures of one call, and a person looks at a few. */
const mostPerCall = 8;

type Prepared = { readonly pixels: Uint8Array } | { readonly problem: string };

/** A picture that cannot be read becomes a problem of its own; damaged or foreign weights are an error. */
export async function predictPictures(command: PredictCommand, executor: Executor): Promise<PredictedReport> {
  const { session, perCall } = openTrained(command, executor);
  try {
    configureDecoder();
    const shape = inputShape(command);
    const prepared: Prepared[] = [];
    for (const path of command.pictures) prepared.push(await preparePicture(path, command));
    const readable = prepared.flatMap((picture) => ('pixels' in picture ? [picture.pixels] : []));
    const answers = predict(session, readable, shape, perCall);
    return {
      type: 'predicted',
      shape: [...shape],
      pictures: prepared.map((picture) => ('pixels' in picture ? { ...picture, probabilities: answers.shift() ?? [] } : picture)),
    };
  } finally {
    session.close();
  }
}

function inputShape({ recipe, dataset }: PredictCommand): PictureShape {
  const [height, width, channels] = findInputShape(recipe, dataset.shape);
  return [height, width, channels === 3 ? 3 : 1];
}

/** The phase's program with the kept weights; optimizer slots stay without memory because nothing initializes them. */
function openTrained(command: PredictCommand, executor: Executor): { readonly session: PhaseSession; readonly perCall: number } {
  const { recipe, phase, dataset } = command;
  const classCount = recipe.phases[phase]?.classes?.length ?? dataset.classCount;
  const facts = { pictureShape: inputShape(command), classCount, bfloat16: executor.bfloat16 };
  const plan = planPhase(recipe, phase, facts);
  const classCounts = Array.from({ length: classCount }, () => 1);
  const parts = { phase, seed: recipe.seed, stepsPerEpoch: 1, classCounts, useFeatures: false };
  const { tensors } = decodeTensors(readKeptFile(command.weights), command.weights.path);
  const session = new PhaseSession(executor, planTraining(programOptions(plan, recipe, parts)));
  try {
    const held = new Set(tensors.map((tensor) => tensor.name));
    const missing = [...session.program.weights.keys()].find((name) => !held.has(name));
    if (missing !== undefined) {
      throw new LabError('conflict', `The kept weights have no ${missing}.`, { help: 'Train the run again.' });
    }
    session.write(tensors);
    session.resetMetrics();
    return { session, perCall: Math.min(mostPerCall, chooseEvaluationBatch(plan.network)) };
  } catch (error) {
    session.close();
    throw error;
  }
}

async function preparePicture(path: string, command: PredictCommand): Promise<Prepared> {
  const [height, width, channels] = inputShape(command);
  const { shape } = command.dataset;
  try {
    const decoded = await decodePicture(await readPictureFile(path), shape);
    const light = command.isInverted ? decoded.map((value) => 255 - value) : decoded;
    // Colours first, then size, as derived stores are made.
    const resample = createResampler([shape[0], shape[1], channels], [height, width, channels], command.recipe.input.resize);
    return { pixels: resample(convertChannels(light, shape[2], channels)) };
  } catch (error) {
    if (error instanceof LabError && error.code === 'bad_input') return { problem: describeProblem(error).replaceAll(path, 'The file') };
    throw error;
  }
}

function describeProblem({ message, expected, received }: LabError): string {
  return expected === undefined ? message : `${message} Expected ${expected}; received ${received ?? 'something else'}.`;
}

function predict(session: PhaseSession, pictures: readonly Uint8Array[], shape: PictureShape, perCall: number): number[][] {
  const answers: number[][] = [];
  const pictureBytes = shape[0] * shape[1] * shape[2];
  for (let first = 0; first < pictures.length; first += perCall) {
    const group = pictures.slice(first, first + perCall);
    const input = new Uint8Array(group.length * pictureBytes);
    for (const [row, pixels] of group.entries()) input.set(pixels, row * pictureBytes);
    const batch = { count: group.length, input, labels: new Int32Array(group.length), samples: new Uint32Array(group.length) };
    const { data, shape: outcome } = session.evaluateStep(batch, shape);
    const classCount = outcome[1] ?? 0;
    for (const row of group.keys()) answers.push([...data.subarray(row * classCount, (row + 1) * classCount)]);
  }
  return answers;
}
