// What fine-tuning adds to a training step, against Keras: a learning rate per layer, frozen BatchNormalization, and mixed labels.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { gradients } from '../src/main/engine/gradients.ts';
import { Graph } from '../src/main/engine/graph.ts';
import { lowerActivation } from '../src/main/engine/activations.ts';
import { lowerMixedLoss, mainLabels } from '../src/main/engine/losses.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { planTraining } from '../src/main/engine/plan.ts';
import { planPhase, programOptions } from '../src/main/trainer/phasePlan.ts';
import { PhaseSession } from '../src/main/trainer/phaseSession.ts';
import { optimizerSchema, recipeSchema, type Recipe } from '../src/shared/contract/schema.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { expectClose, openExecutor, openFixture, placeSchema } from './kerasFixture.ts';

const { index, read } = openFixture('finetune', 'finetune', {
  pictures: z.array(z.array(z.int())),
  labels: z.array(z.array(z.int())),
  multipliers: z.array(z.strictObject({ upTo: z.string(), multiplier: z.number() })),
  frozenUpTo: z.string(),
  paths: z.array(z.string()),
  start: z.array(placeSchema),
  rates: z.array(
    z.strictObject({ name: z.string(), optimizer: optimizerSchema, losses: z.array(z.number()), steps: z.array(z.array(placeSchema)) }),
  ),
  frozen: z.array(
    z.strictObject({
      mode: z.enum(['inference', 'batchStatistics', 'trained']),
      losses: z.array(z.number()),
      weights: z.array(placeSchema),
    }),
  ),
  mixed: z.strictObject({
    labels: z.array(z.int()),
    partners: z.array(z.int()),
    shares: placeSchema,
    cases: z.array(
      z.strictObject({
        type: z.enum(['categoricalCrossentropy', 'meanSquaredError']),
        output: z.enum(['softmax', 'relu']),
        labelSmoothing: z.number(),
        classWeights: z.array(z.number()).nullable(),
        inputs: placeSchema,
        loss: z.number(),
        gradient: placeSchema,
      }),
    ),
  }),
});
const executor = openExecutor();
const shape = [8, 8, 3];

function makeRecipe(phase: Record<string, unknown>, network?: unknown): Recipe {
  const splits = { document: {}, sound: {} };
  return recipeSchema.parse({
    version: 1,
    id: 'tune',
    title: 'Tune',
    dataset: { id: 'tune', classes: ['a', 'b', 'c'], shape: [8, 8, 3] },
    splits,
    network: network ?? {
      layers: [
        { type: 'Conv2D', name: 'conv1', filters: 4, kernelSize: 3, padding: 'same', useBias: false },
        { type: 'BatchNormalization', name: 'bn1' },
        { type: 'Activation', name: 'relu1', activation: 'relu' },
        { type: 'Conv2D', name: 'conv2', filters: 6, kernelSize: 3, strides: 2, useBias: false },
        { type: 'BatchNormalization', name: 'bn2' },
        { type: 'Activation', name: 'relu2', activation: 'relu' },
        { type: 'GlobalAveragePooling2D', name: 'pool' },
        { type: 'Dense', name: 'hidden', units: 8, activation: 'relu' },
        { type: 'Dense', name: 'answer', units: 3, activation: 'softmax' },
      ],
    },
    phases: [{ name: 'tune', optimizer: { type: 'SGD', learningRate: 0.05 }, batchSize: 6, epochs: 1, ...phase }],
  });
}

function openSession(recipe: Recipe, pictureShape: readonly number[] = shape): { session: PhaseSession; prefix: number } {
  const plan = planPhase(recipe, 0, { pictureShape, classCount: 3, bfloat16: executor.bfloat16 });
  const options = programOptions(plan, recipe, { phase: 0, seed: 1, stepsPerEpoch: 3, classCounts: [2, 2, 2], useFeatures: false });
  const session = new PhaseSession(executor, planTraining(options));
  session.initialize();
  session.setLearningRates(new Float32Array(3).fill(plan.phase.optimizer.learningRate));
  return { session, prefix: plan.prefix.length };
}

function batchAt(step: number) {
  const labels = Int32Array.from(index.labels[step] ?? []);
  return { count: 6, input: Uint8Array.from(index.pictures[step] ?? []), labels, samples: new Uint32Array(6), mix: null };
}

