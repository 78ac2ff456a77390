/** RENAME and LINK have two paths: each is looked up from the root of the export, however the other is. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { confinements } from '../../harness/read-only-host.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { type Session, sessionForTest } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest, snapshot } from '../../harness/tree.js';

const skip = skipUnlessRoot('requests with two paths');
const owner = { uid: 0, gid: 0 };
const NAME = 'n'.repeat(255);
/** Longer than a path that the kernel takes, so that it is walked. */
const LONG = `/${NAME}`.repeat(20);

const models = ['passthrough', 'none', 'mapped-xattr', 'mapped-file'] as const;
const places = confinements.flatMap(([title, wrapper]) => models.map((model) => ({ title, wrapper, model })));

describe.skipIf(skip).each(places)('two paths $title, --security-model=$model', ({ wrapper, model }) => {
  function start(): { directory: string; session: Session; ask: (bytes: Buffer) => string } {
    const directory = exportForTest();
    const session = sessionForTest(directory, { wrapper, args: ['--security-model', model] });
    return { directory, session, ask: (bytes) => errnoName(session.client.request(bytes).errno) };
  }

  /** Makes the directories of a path, and in each a file of the given name with the path of its directory in it. */
  function decoys(ask: (bytes: Buffer) => string, directory: string): void {
    for (let level = 1; level <= 20; level++)
      expect(ask(requests.mkdir(owner, LONG.slice(0, 256 * level), 0o755))).toBe('success');
    mkdirSync(join(directory, 'd/e'), { recursive: true });
    writeFileSync(join(directory, 'source'), 'of the root');
    for (const decoy of ['d/source', 'd/e/source']) writeFileSync(join(directory, decoy), 'decoy');
    for (let level = 1; level < 15; level++)
      writeFileSync(join(directory, LONG.slice(1, 256 * level), 'source'), 'decoy');
  }

  it.each([
    ['a short path', '/d/e/target'],
    ['a relative path', 'd/e/target'],
    ['a long path', `${LONG}/target`],
    ['a long path of slashes', `${'/'.repeat(5_000)}d/e/target`],
    ['a long relative path', `${'./'.repeat(3_000)}d/e/target`],
  ])('a relative first path and %s', (_, target) => {
    const { directory, session, ask } = start();
    decoys(ask, directory);
    const content = (path: string): string => {
      const { descriptor } = session.client.request(requests.open(path, 0));
      return descriptor === undefined ? 'not there' : readFileSync(descriptor, 'utf8');
    };
    for (const from of ['source', './source', 'd/../source']) {
      expect(ask(requests.link(from, target))).toBe('success');
      expect(content(target)).toBe('of the root');
      expect(ask(requests.rename(target, 'back'))).toBe('success');
      expect(ask(requests.remove('/source'))).toBe('success');
      expect(ask(requests.rename('back', target))).toBe('success');
      expect(existsSync(join(directory, 'back'))).toBe(false);
      expect(ask(requests.rename(target, 'source'))).toBe('success');
      expect(content('/source')).toBe('of the root');
    }
    const decoysLeft = [...snapshot(directory).keys()].filter((path) => path.endsWith('/source'));
    expect(decoysLeft).toHaveLength(1 + 2 + 14);
    expect(ask(requests.rename('missing', target))).toBe('ENOENT');
    expect(ask(requests.link('', target))).toBe('ENOENT');
    // the next path begins at the root again
    expect(content('source')).toBe('of the root');
  });
});
