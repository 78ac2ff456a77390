import { writeFileSync } from 'node:fs';

/**
 * A reporter of vitest that counts tests by how they ended. vitest's own counts know tests only: a file or `describe`
 * whose set-up failed is missing from them, and the tests that never ran because of it are "skipped" there. Here they
 * failed.
 */
export default class CountReporter {
  onTestRunEnd(testModules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const testModule of testModules) countTests(testModule, counts);
    writeFileSync(process.env.VIRTFS_TEST_COUNTS, JSON.stringify(counts));
  }
}

/** @param parent a file or a `describe` */
function countTests(parent, counts) {
  const below = { passed: 0, failed: 0, skipped: 0 };
  for (const child of parent.children) {
    if (child.type === 'suite') countTests(child, below);
    else below[outcome(child)] += 1;
  }
  if (parent.errors().length > 0) {
    below.failed += Math.max(below.skipped, 1);
    below.skipped = 0;
  }
  for (const name of Object.keys(counts)) counts[name] += below[name];
}

/** A test that is still pending when the run has ended was never run. */
function outcome(test) {
  const { state } = test.result();
  return state === 'pending' ? 'failed' : state;
}
