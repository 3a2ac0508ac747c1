import type { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createAugmenter } from '../src/main/data/augment.ts';
import { createPrefetcher, type PrefetchedSource } from '../src/main/data/augmentPrefetch.ts';
import { type BatchSource, transformBatches } from '../src/main/data/batches.ts';
import { createSchedule } from '../src/main/data/schedule.ts';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { createStream } from '../src/shared/domain/rng.ts';

const shape = [6, 7, 3] as const;
const size = 6 * 7 * 3;
const count = 23;
const batchSize = 4;
const workerFile = new URL('../src/main/data/augmentWorker.ts', import.meta.url);
const augmentation = augmentationSchema.parse({ rotationRange: 40, zoomRange: 0.3, widthShiftRange: 0.2, horizontalFlip: true });
const options = { augmentation, shape, batchSize, seed: 3, phase: 1, passAt: (epoch: number, step: number) => epoch * 100 + step };

/** Pictures in memory; like the store's source it hands out two buffers in turn. */
function pictureSource(): BatchSource<Uint8Array> {
  const bytes = createStream(9, 'pictures');
  const pictures = Uint8Array.from({ length: count * size }, () => bytes.integer(256));
  const schedule = createSchedule({ count, batchSize, order: (pass) => createStream(9, 'order', pass).permutation(count) });
  const buffers = [new Uint8Array(batchSize * size), new Uint8Array(batchSize * size)] as const;
  let calls = 0;
  return {
    sampleShape: shape,
    sampleCount: count,
    steps: schedule.steps,
    samplesIn: (epoch) => schedule.samplesIn(epoch),
    fill(epoch, step) {
      const samples = schedule.locate(epoch, step);
      const buffer = buffers[calls++ % 2 === 0 ? 0 : 1];
      samples.forEach((sample, row) => {
        buffer.set(pictures.subarray(sample * size, (sample + 1) * size), row * size);
      });
      return {
        count: samples.length,
        input: buffer.subarray(0, samples.length * size),
        labels: Int32Array.from(samples, (sample) => sample % 5),
        samples,
      };
    },
  };
}

function plainSource(): BatchSource<Float32Array> {
  return transformBatches(pictureSource(), createAugmenter(options));
}

const open: PrefetchedSource[] = [];
function prefetch(threads: number, slots?: number): PrefetchedSource {
  const source = createPrefetcher(pictureSource(), { ...options, workerFile, threads, ...(slots === undefined ? {} : { slots }) });
  open.push(source);
  return source;
}

afterEach(() => {
  for (const source of open.splice(0)) source.close();
});

function expectSameBatch(source: BatchSource<Float32Array>, plain: BatchSource<Float32Array>, epoch: number, step: number): void {
  const batch = source.fill(epoch, step);
  const expected = plain.fill(epoch, step);
  expect(batch.count).toBe(expected.count);
  expect([...batch.input]).toEqual([...expected.input]);
  expect([...batch.labels]).toEqual([...expected.labels]);
  expect([...batch.samples]).toEqual([...expected.samples]);
}

// On a busy machine a thread has been seen to take 13 s to start.
describe('createPrefetcher', { timeout: 60_000 }, () => {
  test.each([
    [0, 3],
    [1, 3],
    [1, 4],
    [3, 6],
  ])('with %i threads and %i slots every batch equals the plain one', (threads, slots) => {
    const source = prefetch(threads, slots);
    const plain = plainSource();
    expect(source.steps).toBe(6);
    expect(source.samplesIn(1)).toBe(count);
    for (let epoch = 0; epoch < 4; epoch++) {
      for (let step = 0; step < source.steps; step++) expectSameBatch(source, plain, epoch, step);
    }
  });

  test('follows jumps, as after a resume', () => {
    const position = fc.tuple(fc.nat(5), fc.nat(5));
    fc.assert(
      fc.property(fc.array(position, { maxLength: 8 }), fc.nat(2), (jumps, threads) => {
        const source = prefetch(threads);
        const plain = plainSource();
        for (const [epoch, step] of jumps) expectSameBatch(source, plain, epoch, step);
        source.close();
      }),
      { numRuns: 15 },
    );
  });

  test('the threads do the work when they are given time', async () => {
    const source = prefetch(2);
    const plain = plainSource();
    let position = 0;
    await vi.waitUntil(
      () => {
        const before = source.ownBatches;
        expectSameBatch(source, plain, Math.floor(position / 6), position % 6);
        position += 1;
        return source.ownBatches === before;
      },
      { timeout: 50_000, interval: 20 },
    );
  });

  test('keeps the batch handed out before the present one, page-aligned for TensorFlow', async () => {
    const source = prefetch(1, 3);
    const first = source.fill(0, 0);
    const copy = { input: [...first.input], labels: [...first.labels], samples: [...first.samples] };
    const second = source.fill(0, 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect({ input: [...first.input], labels: [...first.labels], samples: [...first.samples] }).toEqual(copy);
    for (const batch of [first, second]) expect(batch.input.byteOffset % 64).toBe(0);
    expect(first.input.buffer.byteLength % 65_536).toBe(0);
  });

  test('a thread that cannot start is reported by the next fill', async () => {
    const missing = new URL('../src/main/data/noSuchFile.ts', import.meta.url);
    const source = createPrefetcher(pictureSource(), { ...options, workerFile: missing });
    open.push(source);
    source.fill(0, 0);
    await vi.waitFor(() => expect(() => source.fill(0, 1)).toThrow('A thread that prepares pictures failed.'), { timeout: 50_000 });
  });

  test('close ends the threads', async () => {
    const started: Worker[] = [];
    const onWorker = (worker: Worker) => started.push(worker);
    process.on('worker', onWorker);
    const source = prefetch(2);
    source.fill(0, 0);
    await vi.waitUntil(() => started.length === 2, { timeout: 50_000 });
    process.off('worker', onWorker);
    const ended = started.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    source.close();
    expect(await Promise.all(ended)).toEqual([0, 0]);
  });

  test('refuses a ring too small to work ahead and a batch larger than its memory', () => {
    expect(() => prefetch(1, 2)).toThrow('A prefetcher needs at least 3 slots, not 2.');
    const narrow = createPrefetcher(pictureSource(), { ...options, batchSize: 3, workerFile, threads: 0 });
    expect(() => narrow.fill(0, 0)).toThrow('A batch of 4 pictures came to a prefetcher made for 3.');
  });
});
