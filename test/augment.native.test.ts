import { expect, test } from 'vitest';
import { createPrefetcher } from '../src/main/data/augmentPrefetch.ts';
import { Graph } from '../src/main/engine/graph.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { openExecutor } from './kerasFixture.ts';

test('TensorFlow reads a prefetched batch from the shared memory', () => {
  const pixels = Uint8Array.from({ length: 2 * 5 * 4 * 3 }, (_, index) => (index * 7) % 256);
  const samples = Uint32Array.of(0, 1);
  const source = createPrefetcher(
    {
      sampleShape: [5, 4, 3],
      sampleCount: 2,
      steps: 1,
      samplesIn: () => 2,
      fill: () => ({ count: 2, input: pixels, labels: Int32Array.of(0, 1), samples }),
    },
    {
      augmentation: augmentationSchema.parse({ rotationRange: 30 }),
      shape: [5, 4, 3],
      batchSize: 2,
      seed: 1,
      phase: 0,
      workerFile: new URL('../src/main/data/augmentWorker.ts', import.meta.url),
    },
  );
  const graph = new Graph(opTable);
  const feed = graph.placeholder('pixels', 'float32', [null, 5, 4, 3]);
  const doubled = graph.op('AddV2', [feed, feed], {}, { name: 'doubled' });
  const session = openExecutor().load(graph);
  const run = session.prepare([feed], [doubled]);
  for (let epoch = 0; epoch < 3; epoch++) {
    const batch = source.fill(epoch, 0);
    const output = run([{ shape: [2, 5, 4, 3], data: batch.input }])[0];
    expect([...(output?.data ?? [])]).toEqual([...batch.input].map((level) => Math.fround(2 * level)));
  }
  session.close();
  source.close();
});
