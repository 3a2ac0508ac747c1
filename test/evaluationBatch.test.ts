import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseEvaluationBatch } from '../src/shared/domain/evaluationBatch.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import { makeMobileNet } from '../src/shared/domain/zoo/mobileNet.ts';
import { makeVgg } from '../src/shared/domain/zoo/vgg.ts';

const mobileNet = (size: number) => resolveNetwork(makeMobileNet(1), [size, size, 3], null).network;

describe('pictures per evaluation', () => {
  test('are 500 for small networks and fewer for large ones', () => {
    const vgg = resolveNetwork(makeVgg('VGG16'), [32, 32, 3], null).network;
    expect(chooseEvaluationBatch(vgg)).toBe(500);
    // 112 x 112 x 64 numbers twice, in 256 MiB.
    expect(chooseEvaluationBatch(mobileNet(224))).toBe(Math.floor(2 ** 28 / (2 * 112 * 112 * 64 * 4)));
    expect(chooseEvaluationBatch(mobileNet(4096))).toBe(1);
  });

  test('count only the layers behind cached features', () => {
    const network = mobileNet(224);
    // 7 x 7 x 1024 numbers, in 32 MiB.
    expect(chooseEvaluationBatch(network, network.layers.length)).toBe(Math.floor(2 ** 25 / (7 * 7 * 1024 * 4)));
  });

  test('are never none, and never more for larger pictures', () => {
    fc.assert(
      fc.property(fc.integer({ min: 32, max: 1200 }), fc.integer({ min: 32, max: 1200 }), (a, b) => {
        const [small, large] = [chooseEvaluationBatch(mobileNet(Math.min(a, b))), chooseEvaluationBatch(mobileNet(Math.max(a, b)))];
        expect(large).toBeGreaterThanOrEqual(1);
        expect(small).toBeGreaterThanOrEqual(large);
      }),
      { numRuns: 30 },
    );
  });
});
