/**
 * Our side of one measurement, a process of its own: `node bench/ours.ts REQUEST.json` prints one line of JSON.
 *
 * `prepare` draws the starting weights and writes them and the batch orders for both sides. `measure` opens the phase as the trainer does
 * and times steps with the trainer's own parts; checkpoints and evaluation are left out, as they are on Keras's side.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LabError } from '../src/shared/contract/errors.ts';
import { trainCommandSchema, type TrainCommand } from '../src/shared/contract/worker.ts';
import { openNativeExecutor } from '../src/main/engine/native.ts';
import { decodeTensors, encodeTensors } from '../src/main/engine/safetensors.ts';
import { findNativeProblem, locateNativeRuntime } from '../src/main/nativeRuntime.ts';
import { createControl, type Control } from '../src/main/trainer/control.ts';
import { openPhase, type OpenPhase } from '../src/main/trainer/openPhase.ts';
import type { PhaseSurroundings } from '../src/main/trainer/phaseSurroundings.ts';
import { ratesOfEpoch, startPolicies } from '../src/main/trainer/policyState.ts';
import { createProgressReporter } from '../src/main/trainer/progressReporter.ts';
import { openRunData } from '../src/main/trainer/runData.ts';
import { ourRequestSchema, type Measured, type OurRequest, type Prepared } from './exchange.ts';

/** What services/attempt.ts grants a run at most. */
const featureCacheBytes = 128 * 2 ** 20;
const augmentWorker = new URL('../src/main/data/augmentWorker.ts', import.meta.url);

const file = process.argv[2];
if (file === undefined) throw new LabError('bad_usage', 'bench/ours.ts needs a request file.', { help: 'Use bench/run.ts.' });
const request = ourRequestSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
const answer = request.do === 'prepare' ? await prepare(request) : await measure(request);
process.stdout.write(`${JSON.stringify(answer)}\n`);

function openExecutor(): PhaseSurroundings['executor'] {
  const runtime = locateNativeRuntime();
  const problem = 'problem' in runtime ? runtime.problem : findNativeProblem(runtime);
  if ('problem' in runtime || problem !== undefined) {
    throw new LabError('native_missing', problem?.what ?? 'TensorFlow is not set up.', { help: problem?.help ?? 'Run `npm run setup`.' });
  }
  return openNativeExecutor(runtime);
}

function commandOf({ work, folder }: OurRequest): TrainCommand {
  const runFolder = join(folder, 'run');
  const cacheFolder = join(folder, 'cache');
  for (const path of [runFolder, cacheFolder]) mkdirSync(path, { recursive: true });
  const { recipe, seed, datasetFolder } = work;
  // One of its own each time: features that a measurement before left would be read instead of computed.
  const featuresFolder = mkdtempSync(join(folder, 'features-'));
  const fixed = { type: 'train', runId: 'bench', resume: false, finishedPhases: 0, baseWeights: null, featuresFolder };
  return trainCommandSchema.parse({ ...fixed, runFolder, datasetFolder, cacheFolder, recipe, seed, featureCacheBytes });
}

async function prepare(wanted: OurRequest): Promise<Prepared> {
  const { work, folder } = wanted;
  const command = commandOf(wanted);
  const data = await openRunData(command, augmentWorker);
  const split = data.recordSplits(command.runFolder)[work.phase];
  const lists = z.object({ train: z.array(z.int()) }).parse(JSON.parse(readFileSync(join(command.runFolder, split?.file ?? ''), 'utf8')));
  const phaseData = data.openPhase(work.phase);
  const positions = [0, 1].flatMap((pass) => [...phaseData.order(pass)].map((sample) => lists.train[sample] ?? 0));
  const orderFile = join(folder, 'order.bin');
  writeFileSync(orderFile, Uint32Array.from(positions));
  const surroundings = { command, data, executor: openExecutor(), control: createControl(), report: () => undefined };
  const opened = await open(surroundings, work.phase);
  writeFileSync(work.weightsFile, Buffer.concat(encodeTensors(opened.session.readWeights())));
  const { plan, train } = opened;
  const { batchSize } = plan.phase;
  const hasDropout = plan.network.layers.some((layer) => layer.config.type === 'Dropout');
  const shape = [...data.store.manifest.shape];
  const result = { count: train.sampleCount, batchSize, steps: train.steps, partial: train.sampleCount % batchSize, orderFile, shape };
  opened.close();
  data.close();
  return { ...result, hasDropout };
}