/** Three steps from the stored weights: the loss of each and the weights after each. */
function train(recipe: Recipe) {
  const { session } = openSession(recipe);
  session.write(index.start.map((place, position) => ({ name: index.paths[position] ?? '', ...read(place) })));
  const steps = [0, 1, 2].map((step) => {
    const loss = session.trainStep(batchAt(step), shape);
    const weights = new Map(session.readWeights().map((weight) => [weight.name, weight]));
    return { loss, weights: index.paths.map((path) => weights.get(path)) };
  });
  session.close();
  return steps;
}

function expectWeights(found: ReturnType<typeof train>[number] | undefined, places: (typeof index.start)[number][]): void {
  places.forEach((place, position) => {
    const weight = found?.weights[position];
    if (weight === undefined) throw new Error(`There is no weight ${index.paths[position] ?? ''}.`);
    expectClose({ shape: weight.shape, data: weight.data }, read(place), 1e-4, 2e-6, index.paths[position] ?? '');
  });
}

describe('a learning rate per layer equals one Keras optimizer per layer', () => {
  for (const one of index.rates) {
    it(`${one.name}: three losses and the weights after each step`, () => {
      const steps = train(makeRecipe({ optimizer: one.optimizer, learningRateMultipliers: index.multipliers }));
      steps.forEach((step, number) => {
        expect(step.loss).toBeCloseTo(one.losses[number] ?? Number.NaN, 5);
        expectWeights(step, one.steps[number] ?? []);
      });
    });
  }

  it('scales once per multiplier and not at all for layers at the whole rate', () => {
    const multiplied = openSession(makeRecipe({ learningRateMultipliers: index.multipliers })).session;
    const plain = openSession(makeRecipe({})).session;
    const count = ({ program }: PhaseSession): number => program.graph.nodes.filter(({ op }) => op === 'Mul').length;
    expect(count(multiplied) - count(plain)).toBe(2);
    multiplied.close();
    plain.close();
  });
});

describe('BatchNormalization in frozen layers equals Keras', () => {
  for (const { mode, losses, weights } of index.frozen) {
    it(`${mode}: losses, scales and averages after three steps`, () => {
      const trainable = { type: 'freezeUpTo', layer: index.frozenUpTo };
      const steps = train(makeRecipe({ trainable, frozenBatchNormalization: mode }));
      steps.forEach(({ loss }, number) => expect(loss).toBeCloseTo(losses[number] ?? Number.NaN, 5));
      expectWeights(steps.at(-1), weights);
      const moved = index.paths.filter((_, position) => {
        const place = index.start[position];
        return place !== undefined && String(steps.at(-1)?.weights[position]?.data) !== String(read(place).data);
      });
      const head = ['hidden/kernel', 'hidden/bias', 'answer/kernel', 'answer/bias'];
      const normalizations = ['bn1', 'bn2'].flatMap((name) =>
        ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((one) => `${name}/${one}`),
      );
      expect(new Set(moved)).toEqual(new Set(mode === 'trained' ? [...head, ...normalizations] : head));
    });
  }

  it('features end where a frozen layer is not the same in every epoch', () => {
    const prefixOf = (frozenBatchNormalization: string): number => {
      const { session, prefix } = openSession(makeRecipe({ trainable: { type: 'freezeUpTo', layer: 'pool' }, frozenBatchNormalization }));
      session.close();
      return prefix;
    };
    expect(prefixOf('inference')).toBe(7);
    expect(prefixOf('batchStatistics')).toBe(1);
    expect(prefixOf('trained')).toBe(1);
  });
});

