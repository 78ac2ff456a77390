import { defineConfig } from 'vitest/config';
import { patience } from './harness/guest/patience.js';

// Two cores, real processes, one kernel: test files run one after another so that they do not disturb each other.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // HELPER_NODE=22: the helper runs under another Node than the tests
    globalSetup: ['harness/helper-node.ts'],
    fileParallelism: false,
    pool: 'forks',
    testTimeout: 30_000 * patience,
    hookTimeout: 60_000 * patience,
  },
});
