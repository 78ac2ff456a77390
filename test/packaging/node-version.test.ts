/** What the helper says on a Node that is too old for it; and the table of those that are not, in one place. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { OtherNode, testedMajors, testedRanges } from '../../harness/nodes.js';

/** Debian 12's, and some as far back as npm has them; before 12 nothing of our syntax could be read. */
const tooOld = ['18', '12', '0.12'] as const;

const read = (name: string): string => readFileSync(join(repositoryRoot, name), 'utf8');
const least = /\d+\.\d+/.exec(testedRanges[0] ?? '')?.[0] ?? '';
const complaint = (version: string): string =>
  `Node ${version} is too old: ${least} or newer is needed (tested with ${testedMajors.join(', ')})`;

describe.each(tooOld)('Node %s', (release) => {
  const starts = [
    ['serving', ['--nodaemon', '--path=/tmp', '--fd=3']],
    ['serving in the background', ['--path=/tmp', '--socket=/run/no-socket', '--uid=0']],
    ['--version', ['--version']],
    ['a command', ['status', '/run/no-control']],
    ['run', ['run', '--path=/tmp', '--', 'true', '{fd}']],
  ] as const;

  it.each(starts)('is refused in one line: %s', (_what, words) => {
    const node = new OtherNode(release);
    const { stdout: version } = spawnSync(node.program, ['--version'], { encoding: 'utf8' });
    const argv = [join(repositoryRoot, 'dist/main.js'), ...words];
    const { stdout, stderr, status } = spawnSync(node.program, argv, { encoding: 'utf8' });
    expect({ stdout, stderr, status }).toEqual({
      stdout: '',
      stderr: `virtfs-proxy-helper: ${complaint(version.trim().slice(1))} [node-too-old]\n`,
      status: 2,
    });
  });

  it('is refused by the scripts of a checkout', () => {
    const argv = [join(repositoryRoot, 'src/node-version.cjs')];
    const { stderr, status } = spawnSync(new OtherNode(release).program, argv, { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({
      stderr: expect.stringMatching(/^Node \S+ is too old: .*\n$/) as string,
      status: 2,
    });
  });
});

it('the library refuses it', () => {
  const library = join(repositoryRoot, 'dist/library.mjs');
  const script = `import(${JSON.stringify(library)}).then(({ shareDirectory }) => shareDirectory({ path: '/tmp' })).catch((error) => console.log(error.constructor.name, error.code, error.status, error.message))`;
  const { stdout } = spawnSync(new OtherNode('18').program, ['--eval', script], { encoding: 'utf8' });
  expect(stdout).toMatch(/^StartError node-too-old 2 Node \S+ is too old: .*\n$/);
});

describe('the versions of Node in package.json', () => {
  it('are whole ranges of releases', () => {
    for (const range of testedRanges) expect(range).toMatch(/^\^\d+\.\d+\.0$/);
  });

  it('are those of the README', () => {
    const [, documented = ''] = /Node (\d+[^.]*?) \(at least/.exec(read('README.md')) ?? [];
    expect(documented.match(/\d+/g)?.map(Number)).toEqual(testedMajors);
    expect(read('README.md')).toContain(`at least ${least}`);
  });

  it('have that of the image', () => {
    const majors = [...read('Dockerfile').matchAll(/=node:(\d+)\./g)].map(([, major]) => Number(major));
    expect(majors.length).toBeGreaterThan(0);
    for (const major of majors) expect(testedMajors).toContain(major);
  });

  it('begin with what the bundles are made for', () => {
    expect(read('scripts/build.js')).toContain(`target: 'node${least}'`);
  });

  it('are those of the lock file', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Readonly<Record<string, { engines?: { node?: string } }>>;
    };
    expect(packages['']?.engines?.node).toBe(testedRanges.join(' || '));
  });
});
