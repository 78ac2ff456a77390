/** What the README says for npm, and what the helper says to type, with each npm that a Node of today comes with. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { installNpm, OtherNode } from '../../harness/nodes.js';
import { requests } from '../../harness/requests.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of npm's versions skipped: ${skipped}`);

const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
const [installLine = ''] = /^npm install --global .*$/m.exec(readme) ?? [];

describe.skipIf(skipped !== undefined)('installed with npm', () => {
  let place: string;
  let archive: string;
  // one that all three can run on
  let node: OtherNode;

  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'npm-'));
    const argv = ['pack', '--ignore-scripts', '--silent', '--pack-destination', place];
    archive = execFileSync('npm', argv, { cwd: repositoryRoot, encoding: 'utf8' }).trim();
    node = new OtherNode(24);
  }, 120_000);

  afterAll(() => {
    rmSync(place, { recursive: true });
  });

  describe.each([10, 11, 12])('%s', (major) => {
    const at = (...names: readonly string[]): string => join(place, String(major), ...names);
    const installed = (): string => at('lib/node_modules/virtfs-proxy-helper');

    /** A shell that finds this npm and this Node before all others. */
    function shell(line: string): string {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
        cwd: place,
        encoding: 'utf8',
        env: {
          ...process.env,
          PATH: `${at('programs')}:${process.env['PATH'] ?? ''}`,
          npm_config_prefix: at(),
          npm_config_nodedir: node.headers,
        },
      });
      expect([line, status, stderr]).toEqual([line, 0, stderr]);
      return stdout;
    }

    /** What starting in the background, for a user by name, says; a helper that did start is asked something, and ends. */
    function start(): string {
      const socket = at('socket');
      const argv = [join(installed(), 'dist/main.js'), `--path=${place}`, `--socket=${socket}`, '--uid=root'];
      const { stderr, status } = spawnSync(node.program, argv, { encoding: 'utf8', timeout: 20_000 });
      if (status === 0) {
        const client = WireClient.connect(socket);
        expect(client.request(requests.lstat('/')).errno).toBe(0);
        client.close();
      }
      return stderr;
    }

    beforeAll(() => {
      mkdirSync(at('programs'), { recursive: true });
      const npm = installNpm(major);
      chmodSync(npm, 0o755);
      symlinkSync(npm, at('programs', 'npm'));
      symlinkSync(node.program, at('programs', 'node'));
    }, 120_000);

    it('by the line of the README it serves', { timeout: 180_000 }, () => {
      expect(installLine).toContain('./virtfs-proxy-helper-*.tgz');
      shell(installLine);
      expect(start()).toBe('');
    });

    it('without its scripts it says what to type, and that mends it', { timeout: 180_000 }, () => {
      shell(`npm install --global ${major === 12 ? '' : '--ignore-scripts'} --force ./${archive}`);
      rmSync(join(installed(), 'node_modules/posix/build'), { recursive: true, force: true });
      const said = start();
      expect(said).toContain('the npm package posix was not compiled when it was installed; type "');
      shell(/; type "([^"]*)"/.exec(said)?.[1] ?? 'false');
      expect(start()).toBe('');
    });

    it('is removed without a trace', () => {
      shell('npm uninstall --global virtfs-proxy-helper');
      const left = execFileSync('find', [at(), '-name', '*virtfs*'], { encoding: 'utf8' });
      expect(left).toBe('');
    });
  });
});
