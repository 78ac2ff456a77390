/** What `npm pack` makes is complete, has nothing more, and works when it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperForTest, whyNotRoot } from '../../harness/helper-process.js';
import { shellBlocks } from '../../harness/documented.js';
import { requests } from '../../harness/requests.js';
import { exportForTest, removeTree } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of the installed package skipped: ${skipped}`);

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

describe('the package', () => {
  let place: string;
  let packed: Packed;

  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'package-'));
    // the 9P server of share runs as nobody
    chmodSync(place, 0o755);
    // built already
    const argv = ['pack', '--ignore-scripts', '--json', '--pack-destination', place];
    const answer = execFileSync('npm', argv, {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    [packed] = JSON.parse(answer) as [Packed];
  });

  afterAll(() => {
    removeTree(place);
  });

  it('has the programs, the library with its types, the man page and all documentation', () => {
    const paths = packed.files.map(({ path }) => path);
    const documents = readdirSync(join(repository, 'docs')).filter((name) => name.endsWith('.md'));
    expect(paths).toEqual(
      expect.arrayContaining([
        ...['LICENSE', 'README.md', 'CHANGELOG.md', 'ARCHITECTURE.md', 'package.json'],
        ...['dist/main.js', 'dist/serve.js', 'dist/package.json', 'dist/library.mjs', 'dist/library.d.mts'],
        ...['dist/man/virtfs-proxy-helper.8', 'systemd/virtfs-proxy-helper@.service'],
        ...['systemd/virtfs-proxy-helper@.socket', 'examples/orchestrator.mjs'],
        ...['guest/mount-vsock', 'guest/mnt-share.mount'],
        ...documents.map((name) => `docs/${name}`),
      ]),
    );
    expect(packed.files.find(({ path }) => path === 'dist/main.js')?.mode).toBe(0o755);
  });

  it('has no sources, tests or source maps', () => {
    const known =
      /^(dist\/|docs\/(decisions\/)?[^/]+\.md$|examples\/|guest\/|libvirt\/|systemd\/|(LICENSE|package\.json|[A-Z]+\.md)$)/;
    expect(packed.files.map(({ path }) => path).filter((path) => !known.test(path))).toEqual([]);
    const unwanted = /\.map$|\.test\.|(?<!\.d)\.m?ts$/;
    expect(packed.files.map(({ path }) => path).filter((path) => unwanted.test(path))).toEqual([]);
  });

  describe.skipIf(skipped !== undefined)('installed', () => {
    let prefix: string;
    let program: string;

    beforeAll(() => {
      prefix = join(place, 'prefix');
      program = join(prefix, 'bin', 'virtfs-proxy-helper');
      const archive = join(place, packed.filename);
      const argv = ['install', '--global', archive, '--prefix', prefix, '--no-audit', '--no-fund'];
      execFileSync('npm', argv, { stdio: 'pipe' });
    }, 180_000);

    it('serves', async () => {
      const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
        version: string;
      };
      expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toBe(
        `virtfs-proxy-helper ${version}\n`,
      );
      const { client, peer } = WireClient.pair();
      const helper = helperForTest(['-n', '-p', exportForTest(), '-f', '3'], { program, inherit: [peer] });
      expect(client.request(requests.mkdir({ uid: 1, gid: 2 }, '/made', 0o755)).errno).toBe(0);
      client.close();
      expect((await helper.exit()).status).toBe(0);
    });

    it('has its man page where man(1) looks', () => {
      expect(existsSync(join(prefix, 'share', 'man', 'man8', 'virtfs-proxy-helper.8'))).toBe(true);
    });

    it('takes the place of the C helper, and gives it back, by the commands of docs/migrating.md', () => {
      const [link = '', replace = '', giveBack = ''] = shellBlocks('docs/migrating.md');
      const script = `set -e
for place in /usr/lib/qemu /usr/local/bin /var/lib/dpkg; do
  mkdir -p "$0$place/upper" "$0$place/work"
  mount -t overlay -o "lowerdir=$place,upperdir=$0$place/upper,workdir=$0$place/work" overlay "$place"
done
${link}
PATH=/usr/local/bin:/usr/bin:/bin virtfs-proxy-helper --version
rm /usr/local/bin/virtfs-proxy-helper
${replace}
/usr/lib/qemu/virtfs-proxy-helper --version
${giveBack}
/usr/lib/qemu/virtfs-proxy-helper --help || true`;
      // in mounts of its own: nothing of this machine changes
      const argv = ['--mount', '--propagation', 'private', 'sh', '-c', script, join(place, 'migrating')];
      const { stdout, stderr } = spawnSync('unshare', argv, {
        encoding: 'utf8',
        env: { PATH: `${join(prefix, 'bin')}:${process.env['PATH'] ?? ''}` },
      });
      expect(stdout.match(/^virtfs-proxy-helper \d+\.\d+\.\d+$/gm), stderr).toHaveLength(2);
      // words of the C helper
      expect(stdout + stderr).toContain('9p path to export');
    });

    it('can be imported, with its types', () => {
      const consumer = join(prefix, 'lib', 'consumer.mts');
      writeFileSync(
        consumer,
        `import { shareDirectory, StartError, type HelperEnd, type ListeningShare, type Share } from 'virtfs-proxy-helper';
const share: Share = await shareDirectory({ path: process.argv[2] ?? '', log: 'ignore' });
const descriptor: number = share.descriptor;
const end: HelperEnd = await share.stop();
console.log(descriptor > 2, end.status);
const listening: ListeningShare = await shareDirectory({ path: process.argv[2] ?? '', listen: 'tcp:127.0.0.1:20564', log: 'ignore' });
console.log(listening.pid > 0, (await listening.stop()).status);
// @ts-expect-error only a helper's has a descriptor
void listening.descriptor;
// @ts-expect-error the path is required
await shareDirectory({}).catch((error: unknown) => { console.log(error instanceof StartError || error instanceof Error); });
`,
      );
      const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
      const types = ['--typeRoots', join(repository, 'node_modules', '@types'), '--types', 'node'];
      const flags = [
        '--strict',
        '--skipLibCheck',
        '--module',
        'nodenext',
        '--target',
        'es2023',
        '--ignoreConfig',
        ...types,
      ];
      execFileSync(process.execPath, [tsc, ...flags, consumer], { stdio: 'pipe' });
      const argv = [join(prefix, 'lib', 'consumer.mjs'), exportForTest()];
      expect(execFileSync(process.execPath, argv, { encoding: 'utf8' })).toBe('true 0\ntrue 0\ntrue\n');
    });
  });
});