async function open(surroundings: PhaseSurroundings, phase: number, weightsFile?: string): Promise<OpenPhase> {
  const weights = weightsFile === undefined ? null : decodeTensors(readFileSync(weightsFile), weightsFile).tensors;
  const opened = await openPhase(surroundings, phase, weights);
  if (opened === 'stopped') throw new LabError('internal', 'The phase was stopped, although nothing asked for it.');
  if (weights !== null) opened.session.write(weights);
  return opened;
}

async function measure({ work, ...rest }: OurRequest): Promise<Measured> {
  const command = commandOf({ work, ...rest });
  const data = await openRunData(command, augmentWorker);
  const executor = openExecutor();
  const control = createControl();
  let features: Measured['features'] = null;
  const report: PhaseSurroundings['report'] = (message) => {
    if (message.type === 'featuresComputed') features = { seconds: message.seconds, images: message.images, bytes: message.bytes };
  };
  const opened = await open({ command, data, executor, control, report }, work.phase, work.weightsFile);
  const { train } = opened;
  const hasPartial = train.sampleCount % opened.plan.phase.batchSize > 0;
  const last = train.steps - 1;
  const warmup = Array.from({ length: Math.min(work.warmupSteps, last) }, (_, step) => step);
  await runSteps(opened, control, 0, warmup.slice(0, 1), true);
  const firstStepSeconds = (Date.now() - rest.startedAt) / 1000;
  await runSteps(opened, control, 0, [...warmup.slice(1), ...(hasPartial ? [last] : [])], false);
  const warmupLoss = opened.session.readMetrics().loss;
  const timed = Array.from({ length: Math.min(work.timedSteps ?? train.steps, train.steps) }, (_, step) => step);
  const cpuBefore = readCpuSeconds();
  const seconds = await runSteps(opened, control, 1, timed, true);
  const cpuSeconds = readCpuSeconds() - cpuBefore;
  const { loss } = opened.session.readMetrics();
  const versions = { node: process.versions.node, tensorflow: executor.version };
  opened.close();
  data.close();
  const clocks = { seconds, cpuSeconds, processCpuSeconds: readCpuSeconds(), firstStepSeconds };
  return { ...clocks, steps: timed.length, warmupLoss, loss, peakBytes: readPeak(), features, jitCompile: null, versions };
}

/** The loop of trainer/loop.ts without pauses and checkpoints; returns wall seconds. */
async function runSteps(opened: OpenPhase, control: Control, epoch: number, steps: readonly number[], isFresh: boolean): Promise<number> {
  const { session, train, plan } = opened;
  session.setLearningRates(Float32Array.from(ratesOfEpoch(plan.phase, startPolicies(plan.phase), train.steps, epoch + 1)));
  if (isFresh) session.resetMetrics();
  const progress = createProgressReporter(() => undefined);
  progress.startEpoch({ phase: opened.index, epoch: epoch + 1, epochs: plan.phase.epochs, steps: train.steps });
  const started = performance.now();
  for (const step of steps) {
    const batch = train.fill(epoch, step);
    const loss = session.trainStep(batch, train.sampleShape);
    if (!Number.isFinite(loss)) throw new LabError('training_diverged', `The loss is no longer a number in step ${step + 1}.`);
    progress.addStep(step + 1, batch.count, () => session.readMetrics());
    await control.breathe();
  }
  return (performance.now() - started) / 1000;
}

function readCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function readPeak(): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (kilobytes === undefined) throw new LabError('unsupported', 'The peak memory of a process can be read on Linux only.');
  return Number(kilobytes) * 1024;
}
