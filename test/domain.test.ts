// Schedules, epoch policies and metrics, against Keras, scikit-learn and SciPy.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { earlyStoppingSchema, scheduleSchema } from '../src/shared/contract/schema.ts';
import { areasUnderCurve, precisionRecallCurve, rocCurve } from '../src/shared/domain/curves.ts';
import {
  accuracyOf,
  calibrationError,
  cohensKappa,
  countConfusion,
  logLoss,
  matthewsCorrelation,
  predictClasses,
  reportClasses,
  topKAccuracy,
} from '../src/shared/domain/metrics.ts';
import { chooseEpoch, earlyStoppingStart, keepStart, reduceEarlyStopping, reduceKeep } from '../src/shared/domain/policies.ts';
import type { EpochMetrics, KeepRule } from '../src/shared/domain/policies.ts';
import { learningRates, reducePlateau, startPlateau } from '../src/shared/domain/schedules.ts';
import { bootstrapMean, mcnemarExact, quantile } from '../src/shared/domain/significance.ts';

function readFixture(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/${path}`, import.meta.url), 'utf8'));
}

const numbers = z.array(z.number());
const valuesSchema = z.strictObject({ valLoss: z.number(), valAccuracy: z.number(), loss: z.number(), accuracy: z.number() });
const keras = z
  .object({
    schedules: z.array(
      z.strictObject({
        schedule: scheduleSchema,
        baseLearningRate: z.number(),
        stepsPerEpoch: z.int(),
        epochs: z.int(),
        rates: numbers,
      }),
    ),
    plateaus: z.array(z.strictObject({ options: z.looseObject({}), epochs: z.array(valuesSchema), rates: numbers })),
    stoppings: z.array(
      z.strictObject({
        options: earlyStoppingSchema,
        epochs: z.array(valuesSchema),
        lastEpoch: z.int(),
        isStopped: z.boolean(),
        bestEpoch: z.int(),
      }),
    ),
  })
  .parse(readFixture('schedules/schedules.json'));

function toMetrics(values: z.infer<typeof valuesSchema>, index: number): EpochMetrics {
  return {
    epoch: index + 1,
    train: { loss: values.loss, accuracy: values.accuracy },
    validation: { loss: values.valLoss, accuracy: values.valAccuracy },
  };
}

/** Every state must survive a checkpoint. */
function throughJson<State>(state: State): State {
  return JSON.parse(JSON.stringify(state)) as State;
}

function epochsOf(...pairs: [loss: number, accuracy: number][]): EpochMetrics[] {
  return pairs.map(([loss, accuracy], index) => ({ epoch: index + 1, train: { loss: 1, accuracy: 0 }, validation: { loss, accuracy } }));
}

describe('learning rates', () => {
  it.each(keras.schedules.map((row) => [JSON.stringify(row.schedule), row] as const))('%s as in Keras', (_, row) => {
    const { rates, ...request } = row;
    const found = Array.from({ length: row.epochs }, (_unused, index) => [...learningRates({ ...request, epoch: index + 1 })]).flat();
    expect(found).toHaveLength(rates.length);
    // Keras computes them in float32.
    const errors = found.map((rate, step) => Math.abs(rate - (rates[step] ?? NaN)) / Math.max(rate, row.baseLearningRate));
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });

  it('warms up from 0 to the base rate', () => {
    const schedule = scheduleSchema.parse({ type: 'constant', warmupSteps: 4 });
    const request = { schedule, baseLearningRate: 0.4, stepsPerEpoch: 3, epochs: 2 };
    expect([...learningRates({ ...request, epoch: 1 })]).toEqual([0, 0.1, 0.2]);
    expect([...learningRates({ ...request, epoch: 2 })].map((rate) => rate.toFixed(6))).toEqual(['0.300000', '0.400000', '0.400000']);
  });

  it.each(keras.plateaus.map((row, index) => [index, row] as const))('reduces on plateau as Keras, case %i', (_, row) => {
    const schedule = scheduleSchema.parse({ type: 'reduceOnPlateau', ...row.options });
    if (schedule.type !== 'reduceOnPlateau') throw new Error('unexpected schedule');
    let state = startPlateau(0.01);
    for (const [index, values] of row.epochs.entries()) {
      state = throughJson(reducePlateau(state, toMetrics(values, index), schedule));
      expect(state.learningRate / (row.rates[index] ?? NaN)).toBeCloseTo(1, 5);
    }
  });

  it('never raises a rate that is already below the minimum', () => {
    const schedule = scheduleSchema.parse({ type: 'reduceOnPlateau', patience: 0, minLearningRate: 0.1 });
    if (schedule.type !== 'reduceOnPlateau') throw new Error('unexpected schedule');
    const last = epochsOf([1, 0], [2, 0], [3, 0]).reduce((state, metrics) => reducePlateau(state, metrics, schedule), startPlateau(0.01));
    expect(last.learningRate).toBe(0.01);
  });

  it('leaves a plateau alone when the monitored value is missing', () => {
    const schedule = scheduleSchema.parse({ type: 'reduceOnPlateau', patience: 0 });
    if (schedule.type !== 'reduceOnPlateau') throw new Error('unexpected schedule');
    const state = startPlateau(0.01);
    expect(reducePlateau(state, { epoch: 1, train: { loss: 1, accuracy: 0 }, validation: null }, schedule)).toBe(state);
  });
});

describe('early stopping', () => {
  it.each(keras.stoppings.map((row, index) => [index, row] as const))('stops where Keras stops, case %i', (_, row) => {
    let state = earlyStoppingStart;
    let lastEpoch = 0;
    let isStopping = false;
    for (const [index, values] of row.epochs.entries()) {
      const step = reduceEarlyStopping(state, toMetrics(values, index), row.options);
      state = throughJson(step.state);
      lastEpoch = index + 1;
      isStopping = step.isStopping;
      if (isStopping) break;
    }
    expect({ lastEpoch, isStopping, bestEpoch: state.bestEpoch }).toEqual({
      lastEpoch: row.lastEpoch,
      isStopping: row.isStopped,
      bestEpoch: row.bestEpoch,
    });
  });

  it('does not take NaN for an improvement', () => {
    const options = earlyStoppingSchema.parse({ patience: 2 });
    const [first, second] = epochsOf([NaN, 0], [NaN, 0]);
    if (first === undefined || second === undefined) throw new Error('two epochs expected');
    const step = reduceEarlyStopping(earlyStoppingStart, first, options);
    expect(step.state.best).toBeNull();
    expect(reduceEarlyStopping(earlyStoppingStart, first, { ...options, patience: 0 }).isStopping).toBe(false);
    expect(reduceEarlyStopping(step.state, second, options).isStopping).toBe(true);
  });
});

describe('kept weights and the checkpoint rule', () => {
  const epochs = epochsOf([0.5, 0.7], [0.4, 0.8], [0.4, 0.9], [0.6, 0.9], [0.3, 0.6]);
  const keep = (rule: KeepRule, from: EpochMetrics[]): (number | null)[] => {
    let state = keepStart;
    return from.map((metrics) => {
      const step = reduceKeep(state, metrics, rule);
      expect(step.isKept).toBe(step.state.epoch === metrics.epoch);
      state = throughJson(step.state);
      return state.epoch;
    });
  };

  it('keeps the first of equal epochs', () => {
    expect(keep('last', epochs)).toEqual([1, 2, 3, 4, 5]);
    expect(keep('bestValLoss', epochs)).toEqual([1, 2, 2, 2, 5]);
    expect(keep('bestValAccuracy', epochs)).toEqual([1, 2, 3, 3, 3]);
  });

  it('keeps something even when nothing can be compared', () => {
    expect(keep('bestValLoss', epochsOf([NaN, 0], [NaN, 0], [2, 0]))).toEqual([1, 1, 3]);
  });

  it('chooses the epoch that speaks for a phase', () => {
    expect(chooseEpoch(epochs, 'last')).toBe(5);
    expect(chooseEpoch(epochs, 'best-val-loss')).toBe(5);
    expect(chooseEpoch(epochs, 'best-val-accuracy')).toBe(3);
    expect(chooseEpoch(epochs, 'epoch=2')).toBe(2);
    expect(chooseEpoch(epochs, 'epoch=9')).toBeNull();
    expect(chooseEpoch([], 'last')).toBeNull();
    expect(
      chooseEpoch(
        epochs.map((metrics) => ({ ...metrics, validation: null })),
        'best-val-loss',
      ),
    ).toBeNull();
  });
});

const averageSchema = z.strictObject({ precision: z.number(), recall: z.number(), f1: z.number() });
const areaSchema = z.strictObject({ classes: numbers, macro: z.number(), weighted: z.number() });
const reference = z
  .object({
    predictions: z.array(
      z.strictObject({
        classCount: z.int(),
        grain: z.int(),
        labels: numbers,
        probabilities: numbers,
        accuracy: z.number(),
        confusion: z.array(numbers),
        scores: z.strictObject({
          classes: z.strictObject({ precision: numbers, recall: numbers, f1: numbers }),
          micro: averageSchema,
          macro: averageSchema,
          weighted: averageSchema,
        }),
        topTwo: z.number().nullable(),
        logLoss: z.number(),
        calibration: z.number(),
        kappa: z.number(),
        matthews: z.number(),
        roc: areaSchema,
        precisionRecall: areaSchema,
        rocCurve: z.tuple([numbers, numbers, numbers]),
        precisionRecallCurve: z.tuple([numbers, numbers, numbers]),
      }),
    ),
    mcnemar: z.array(z.tuple([z.int(), z.int(), z.number()])),
    bootstrap: z.strictObject({ values: numbers, low: z.number(), high: z.number() }),
  })
  .parse(readFixture('metrics/metrics.json'));

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? NaN, 10));
}

describe.each(reference.predictions.map((row, index) => [index, row] as const))('metrics of predictions %i', (_, row) => {
  const confusion = countConfusion(row.labels, predictClasses(row), row.classCount);

  it('counts confusion and derived scores as scikit-learn', () => {
    expect(confusion).toEqual(row.confusion);
    expect(accuracyOf(confusion)).toBeCloseTo(row.accuracy, 12);
    expect(cohensKappa(confusion)).toBeCloseTo(row.kappa, 12);
    expect(matthewsCorrelation(confusion)).toBeCloseTo(row.matthews, 12);
    const report = reportClasses(confusion);
    for (const name of ['precision', 'recall', 'f1'] as const) {
      expectClose(
        report.classes.map((scores) => scores[name]),
        row.scores.classes[name],
      );
      for (const kind of ['micro', 'macro', 'weighted'] as const) expect(report[kind][name]).toBeCloseTo(row.scores[kind][name], 12);
    }
  });

  it('reads probabilities as scikit-learn', () => {
    expect(logLoss(row)).toBeCloseTo(row.logLoss, 10);
    expect(calibrationError(row)).toBeCloseTo(row.calibration, 10);
    expect(topKAccuracy(row, 1)).toBeLessThanOrEqual(topKAccuracy(row, 2));
    if (row.topTwo !== null) expect(topKAccuracy(row, 2)).toBeCloseTo(row.topTwo, 12);
    expect(topKAccuracy(row, row.classCount)).toBe(1);
  });

  it('draws curves and areas as scikit-learn', () => {
    const isPositive = row.labels.map((label) => label === 0);
    const scores = row.labels.map((_label, index) => row.probabilities[index * row.classCount] ?? NaN);
    const roc = rocCurve(isPositive, scores);
    expectClose(roc?.falsePositiveRate ?? [], row.rocCurve[0]);
    expectClose(roc?.truePositiveRate ?? [], row.rocCurve[1]);
    expectClose(roc?.thresholds.slice(1) ?? [], row.rocCurve[2]);
    const curve = precisionRecallCurve(isPositive, scores);
    expectClose(curve?.precision ?? [], row.precisionRecallCurve[0]);
    expectClose(curve?.recall ?? [], row.precisionRecallCurve[1]);
    expectClose(curve?.thresholds ?? [], row.precisionRecallCurve[2]);
    for (const kind of ['roc', 'precisionRecall'] as const) {
      const areas = areasUnderCurve(row, kind);
      expectClose(
        areas.classes.map((area) => area ?? NaN),
        row[kind].classes,
      );
      expect(areas.macro).toBeCloseTo(row[kind].macro, 10);
      expect(areas.weighted).toBeCloseTo(row[kind].weighted, 10);
    }
  });
});

describe('metrics at the edge', () => {
  it('keeps away from the logarithm of 0', () => {
    expect(logLoss({ labels: [0, 1], probabilities: [1, 0, 1, 0], classCount: 2 })).toBeCloseTo((23 * Math.LN2) / 2, 5);
  });

  it('has no curve for a class that never or always occurs, and leaves it out of the mean', () => {
    const areas = areasUnderCurve({ labels: [0, 1, 0], probabilities: [0.7, 0.3, 0, 0.2, 0.8, 0, 0.6, 0.4, 0], classCount: 3 }, 'roc');
    expect(areas).toEqual({ classes: [1, 1, null], macro: 1, weighted: 1 });
    expect(rocCurve([true, true], [0.1, 0.2])).toBeNull();
    expect(precisionRecallCurve([false], [0.1])).toBeNull();
  });

  it('answers 0 or null where a score is not defined', () => {
    expect(
      reportClasses([
        [0, 0],
        [2, 0],
      ]).classes[1],
    ).toEqual({ precision: 0, recall: 0, f1: 0, support: 2 });
    expect(
      cohensKappa([
        [3, 0],
        [0, 0],
      ]),
    ).toBeNull();
    expect(
      matthewsCorrelation([
        [3, 0],
        [0, 0],
      ]),
    ).toBe(0);
    expect(accuracyOf([[0]])).toBe(0);
  });
});

describe('significance', () => {
  it.each(reference.mcnemar)('McNemar %i against %i as SciPy', (onlyFirst, onlySecond, expected) => {
    const found = mcnemarExact(onlyFirst, onlySecond);
    expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-9 * expected);
  });

  it("lies within the resampling noise of SciPy's bootstrap and repeats for a seed", () => {
    const { values, low, high } = reference.bootstrap;
    const found = bootstrapMean(values, { seed: 3, resamples: 5000 });
    expect(Math.abs(found.low - low)).toBeLessThan(0.006);
    expect(Math.abs(found.high - high)).toBeLessThan(0.006);
    expect(bootstrapMean(values, { seed: 3, resamples: 5000 })).toEqual(found);
    expect(bootstrapMean(values, { seed: 4, resamples: 5000 })).not.toEqual(found);
  });

  it('interpolates quantiles as NumPy', () => {
    expect([0, 0.25, 0.5, 1].map((share) => quantile([1, 2, 4, 8], share))).toEqual([1, 1.75, 3, 8]);
  });
});
