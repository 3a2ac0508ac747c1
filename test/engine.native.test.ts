// Budgets and leaks of a training step on the real library: one native call, no more bytes than the batch, nothing left behind.
import { describe, expect, it } from 'vitest';
import { inputSchema, optimizerSchema } from '../src/shared/contract/schema.ts';
import { layerSchema } from '../src/shared/contract/layers.ts';
import { resolveNetwork, selectTrainableLayers } from '../src/shared/domain/network.ts';
import type { ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';
import { planTraining, type PlanOptions } from '../src/main/engine/plan.ts';
import { PhaseSession } from '../src/main/trainer/phaseSession.ts';
import { openTestExecutor } from './smallRun.ts';

const executor = openTestExecutor();
const shape = [12, 12, 1];
const batchSize = 8;

const network = ((): ResolvedNetwork => {
  const layers = [
    { type: 'Conv2D', name: 'first', filters: 4, kernelSize: 3, activation: 'relu' },
    { type: 'MaxPooling2D', name: 'pool' },
    { type: 'BatchNormalization', name: 'norm' },
    { type: 'Conv2D', name: 'second', filters: 4, kernelSize: 3, activation: 'relu' },
    { type: 'Dropout', name: 'drop', rate: 0.3 },
    { type: 'Flatten', name: 'flat' },
    { type: 'Dense', name: 'answer', units: 3, activation: 'softmax' },
  ].map((layer) => layerSchema.parse(layer));
  const resolved = resolveNetwork(layers, shape, 3);
  if (!resolved.ok) throw new Error(resolved.problem.message);
  return resolved.network;
})();

function openSession(change: Partial<PlanOptions> = {}): PhaseSession {
  const session = new PhaseSession(
    executor,
    planTraining({
      network,
      trainableLayers: selectTrainableLayers(network, { type: 'all' }),
      frozenBatchNormalization: 'inference',
      input: inputSchema.parse({}),
      source: { kind: 'pixels' },
      optimizer: optimizerSchema.parse({ type: 'Adam' }),
      loss: { type: 'categoricalCrossentropy', labelSmoothing: 0, classWeights: null },
      precision: 'float32',
      stepsPerEpoch: 2,
      seed: 3,
      ...change,
    }),
  );
  session.initialize();
  session.setLearningRates(Float32Array.of(0.01, 0.01));
  return session;
}

function drawBatch(count = batchSize) {
  const input = Uint8Array.from({ length: count * 144 }, (_, index) => (index * 37) % 251);
  return { count, input, labels: Int32Array.from({ length: count }, (_, index) => index % 3), samples: new Uint32Array(count) };
}

describe('a training step', () => {
  it('is one native call that feeds nothing but the batch', () => {
    const session = openSession();
    const batch = drawBatch();
    const before = session.statistics;
    for (let step = 0; step < 5; step += 1) session.trainStep(batch, shape);
    const after = session.statistics;
    session.close();
    expect(after.nativeCalls - before.nativeCalls).toBe(5);
    expect(after.bytesFed - before.bytesFed).toBe(5 * (batch.input.byteLength + batch.labels.byteLength));
  });

  it('leaves no tensor behind in 1,000 steps', () => {
    const session = openSession();
    const batch = drawBatch();
    session.trainStep(batch, shape);
    const before = executor.countTensors();
    for (let step = 0; step < 1000; step += 1) session.trainStep(batch, shape);
    session.readMetrics();
    expect(executor.countTensors()).toBe(before);
    session.close();
  });

  it('keeps resident memory flat over three epochs', () => {
    const session = openSession();
    const batch = drawBatch();
    const epoch = (): number => {
      for (let step = 0; step < 600; step += 1) session.trainStep(batch, shape);
      session.evaluateStep(batch, shape);
      session.readWeights();
      return process.memoryUsage.rss();
    };
    epoch();
    const resident = [epoch(), epoch(), epoch()];
    session.close();
    expect((resident[2] ?? 0) - (resident[0] ?? 0)).toBeLessThan(8 * 2 ** 20);
  });

  it('takes a smaller last batch', () => {
    const session = openSession();
    expect(session.trainStep(drawBatch(3), shape)).toBeGreaterThan(0);
    expect(session.readMetrics().pictures).toBe(3);
    session.close();
  });

  it('has no gradient below the lowest trainable layer', () => {
    const options = { trainableLayers: selectTrainableLayers(network, { type: 'freezeUpTo', layer: 'norm' }) };
    const session = openSession(options);
    const ops = session.program.graph.nodes.map((node) => node.op);
    session.close();
    expect(ops.filter((op) => op === 'Conv2DBackpropFilter')).toHaveLength(1);
    expect(ops).not.toContain('Conv2DBackpropInput');
    expect(ops).not.toContain('FusedBatchNormGradV3');
  });

  it('does not move the averages of a frozen batch normalization', () => {
    const options = { trainableLayers: selectTrainableLayers(network, { type: 'freezeUpTo', layer: 'norm' }) };
    const session = openSession(options);
    const read = () => session.readWeights().filter((weight) => weight.name.startsWith('norm/'));
    const before = read();
    for (let step = 0; step < 5; step += 1) session.trainStep(drawBatch(), shape);
    expect(read()).toEqual(before);
    session.close();
  });

  it.each(['mixed_bfloat16', 'mixed_bfloat16_wide'] as const)(
    'trains in %s with float32 variables and follows float32 closely',
    (precision) => {
      const batch = drawBatch();
      const losses = (['float32', precision] as const).map((chosen) => {
        const session = openSession({ precision: chosen });
        const all = Array.from({ length: 30 }, () => session.trainStep(batch, shape));
        const weights = session.readWeights();
        session.close();
        expect(weights.every((weight) => weight.data instanceof Float32Array)).toBe(true);
        return all;
      });
      expect(losses[1]?.[0]).toBeCloseTo(losses[0]?.[0] ?? 0, 1);
      expect(losses[1]?.at(-1)).toBeLessThan((losses[1]?.[0] ?? 0) * 0.8);
    },
  );

  it('draws another dropout mask each step, and the same ones again for the same seed', () => {
    const rates = Float32Array.of(1e-12, 1e-12);
    const lossesOf = (seed: number): number[] => {
      const session = openSession({ seed, optimizer: optimizerSchema.parse({ type: 'SGD', learningRate: 1e-12 }) });
      session.setLearningRates(rates);
      const losses = Array.from({ length: 4 }, () => session.trainStep(drawBatch(), shape));
      session.close();
      return losses;
    };
    const losses = lossesOf(1);
    expect(new Set(losses).size).toBe(4);
    expect(lossesOf(1)).toEqual(losses);
  });

  it('carries all its state in values that can be read and written', () => {
    const batch = drawBatch();
    const first = openSession();
    for (let step = 0; step < 3; step += 1) first.trainStep(batch, shape);
    const second = openSession({ seed: 3 });
    second.write(first.readAll());
    expect(second.trainStep(batch, shape)).toBe(first.trainStep(batch, shape));
    expect(second.readAll()).toEqual(first.readAll());
    first.close();
    second.close();
  });

  it('refuses weights of another shape by name', () => {
    const session = openSession();
    const wrong = { name: 'answer/bias', shape: [4], data: new Float32Array(4) };
    expect(() => session.write([wrong])).toThrow(/answer\/bias does not fit the network/);
    session.close();
  });
});
