import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs vitest and ends with one line for both people and programs: "N passed, N failed, N skipped".
 *   node scripts/run-tests.js [ARGUMENT...]    arguments are for vitest
 */

const root = join(import.meta.dirname, '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reporter = join(root, 'scripts', 'count-reporter.js');

/** Runs vitest once. A run that ends without counts, or fails without saying in which test, is one failure. */
function runVitest(argv) {
  const directory = mkdtempSync(join(tmpdir(), 'test-counts-'));
  const file = join(directory, 'counts.json');
  try {
    const { status } = spawnSync(
      process.execPath,
      [vitest, 'run', '--reporter=default', `--reporter=${reporter}`, ...argv],
      { stdio: 'inherit', env: { ...process.env, VIRTFS_TEST_COUNTS: file } },
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

const { passed, failed, skipped } = runVitest(process.argv.slice(2));
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
