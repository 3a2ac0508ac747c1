import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { fillHistory } from '../bench/historyFixture.ts';
import { choosePoints, findExtremes } from '../src/shared/domain/decimation.ts';
import { makeFolder, openLab } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

const value = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { freq: 5 });
const curves = fc
  .integer({ min: 1, max: 400 })
  .chain((length) => fc.tuple(fc.constant(length), fc.array(fc.array(value, { minLength: length, maxLength: length }), { maxLength: 4 })));

test('thinned curves keep their ends, their extremes and what they must, within the limit', () => {
  fc.assert(
    fc.property(curves, fc.integer({ min: 4, max: 300 }), fc.nat(), ([length, drawn], maxPoints, always) => {
      const position = always % length;
      const kept = choosePoints({ length, curves: drawn }, maxPoints, [position]);
      expect(kept.length).toBeLessThanOrEqual(maxPoints);
      expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
      expect(kept).toEqual(expect.arrayContaining([0, length - 1, position]));
      if (length <= maxPoints) expect(kept).toHaveLength(length);
      if (maxPoints < 3 + 2 * drawn.length) return;
      for (const curve of drawn) {
        const thin = kept.map((index) => curve[index] ?? null);
        const ends = (all: readonly (number | null)[]) => findExtremes(all).map((index) => all[index]);
        expect(ends(thin)).toEqual(ends(curve));
      }
    }),
  );
});

test('short curves are answered whole, with six digits, for the metrics that were asked for', async () => {
  const folder = makeFolder();
  fillHistory(folder, { runs: 3, epochsPerRun: 9 });
  const { client } = await openLab(folder);
  const { rows } = await client.call('runs.query', { limit: 1 });
  const runId = rows[0]?.runId ?? '';
  const { epochs } = await client.call('runs.epochs', { run: runId });
  const { series } = await client.call('runs.series', { runs: [runId] });
  expect(series.map(({ phase, epoch }) => [phase, epoch])).toEqual([
    [0, [1, 2, 3, 4, 5]],
    [1, [1, 2, 3, 4]],
  ]);
  const six = (number: number | undefined): number => Number((number ?? Number.NaN).toPrecision(6));
  const first = epochs.filter((epoch) => epoch.phase === 'phase 1');
  expect(series[0]?.trainLoss).toEqual(first.map((epoch) => six(epoch.train.loss)));
  expect(series[0]?.validationAccuracy).toEqual(first.map((epoch) => six(epoch.validation?.accuracy)));
  expect(series[0]?.seconds).toEqual(first.map((epoch) => six(epoch.seconds)));
  const asked = await client.call('runs.series', { runs: [runId, 'last'], metrics: ['learningRate'] });
  expect(asked.series).toHaveLength(2);
  expect(asked.series[0]).toMatchObject({ learningRate: [0.001, 0.001, 0.001, 0.001, 0.001], trainLoss: [], epoch: [1, 2, 3, 4, 5] });
  await expect(client.call('runs.series', { runs: [runId, 'nothing'] })).rejects.toMatchObject({ code: 'not_found' });
});

test('long curves are thinned so that their best epochs stay', async () => {
  const folder = makeFolder();
  fillHistory(folder, { runs: 2, epochsPerRun: 12_000 });
  const { client } = await openLab(folder);
  const { series } = await client.call('runs.series', { runs: ['last'], maxPoints: 20 });
  const { epochs } = await client.call('runs.epochs', { run: 'last', offset: 0 });
  expect(series).toHaveLength(2);
  for (const one of series) {
    expect(one.epoch.length).toBeLessThanOrEqual(20);
    expect([one.epoch[0], one.epoch.at(-1)]).toEqual([1, 6000]);
    expect(one.validationLoss).toHaveLength(one.epoch.length);
  }
  const accuracies = epochs.map((epoch) => epoch.validation?.accuracy ?? 0);
  expect(Math.max(...(series[0]?.validationAccuracy ?? []).map((accuracy) => accuracy ?? 0))).toBeGreaterThanOrEqual(
    Number(Math.max(...accuracies).toPrecision(6)),
  );
});
