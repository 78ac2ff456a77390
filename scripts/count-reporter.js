import { writeFileSync } from 'node:fs';

/**
 * A reporter of vitest that counts tests by how they ended, names those that failed, and says how long each file took. vitest's own counts know tests only: a file or `describe`
 * whose set-up failed is missing from them, and the tests that never ran because of it are "skipped" there. Here they
 * failed.
 */
export default class CountReporter {
  onTestRunEnd(testModules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const failures = unhandledErrors.map(({ message }) => `outside of a test: ${firstLine(message)}`);
    const files = [];
    for (const testModule of testModules) {
      countTests(testModule, counts);
      nameFailures(testModule, testModule.relativeModuleId, failures);
      const { duration, collectDuration } = testModule.diagnostic();
      files.push({ file: testModule.relativeModuleId, ms: duration + collectDuration });
    }
    writeFileSync(process.env.VIRTFS_TEST_OUTCOME, JSON.stringify({ counts, failures, files }));
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

/** @param title of the file, and of every `describe` around */
function nameFailures(parent, title, failures) {
  for (const { message } of parent.errors()) failures.push(`${title}: ${firstLine(message)}`);
  for (const child of parent.children) {
    const name = `${title} > ${child.name}`;
    if (child.type === 'suite') nameFailures(child, name, failures);
    else if (outcome(child) === 'failed')
      failures.push(`${name}: ${firstLine(child.result().errors?.[0]?.message ?? 'never ran')}`);
  }
}

function firstLine(message) {
  return message.split('\n', 1)[0];
}

/** A test that is still pending when the run has ended was never run. */
function outcome(test) {
  const { state } = test.result();
  return state === 'pending' ? 'failed' : state;
}
