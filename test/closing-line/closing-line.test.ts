/** What `scripts/test` says at its end when something fails that is no test. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const runTests = fileURLToPath(new URL('../../scripts/run-tests.js', import.meta.url));
const fixture = fileURLToPath(new URL('fixture/', import.meta.url));

function runFixture(...files: readonly string[]): { lines: string[]; status: number | null } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  const argv = [runTests, '--root', fixture, '--no-cache', ...files];
  const { stdout, status } = spawnSync(process.execPath, argv, { encoding: 'utf8', env });
  return { lines: stdout.trimEnd().split('\n'), status };
}

function closingLine(...files: readonly string[]): { line: string; status: number | null } {
  const { lines, status } = runFixture(...files);
  return { line: lines.at(-1) ?? '', status };
}

describe('the closing line', () => {
  it.each([
    ['passes', '1 passed, 0 failed, 1 skipped', 0],
    ['fails-to-load', '0 passed, 1 failed, 0 skipped', 1],
    ['fails-to-set-up', '1 passed, 2 failed, 1 skipped', 1],
    ['fails-to-clean-up', '1 passed, 1 failed, 0 skipped', 1],
    ['fails-beside-the-tests', '1 passed, 1 failed, 0 skipped', 1],
  ])('counts a file that %s', (file, line, status) => {
    expect(closingLine(file)).toEqual({ line, status });
  });

  it('adds up files', () => {
    expect(closingLine()).toEqual({ line: '4 passed, 5 failed, 2 skipped', status: 1 });
  });

  it('comes after a list of what failed', () => {
    const { lines } = runFixture('fails-to-set-up', 'fails-beside-the-tests');
    const failed = lines.slice(lines.indexOf('== failed') + 1, -2).join('\n');
    expect(failed).toContain('fails-to-set-up.fixture.ts');
    expect(failed).toContain('outside of a test: ');
    expect(failed.split('\n').length).toBeGreaterThanOrEqual(2);
  });

  it('counts a run that cannot even begin', () => {
    expect(closingLine('--no-such-option')).toEqual({ line: '0 passed, 1 failed, 0 skipped', status: 1 });
  });

  it('counts a run that finds no test', () => {
    expect(closingLine('no-such-file')).toEqual({ line: '0 passed, 1 failed, 0 skipped', status: 1 });
  });
});
