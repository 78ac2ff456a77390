import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs all tests, some of them again for other versions of Node, and ends with one line for both people and programs:
 * "N passed, N failed, N skipped".
 *   node scripts/run-tests.js [ARGUMENT...]    with arguments for vitest: only one run, with those
 *
 * All tests run with the Node that runs this. The helper alone runs with the others that `engines` of package.json names:
 * with the newest in the tests of sessions, security and conformance, which touch what a Node can break (system calls,
 * threads, the event loop, native code), with each of the rest in the short pass of `test/nodes`.
 */

const root = join(import.meta.dirname, '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reporter = join(root, 'scripts', 'count-reporter.js');

const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const majors = engines.node.split(' || ').map((range) => /\d+/.exec(range)[0]);
const newest = majors.at(-1);
const others = majors.filter((major) => major !== process.versions.node.split('.')[0]);

const onOtherNodes = others.map((major) => ({
  title: `the helper on Node ${major}`,
  argv:
    major === newest ? ['test/nodes', 'test/session', 'test/security', 'test/conformance'] : ['test/nodes'],
  env: { HELPER_NODE: major },
}));
const given = process.argv.slice(2);
const runs =
  given.length > 0
    ? [{ title: given.join(' '), argv: given }]
    : [{ title: `all, on Node ${process.versions.node}`, argv: [] }, ...onOtherNodes];

/** Runs vitest once. A run that ends without counts, or fails without saying in which test, is one failure. */
function runVitest({ title, argv, env }) {
  process.stdout.write(`\n== tests: ${title}\n`);
  const directory = mkdtempSync(join(tmpdir(), 'test-counts-'));
  const file = join(directory, 'counts.json');
  try {
    const { status } = spawnSync(
      process.execPath,
      [vitest, 'run', '--reporter=default', `--reporter=${reporter}`, ...argv],
      { stdio: 'inherit', env: { ...process.env, ...env, VIRTFS_TEST_COUNTS: file } },
    );
    const counts = readCounts(file);
    if (status !== 0 && counts.failed === 0) counts.failed = 1;
    return counts;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const run of runs) {
  const counts = runVitest(run);
  for (const outcome of Object.keys(total)) total[outcome] += counts[outcome];
}
const { passed, failed, skipped } = total;
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
