// The doctor's self-test: 50 steps of a tiny network on drawn pictures must give the losses that this network gave when it was checked
// against Keras (scripts/fixtures/selfTest.py). Shows in under a second that the library computes, not only that it loads.
import { resolveNetwork, selectTrainableLayers } from '../../shared/domain/network.ts';
import { createStream } from '../../shared/domain/rng.ts';
import { inputSchema, optimizerSchema } from '../../shared/contract/schema.ts';
import { layerSchema } from '../../shared/contract/layers.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { Executor } from '../engine/executor.ts';
import { planTraining } from '../engine/plan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { PhaseSession } from './phaseSession.ts';

const side = 8;
const classes = 3;
const batch = 16;
const steps = 50;
const tolerance = 2e-4;

/** Losses of Keras 3.15.1 on TensorFlow 2.21.0 after 10, 20, 30, 40 and 50 steps. */
const expected: readonly number[] = [0.915176, 0.808683, 0.512972, 0.441995, 0.402246];

const layers = [
  { type: 'Conv2D', filters: 4, kernelSize: 3, activation: 'relu' },
  { type: 'MaxPooling2D' },
  { type: 'Flatten' },
  { type: 'Dense', units: classes, activation: 'softmax' },
].map((layer) => layerSchema.parse(layer));

export interface SelfTestResult {
  readonly ok: boolean;
  readonly seconds: number;
  readonly message: string;
}

/** Losses of all steps; the start weights and the pictures are drawn here, so nothing but the arithmetic is the library's. */
export function trainSelfTest(executor: Executor): readonly number[] {
  const resolved = resolveNetwork(layers, [side, side, 1], classes);
  if (!resolved.ok) throw new LabError('internal', 'The self-test network does not resolve.');
  const session = new PhaseSession(
    executor,
    planTraining({
      network: resolved.network,
      trainableLayers: selectTrainableLayers(resolved.network, { type: 'all' }),
      frozenBatchNormalization: 'inference',
      input: inputSchema.parse({}),
      source: { kind: 'pixels' },
      optimizer: optimizerSchema.parse({ type: 'Adam', learningRate: 0.01 }),
      loss: { type: 'categoricalCrossentropy', labelSmoothing: 0, classWeights: null },
      precision: 'float32',
      stepsPerEpoch: 1,
      seed: 1,
    }),
  );
  try {
    session.initialize();
    session.write(resolved.network.layers.flatMap((layer) => layer.weights).map((spec) => drawWeight(spec.path, spec.shape)));
    session.setLearningRates(Float32Array.of(0.01));
    return Array.from({ length: steps }, (_, step) =>
      session.trainStep({ ...drawBatch(step), samples: new Uint32Array(batch) }, [side, side, 1]),
    );
  } finally {
    session.close();
  }
}

export function drawWeight(path: string, shape: readonly number[]): NamedTensor {
  const stream = createStream(7, `selfTest/${path}`);
  const count = shape.reduce((product, size) => product * size, 1);
  return { name: path, shape, data: Float32Array.from({ length: count }, () => stream.uniform() * 0.4 - 0.2) };
}

/** Noise whose brightness tells the class. */
export function drawBatch(step: number): { count: number; input: Uint8Array; labels: Int32Array } {
  const stream = createStream(7, 'selfTest/pictures', step);
  const labels = Int32Array.from({ length: batch }, () => stream.integer(classes));
  const size = side * side;
  const input = Uint8Array.from({ length: batch * size }, (_, index) => (labels[Math.floor(index / size)] ?? 0) * 60 + stream.integer(100));
  return { count: batch, input, labels };
}

/** Compares with the stored losses, relative tolerance 2e-4. */
export function runSelfTest(executor: Executor): SelfTestResult {
  const started = performance.now();
  const losses = trainSelfTest(executor);
  const seconds = (performance.now() - started) / 1000;
  const wrong = expected.findIndex(
    (value, index) => !(Math.abs((losses[(index + 1) * 10 - 1] ?? Number.NaN) - value) <= tolerance * value),
  );
  if (wrong === -1) return { ok: true, seconds, message: `${steps} steps of a small network gave the stored losses.` };
  const step = (wrong + 1) * 10;
  return {
    ok: false,
    seconds,
    message: `After ${step} steps the loss was ${String(losses[step - 1])}, expected ${String(expected[wrong])}.`,
  };
}
