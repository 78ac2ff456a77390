/**
 * `scripts/demo`, the first command of the README, on the smallest Debian 12 and 13: it installs all that it needs. That
 * is some hundred megabytes and takes minutes, so only where DEMO_TREES is set.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inTree } from '../../harness/guest/emulator.js';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { DebianTree } from '../../harness/debian-tree.js';
import { patience } from '../../harness/patience.js';
import { barePackages } from './bare-debian.js';

const wanted = process.env['DEMO_TREES'] !== undefined;
if (!wanted) console.warn('the demonstration on bare trees skipped: takes minutes; DEMO_TREES=1 runs it');
const TIMEOUT = 1_800_000 * patience;
/** Where root has a checkout, which no other user can read. */
const CHECKOUT = '/root/virtfs-proxy-helper';

const fresh = `git ls-files --cached --others --exclude-standard -z | xargs -0 cp --parents --target-directory "$0"`;

describe.skipIf(!wanted || skipUnlessRoot('the demonstration')).each([
  {
    release: 'bookworm',
    node: 'too old for the helper',
    driver: 'what served driver ended with 0; errors logged: 0',
  },
  { release: 'trixie', node: 'Node', driver: 'This QEMU has no proxy driver' },
])('the demonstration on a bare Debian ($release)', ({ release, node, driver }) => {
  let tree: DebianTree;
  beforeAll(() => {
    tree = new DebianTree(barePackages, { bare: release });
    fs.mkdirSync(tree.at(CHECKOUT), { recursive: true });
    execFileSync('sh', ['-c', fresh, tree.at(CHECKOUT)], { cwd: repositoryRoot });
    fs.copyFileSync('/etc/resolv.conf', tree.at('/etc/resolv.conf'));
  }, TIMEOUT);
  afterAll(() => {
    tree.remove();
  }, TIMEOUT);

  it(
    'ends with a guest that has worked on a share',
    () => {
      const words = [
        ...inTree(tree.path),
        'env',
        '-i',
        `TEST_PATIENCE=${patience}`,
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
        'HOME=/root',
      ];
      const [program, ...argv] = [...words, ...npmSettings(tree), `${CHECKOUT}/scripts/demo`];
      const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', maxBuffer: 2 ** 26 });
      if (status !== 0)
        throw new Error(`exit status ${status}\n${stdout.slice(-5_000)}\n${stderr.slice(-5_000)}`);
      expect(stdout).toContain(node);
      expect(stdout).toContain('host # cat projects/hello.txt\nWritten in the guest.\n');
      expect(stdout).toContain('what served share ended with 0; errors logged: 0');
      expect(stdout).toContain(driver);
    },
    TIMEOUT,
  );
});

/** As npm of this machine is told to reach its registry. */
function npmSettings(tree: DebianTree): string[] {
  const of = (name: string): string =>
    execFileSync('npm', ['config', 'get', name], { encoding: 'utf8' }).trim();
  const authorities = of('cafile');
  if (authorities === 'null') return [`npm_config_registry=${of('registry')}`];
  fs.copyFileSync(authorities, tree.at('/etc/authorities.pem'));
  return [`npm_config_registry=${of('registry')}`, 'npm_config_cafile=/etc/authorities.pem'];
}
