import { defineConfig } from 'vitest/config';

/** What the supervisor sets for the trainer; results depend on oneDNN, whose default differs between processors. */
const env = { TF_ENABLE_ONEDNN_OPTS: '1', TF_CPP_MIN_LOG_LEVEL: '2' };

// unit: pure and quick; native: needs the TensorFlow library; system: whole processes and the command line.
export default defineConfig({
  test: {
    pool: 'forks',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.native.test.ts', 'test/**/*.system.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      { test: { name: 'native', include: ['test/**/*.native.test.ts'], env, testTimeout: 120_000, hookTimeout: 120_000 } },
      { test: { name: 'system', include: ['test/**/*.system.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
  },
});
