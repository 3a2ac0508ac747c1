import { describe, expect, it } from 'vitest';
import type { Executor, HostTensor } from '../src/main/engine/executor.ts';
import { runSelfTest } from '../src/main/trainer/selfTest.ts';
import { openTestExecutor } from './smallRun.ts';

const executor = openTestExecutor();

/** The real library with every result scaled, as a miscomputing one would give. */
function miscompute(factor: number): Executor {
  return {
    ...executor,
    load(graph) {
      const session = executor.load(graph);
      return {
        get statistics() {
          return session.statistics;
        },
        close: () => session.close(),
        prepare(feeds, fetches) {
          const call = session.prepare(feeds, fetches);
          const scale = (value: HostTensor): HostTensor => ({ ...value, data: Float32Array.from(value.data, (item) => item * factor) });
          return (inputs) => call(inputs).map(scale);
        },
      };
    },
  };
}

describe('the self-test', () => {
  it('meets the losses that Keras gives', () => {
    expect(runSelfTest(executor)).toMatchObject({ ok: true });
  });

  it('fails when the library is off by a thousandth', () => {
    expect(runSelfTest(miscompute(1.001))).toMatchObject({ ok: false, message: expect.stringContaining('After 10 steps') as string });
  });
});
