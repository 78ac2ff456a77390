/** Processes of any user that pass for helpers: by their name, and by what their environment says. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sessionForTest } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { requests } from '../../harness/requests.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { controlPathForTest, status } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { parse, whyNoParser } from './exposition.js';

const NOBODY = 65534;
const skip = skipUnlessRoot('pretenders that are found');
const noParser = whyNoParser();
if (noParser !== undefined) console.warn(`the metrics of pretenders are not read: ${noParser}`);

/** A shell that waits for its input, with another name and no arguments. @returns its pid */
async function pretender(environment: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn('/bin/sh', [], {
    argv0: 'virtfs-proxy-helper',
    env: environment,
    uid: NOBODY,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  // when this is answered, the environment is the new program's
  child.stdin.write('echo started\n');
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child.pid ?? 0;
}

const claiming = (control: string): Promise<number> => pretender({ VIRTFS_PROXY_HELPER_CONTROL: control });

/** What is said of a path in the metrics. */
function upOf(control: string): number[] {
  const { status: exit, stdout } = status(['--openmetrics']);
  expect(exit).toBe(0);
  return parse(stdout, 'openmetrics.parser')
    .flatMap(({ samples }) => samples)
    .filter(({ name, labels }) => name === 'virtfs_proxy_helper_up' && labels['socket'] === control)
    .map(({ value }) => value);
}

describe.skipIf(skip || noParser !== undefined)('the metrics', () => {
  it('are those of the helper that answers, whoever says that he does', async () => {
    const control = controlPathForTest();
    await claiming(control);
    const { client } = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    await claiming(control);
    expect(upOf(control)).toEqual([1]);
    client.close();
  });

  it('have one line for a path at which nobody of several answers', async () => {
    const control = controlPathForTest();
    // of another type, which tells nothing of who has bound it
    const other = createServer().listen(control);
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    await claiming(control);
    await claiming(control);
    expect(upOf(control)).toEqual([0]);
    expect(status([]).stderr.match(new RegExp(`${control}: `, 'g'))).toHaveLength(1);
  });
});

describe.skipIf(skip)('status', () => {
  it.each([
    ['empty', ''],
    ['relative', 'run/control'],
    ['too long', `/${'x'.repeat(107)}`],
  ])('asks nobody at a path that is %s', async (_what, control) => {
    const pid = await claiming(control);
    const { stdout, stderr } = status([]);
    expect(stdout).toContain(`pid ${pid}: tells nothing of itself`);
    expect(stderr).not.toContain(control === '' ? ': : ' : control);
  });

  it('takes no process for a helper that has a longer environment than one', async () => {
    const long = await pretender({ A: 'x'.repeat(70_000), B: 'x'.repeat(70_000) });
    const short = await pretender({ A: 'x'.repeat(70_000) });
    await expect
      .poll(() => status([]).stdout, { timeout: 10_000 * patience })
      .toContain(`pid ${short}: tells nothing of itself`);
    expect(status([]).stdout).not.toContain(`pid ${long}:`);
  });
});