describe("document 001's frozen MobileNet", () => {
  /** Loss of one batch as training computes it and as evaluation does, without an update; the averages before and after. */
  function compare(frozenBatchNormalization: string) {
    const network = {
      base: { network: 'MobileNet', alpha: 0.25 },
      layers: [{ type: 'GlobalAveragePooling2D' }, { type: 'Dense', units: 3, activation: 'softmax' }],
    };
    const trainable = { type: 'freezeUpTo', layer: 'conv_pw_13_relu' };
    const recipe = makeRecipe({ trainable, frozenBatchNormalization }, network);
    const { session, prefix } = openSession(recipe, [32, 32, 3]);
    session.setLearningRates(new Float32Array(3).fill(1e-12));
    const stream = createStream(4, 'pictures');
    const input = Uint8Array.from({ length: 6 * 32 * 32 * 3 }, () => stream.integer(256));
    const batch = { count: 6, input, labels: Int32Array.of(0, 1, 2, 0, 1, 2), samples: new Uint32Array(6), mix: null };
    const averages = () => session.readWeights().filter(({ name }) => name.includes('/moving_'));
    const before = averages();
    const inTraining = session.trainStep(batch, [32, 32, 3]);
    session.resetMetrics();
    session.evaluateStep(batch, [32, 32, 3]);
    const inEvaluation = session.readMetrics().loss;
    const isMoved = before.some(({ data }, position) => String(data) !== String(averages()[position]?.data));
    session.close();
    return { inTraining, inEvaluation, isMoved, prefix };
  }

  it('computes the same while training and testing in inference mode', () => {
    const { inTraining, inEvaluation, isMoved, prefix } = compare('inference');
    expect(inTraining).toBeCloseTo(inEvaluation, 5);
    expect(isMoved).toBe(false);
    expect(prefix).toBeGreaterThan(80);
  });

  it('computes something else while training with batch statistics, and never brings the averages nearer', () => {
    const { inTraining, inEvaluation, isMoved, prefix } = compare('batchStatistics');
    expect(Math.abs(inTraining - inEvaluation)).toBeGreaterThan(0.1);
    expect(isMoved).toBe(false);
    expect(prefix).toBe(1);
  });
});

describe('losses on mixed labels equal Keras on mixed rows', () => {
  const { labels, partners, shares, cases } = index.mixed;
  const feeds = [
    { shape: [labels.length], data: Int32Array.from(labels) },
    { shape: [labels.length], data: Int32Array.from(partners) },
    read(shares),
  ];

  for (const one of cases) {
    it(`${one.type} of ${one.output}, smoothing ${one.labelSmoothing}${one.classWeights === null ? '' : ', class weights'}`, () => {
      const graph = new Graph(opTable);
      const values = graph.placeholder('values', 'float32', [null, 3]);
      const own = graph.placeholder('labels', 'int32', [null]);
      const mix = { labels: graph.placeholder('partners', 'int32', [null]), shares: graph.placeholder('shares', 'float32', [null]) };
      const isSoftmax = one.output === 'softmax';
      const scores = isSoftmax ? values : lowerActivation(graph, one.output, values);
      const loss = lowerMixedLoss(graph, scores, { labels: own, mix }, one, isSoftmax);
      const [gradient] = gradients(graph, loss, [values]);
      if (gradient === undefined) throw new Error('There is no gradient.');
      const main = mainLabels(graph, { labels: own, mix });
      const session = executor.load(graph);
      const [found, slope, named] = session.prepare(
        [values, own, mix.labels, mix.shares],
        [loss, gradient, main],
      )([read(one.inputs), ...feeds]);
      session.close();
      expectClose(found, { shape: [], data: Float32Array.of(one.loss) }, 1e-5, 1e-6, 'loss');
      expectClose(slope, read(one.gradient), 1e-5, 1e-6, 'gradient');
      // Shares 1, 0.8, 0.5 and 0.65 name the own label; 0.3 and 0 the other.
      expect([...(named?.data ?? [])]).toEqual(labels.map((label, row) => ([3, 4].includes(row) ? partners[row] : label)));
    });
  }

  it('a training step takes partners and shares; without them every picture keeps its label', () => {
    const augmentation = { mixup: { alpha: 0.2 } };
    const plain = openSession(makeRecipe({}));
    const mixing = openSession(makeRecipe({ augmentation }));
    const whole = batchAt(0);
    const augmented = { ...whole, input: Float32Array.from(whole.input) };
    expect(mixing.session.trainStep(augmented, shape)).toBeCloseTo(plain.session.trainStep(whole, shape), 6);
    const lossOf = (batch: Parameters<PhaseSession['trainStep']>[0]): number => {
      const { session } = openSession(makeRecipe({ augmentation }));
      const loss = session.trainStep(batch, shape);
      session.close();
      return loss;
    };
    const turned = Int32Array.from(whole.labels, (label) => (label + 1) % 3);
    const [own, other] = [lossOf(augmented), lossOf({ ...augmented, labels: turned })];
    const shared = lossOf({ ...augmented, mix: { labels: turned, shares: new Float32Array(6).fill(0.7) } });
    expect(shared).toBeCloseTo(0.7 * own + 0.3 * other, 5);
    plain.session.close();
    mixing.session.close();
  });
});
