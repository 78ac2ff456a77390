/** --keep-listening while the helper is upgraded: a new version's program serves the next client. */
import { cpSync, existsSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { helperForTest, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of an upgraded listener skipped: ${skipped}`);

/** A copy of the built programs, which a test may change. */
function copiedPrograms(): string {
  const copy = exportForTest();
  const repository = dirname(dirname(OURS));
  cpSync(dirname(OURS), join(copy, 'dist'), { recursive: true });
  cpSync(join(repository, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
  return join(copy, 'dist');
}

describe.skipIf(skipped !== undefined)('a listener', () => {
  it('gives a program that was upgraded meanwhile nothing but options of the command line', async () => {
    const programs = copiedPrograms();
    const directory = exportForTest();
    const place = exportForTest();
    const path = join(place, 'socket');
    const owners = ['--uid', '0', '--allow-uid', '1', '--pidfile', join(place, 'pid')];
    const options = ['--readonly', '--map-uid', '0:100000:1', '--map-uid', '1:200000:1'];
    const argv = ['-n', '-p', directory, '-s', path, '--keep-listening', ...owners, ...options];
    helperForTest(argv, { program: join(programs, 'main.js') });
    await vi.waitFor(() => {
      expect(existsSync(path)).toBe(true);
    }, 10_000);
    const first = WireClient.connect(path);
    expect(first.request(requests.lstat('/')).errno).toBe(0);
    first.close();

    const told = join(place, 'told');
    const program = join(programs, 'client.js');
    writeFileSync(
      `${program}.new`,
      `const fs = require('node:fs');
fs.writeFileSync('${told}.unfinished', process.argv[2]);
fs.renameSync('${told}.unfinished', '${told}');`,
    );
    renameSync(`${program}.new`, program);
    const second = WireClient.connect(path);
    await vi.waitFor(() => {
      expect(existsSync(told)).toBe(true);
    }, 10_000);
    second.close();
    expect(JSON.parse(readFileSync(told, 'utf8'))).toMatchObject({
      options: { path: directory, readonly: true, 'map-uid': ['0:100000:1', '1:200000:1'] },
      client: 2,
    });
  });
});
