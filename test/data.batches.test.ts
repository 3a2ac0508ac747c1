import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBatchSource, transformBatches } from '../src/main/data/batches.ts';
import { createSchedule } from '../src/main/data/schedule.ts';
import { type DatasetStore, openStore } from '../src/main/data/store.ts';
import { writeStore } from '../src/main/data/storeWriter.ts';
import { temporaryFolder } from './dataFiles.ts';

/** A store of `count` pictures of 2x1x1 whose bytes say which picture they are; labels count 0, 1, 2, 0, ... */
async function numberedStore(count: number, heldBytes?: number): Promise<DatasetStore> {
  const folder = join(await temporaryFolder(), 'store');
  const pixels = Uint8Array.from({ length: count * 2 }, (_, index) => (index % 2 === 0 ? index / 2 : 255 - (index - 1) / 2));
  const draft = {
    id: 'numbered',
    name: 'Numbered',
    kind: 'idx' as const,
    classes: ['a', 'b', 'c'],
    shape: [2, 1, 1] as const,
    origin: 'test',
    licence: null,
    sources: () => [],
  };
  await writeStore(folder, draft, [{ part: 'train', labels: Array.from({ length: count }, (_, index) => index % 3), pixels }]);
  return openStore(folder, heldBytes === undefined ? {} : { heldBytes });
}

const rotate =
  (count: number) =>
  (pass: number): Uint32Array =>
    Uint32Array.from({ length: count }, (_, index) => (index + pass) % count);

describe('batches', () => {
  test.each([undefined, 0])('rows, labels and the partial last batch (held bytes %s)', async (heldBytes) => {
    const store = await numberedStore(10, heldBytes);
    const indices = Uint32Array.from([9, 0, 1, 2, 7]);
    const source = createBatchSource({ store, indices, labelMap: [2, 0, 1], batchSize: 2 });
    expect(source.steps).toBe(3);
    const seen = [0, 1, 2].map((step) => {
      const batch = source.fill(0, step);
      return { pixels: [...batch.input], labels: [...batch.labels], samples: [...batch.samples] };
    });
    expect(seen).toEqual([
      { pixels: [9, 246, 0, 255], labels: [2, 2], samples: [0, 1] },
      { pixels: [1, 254, 2, 253], labels: [0, 1], samples: [2, 3] },
      { pixels: [7, 248], labels: [0], samples: [4] },
    ]);
    store.close();
  });

  test('the batch before stays intact while the next is assembled', async () => {
    const source = createBatchSource({
      store: await numberedStore(6),
      indices: Uint32Array.from([0, 1, 2, 3, 4, 5]),
      labelMap: [0, 1, 2],
      batchSize: 2,
    });
    const first = source.fill(0, 0);
    const second = source.fill(0, 1);
    expect([...first.input]).toEqual([0, 255, 1, 254]);
    expect([...second.input]).toEqual([2, 253, 3, 252]);
    expect(first.input.byteOffset % 64).toBe(0);
    expect(second.input.byteOffset % 64).toBe(0);
  });

  test('any step can be filled at any time: the answer depends on epoch and step alone', async () => {
    const source = createBatchSource({
      store: await numberedStore(7),
      indices: Uint32Array.from([0, 1, 2, 3, 4, 5, 6]),
      labelMap: [0, 1, 2],
      batchSize: 3,
      order: rotate(7),
    });
    const inOrder = [0, 1, 2].flatMap((epoch) => [0, 1, 2].map((step) => [...source.fill(epoch, step).samples]));
    expect(inOrder.slice(3, 6)).toEqual([[1, 2, 3], [4, 5, 6], [0]]);
    expect([...source.fill(1, 2).samples]).toEqual([0]);
    expect([...source.fill(0, 1).samples]).toEqual([3, 4, 5]);
  });

  test('a class that the phase does not use and a position outside the store are refused', async () => {
    const store = await numberedStore(4);
    const make = (indices: number[]) => (): unknown =>
      createBatchSource({ store, indices: Uint32Array.from(indices), labelMap: [0, -1, 1], batchSize: 2 });
    expect(make([0, 1])).toThrow(/no label in this phase/);
    expect(make([4])).toThrow(/no label in this phase/);
    expect(make([0, 2])).not.toThrow();
  });

  test('a transform gets the picture batch with epoch and step and replaces the input only', async () => {
    const source = createBatchSource({
      store: await numberedStore(4),
      indices: Uint32Array.from([3, 2]),
      labelMap: [5, 6, 7],
      batchSize: 2,
    });
    const floats = transformBatches(source, (batch, epoch, step) => ({
      input: Float32Array.from(batch.input, (value) => value + epoch * 1000 + step / 2),
      mix: null,
    }));
    const batch = floats.fill(2, 0);
    expect([...batch.input]).toEqual([2003, 2252, 2002, 2253]);
    expect([...batch.labels]).toEqual([5, 7]);
  });
});

describe('schedule', () => {
  test('every epoch of one pass covers each sample once, whatever the sizes', () => {
    const sizes = fc.record({
      count: fc.integer({ min: 1, max: 200 }),
      batchSize: fc.integer({ min: 1, max: 50 }),
      epoch: fc.nat(5),
    });
    fc.assert(
      fc.property(sizes, ({ count, batchSize, epoch }) => {
        const schedule = createSchedule({ count, batchSize, order: rotate(count) });
        const samples = Array.from({ length: schedule.steps }, (_, step) => [...schedule.locate(epoch, step)]).flat();
        expect(samples.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
        expect(schedule.samplesIn(epoch)).toBe(count);
      }),
    );
  });

  test('with steps per epoch the passes go on over epochs as from a Keras generator', () => {
    // keras NumpyArrayIterator, n = 5, batch_size = 2: batches of 2, 2, 1, then a new order.
    const schedule = createSchedule({ count: 5, batchSize: 2, order: rotate(5), stepsPerEpoch: 4 });
    const epoch = (number: number): number[][] => Array.from({ length: 4 }, (_, step) => [...schedule.locate(number, step)]);
    expect(epoch(0)).toEqual([[0, 1], [2, 3], [4], [1, 2]]);
    expect(epoch(1)).toEqual([[3, 4], [0], [2, 3], [4, 0]]);
    expect([schedule.samplesIn(0), schedule.samplesIn(1)]).toEqual([7, 7]);
  });

  test('an order of the wrong length is refused', () => {
    const schedule = createSchedule({ count: 5, batchSize: 2, order: rotate(4) });
    expect(() => schedule.locate(0, 0)).toThrow(/4 entries for 5/);
  });
});
