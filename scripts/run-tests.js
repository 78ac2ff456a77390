import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Runs all tests, some of them again for other versions of Node. Ends with the files that took longest, the tests that
 * failed, and one line for both people and programs: "N passed, N failed, N skipped".
 *   node scripts/run-tests.js [ARGUMENT...]    with arguments for vitest: only one run, with those
 *
 * All tests run with the Node that runs this. The helper alone runs with the others that `engines` of package.json names:
 * with the newest in the tests of sessions, security and conformance, which touch what a Node can break (system calls,
 * threads, the event loop, native code), with each of the rest in the short pass of `test/nodes`.
 *
 * There are two lanes, at the same time, since one leaves much of two processors idle. What boots guests and systems, or
 * installs, is in the one. The other has process numbers of its own (a pid namespace), so that none sees the helpers of
 * the other. As each has half of the machine at times, they wait longer for what shall happen (TEST_PATIENCE).
 */

const root = join(import.meta.dirname, '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reporter = join(root, 'scripts', 'count-reporter.js');

const { engines, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const majors = engines.node.split(' || ').map((range) => /\d+/.exec(range)[0]);
const newest = majors.at(-1);
const others = majors.filter((major) => major !== process.versions.node.split('.')[0]);

const onOtherNodes = others.map((major) => ({
  title: `the helper on Node ${major}`,
  argv:
    major === newest ? ['test/nodes', 'test/session', 'test/security', 'test/conformance'] : ['test/nodes'],
  env: { HELPER_NODE: major },
}));
/** The directories of the suites that boot guests and systems, or install. */
const booting = ['guest', 'packages', 'server'].flatMap((suite) =>
  scripts[`test:${suite}`].split(' ').filter((word) => word.startsWith('test/')),
);
const onThisNode = (what) => `${what}, on Node ${process.versions.node}`;
const given = process.argv.slice(2);
const lanes =
  given.length > 0
    ? [{ name: '', command: [], runs: [{ title: given.join(' '), argv: given }] }]
    : [
        {
          name: 'boots | ',
          command: [],
          runs: [{ title: onThisNode('what boots and installs'), argv: booting }],
        },
        {
          name: 'other | ',
          command: ownProcessNumbers(),
          runs: [
            {
              title: onThisNode('all others'),
              argv: booting.flatMap((directory) => ['--exclude', `${directory}**`]),
            },
            ...onOtherNodes,
          ],
        },
      ];

/** What a command is started with to have a pid namespace, with an init that waits for orphans; without root it has none. */
function ownProcessNumbers() {
  if (process.getuid() !== 0) return [];
  return [
    ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'slave'],
    ...['sh', '-c', '"$@"; exit $?', 'init'],
  ];
}

/** Runs vitest once. A run that ends without an outcome, or fails without saying in which test, is one failure. */
async function runVitest({ title, argv, env }, lane) {
  process.stdout.write(`\n${lane.name}== tests: ${title}\n`);
  const directory = mkdtempSync(join(tmpdir(), 'test-outcome-'));
  const file = join(directory, 'outcome.json');
  try {
    const [program, ...words] = [
      ...lane.command,
      ...[process.execPath, vitest, 'run', '--configLoader=runner'],
      ...['--reporter=default', `--reporter=${reporter}`, ...argv],
    ];
    const run = spawn(program, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { TEST_PATIENCE: lanes.length > 1 ? '3' : '1', ...process.env, ...env, VIRTFS_TEST_OUTCOME: file },
    });
    for (const output of [run.stdout, run.stderr])
      createInterface(output).on('line', (line) => process.stdout.write(`${lane.name}${line}\n`));
    const [status] = await once(run, 'close');
    const outcome = readOutcome(file);
    if (status !== 0 && outcome.counts.failed === 0) {
      outcome.counts.failed = 1;
      outcome.failures.push(`vitest ended with status ${status}`);
    }
    return outcome;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function readOutcome(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {
      counts: { passed: 0, failed: 1, skipped: 0 },
      failures: ['vitest ended without an outcome'],
      files: [],
    };
  }
}

const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const files = [];
await Promise.all(
  lanes.map(async (lane) => {
    for (const run of lane.runs) {
      const outcome = await runVitest(run, lane);
      for (const kind of Object.keys(total)) total[kind] += outcome.counts[kind];
      failures.push(...outcome.failures.map((failure) => `${run.title}: ${failure}`));
      files.push(...outcome.files.map(({ file, ms }) => ({ file: `${run.title}: ${file}`, ms })));
    }
  }),
);

const SLOWEST = 25;
files.sort((one, other) => other.ms - one.ms);
process.stdout.write('\n== the files that took longest\n');
for (const { file, ms } of files.slice(0, SLOWEST))
  process.stdout.write(`${(ms / 1000).toFixed(0).padStart(5)} s  ${file}\n`);
if (failures.length > 0) process.stdout.write('\n== failed\n');
for (const failure of failures) process.stdout.write(`${failure}\n`);

const { passed, failed, skipped } = total;
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
