/** The models that do not depend on the guest's ids, where the helper has just one: in a user namespace of one id. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionForTest, startSession, type Session, whyNotRoot } from '../../harness/helper-process.js';
import { exportForTest, makeExport, removeTree } from '../../harness/tree.js';
import { UserNamespace, whyNoUserNamespaces } from '../../harness/user-namespace.js';
import { attributes } from './attributes.js';
import { user } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';
import { making } from './making.js';
import { moving } from './moving.js';

const ONLY_ID = 100_000;
const skipped = whyNotRoot() ?? whyNoUserNamespaces();
if (skipped !== undefined) console.warn(`models with few rights skipped: ${skipped}`);

/** What does not look at the export itself, whose owner is another here. */
const behaviours = [...making, ...moving, ...attributes].filter(({ usesUp }) => usesUp === undefined);

const give = (directory: string): void => {
  execFileSync('chown', [`${ONLY_ID}:${ONLY_ID}`, directory]);
};

describe.skipIf(skipped !== undefined)('with one id of its own', () => {
  let namespace: UserNamespace;

  beforeAll(async () => {
    namespace = await UserNamespace.make(`0 ${ONLY_ID} 1`);
  });

  afterAll(() => {
    namespace.remove();
  });

  describe.each(['mapped-xattr', 'mapped-file'])('%s does all that it does as root', (model) => {
    let session: Session;
    let directory: string;

    beforeAll(() => {
      directory = makeExport();
      give(directory);
      session = startSession(directory, { args: ['--security-model', model], wrapper: namespace.enter });
    });

    afterAll(async () => {
      session.client.close();
      await session.helper.stop();
      removeTree(directory);
    });

    it.each(behaviours)('$title', ({ steps, sees }) => {
      for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
      expect(steps(new ProxyGuest(session, directory))).toEqual(sees);
      const owners = readdirSync(directory).map((name) => lstatSync(join(directory, name)).uid);
      expect(new Set(owners)).toEqual(new Set(owners.length > 0 ? [ONLY_ID] : []));
    });
  });

  it.each([
    ['none', ['ok', 'ok', 'ok', 'ok', 'ok', '100644 0:0', '40755 0:0', '120777 0:0', '100600 0:0']],
    [
      'passthrough',
      ['EINVAL', 'EINVAL', 'EINVAL', 'EINVAL', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOENT'],
    ],
  ])('%s makes for the others of the guest what it may', (model, sees) => {
    const directory = exportForTest();
    give(directory);
    const options = { args: ['--security-model', model], wrapper: namespace.enter };
    const guest = new ProxyGuest(sessionForTest(directory, options), directory);
    expect([
      guest.create('/f', 0o644, user),
      guest.mkdir('/d', 0o755, user),
      guest.symlink('t', '/l', user),
      guest.mknod('/r', 0o100600, 0, user),
      guest.chown('/f', 1000, 1001),
      guest.look('/f'),
      guest.look('/d'),
      guest.look('/l'),
      guest.look('/r'),
    ]).toEqual(sees);
  });
});
