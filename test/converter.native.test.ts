// Weights of a Keras file in our graph of constants, on the real library, against what Keras itself answers.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inputSchema } from '../src/shared/contract/schema.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import { makeBaseLayers } from '../src/shared/domain/zoo/expand.ts';
import { buildInferenceGraph } from '../src/main/converter/exportSavedModel.ts';
import { decodeTensors } from '../src/main/engine/safetensors.ts';
import { openExecutor } from './kerasFixture.ts';
import { alpha, importFile, readPredictions, side, weightsFile } from './weightsFixture.ts';

test('an imported MobileNet answers what Keras answers', async () => {
  const { tensors } = decodeTensors(readFileSync((await importFile(weightsFile('base.weights.h5'))).file), 'weights');
  const layers = makeBaseLayers({ network: 'MobileNet', alpha, cutAt: null, weights: 'random', weightsFingerprint: null });
  const { network } = resolveNetwork(layers, [side, side, 3], null);
  const { graph, pixels, probabilities } = buildInferenceGraph(network, tensors, inputSchema.parse({ scaling: 'minusOneToOne' }));
  const session = openExecutor().load(graph);
  const expected = readPredictions();
  const [answer] = session.prepare([pixels], [probabilities])([{ shape: [2, side, side, 3], data: expected.pixels }]);
  session.close();
  expect(answer?.shape).toEqual(expected.output.shape);
  const differences = [...expected.output.data].map((value, index) => Math.abs(value - (answer?.data[index] ?? 0)));
  // With one filter in the first layer rounding grows: Keras's own float32 and float64 differ by 6e-5 in probabilities of this network.
  expect(Math.max(...differences)).toBeLessThan(1e-3);
  expect(Math.max(...expected.output.data)).toBeGreaterThan(1);
});
