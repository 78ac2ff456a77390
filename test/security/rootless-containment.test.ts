/**
 * The same attacks on a helper that an ordinary user started, in a user namespace and without one: there only the checks
 * of every path keep requests in the export. Everything outside belongs to that user, so that nothing but the helper is
 * in the way.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../harness/random.js';
import { sessionForTest } from '../../harness/helper-process.js';
import {
  Installation,
  ordinaryUser,
  ordinaryUsers,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { requestTypes } from '../../harness/requests.js';
import type { WireClient } from '../../harness/wire-client.js';
import { anyAttack } from './attack-requests.js';
import { programForTest } from './child-program.js';
import { attackAll, deepPaths, dotDotPaths, fill, linkPaths } from './escapes.js';
import { type Outside, outsideForTest } from '../../harness/outside.js';
import { readOnlyHost, skipUnlessHarmless } from '../../harness/read-only-host.js';
import { countFrom } from '../../harness/root-only.js';
import { paths, plan } from './swapped-names.js';

const noNamespaces = whyNoUserNamespaces();
if (noNamespaces !== undefined) console.warn(`rootless containment tests skipped: ${noNamespaces}`);
const skip = skipUnlessHarmless('rootless containment tests') || noNamespaces !== undefined;
const count = countFrom('VIRTFS_RACE_REQUESTS', 10_000);

/** In `none` the links of the host are links, and are followed; in the mapped models none is. */
const starts = [
  { way: 'in a user namespace of its own', model: 'none', containment: 'root=a mount of its own' },
  { way: 'where user namespaces are forbidden', model: 'none', containment: 'root=not changed' },
  { way: 'where user namespaces are forbidden', model: 'mapped-file', containment: 'root=not changed' },
] as const;

/** unshare(1) writes the id map of the namespace there. */
const writableProc = 'mount -o remount,bind,rw /proc';

let installation: Installation;
beforeAll(() => {
  installation = new Installation();
});
afterAll(() => {
  installation.remove();
});

describe.skipIf(skip).each(starts)(
  'an ordinary user $way, $model',
  { timeout: 240_000 },
  ({ way, model, containment }) => {
    const start = (outside: Outside): WireClient => {
      const { client, helper } = sessionForTest(outside.exportPath, {
        program: installation.program,
        wrapper: [...readOnlyHost(outside.base, writableProc), ...ordinaryUsers[way]],
        args: ['--security-model', model],
      });
      outside.enter(client);
      expect(helper.stderr()).toContain(containment);
      return client;
    };

    it.each([
      ['links', linkPaths],
      ['`..`', dotDotPaths],
      ['paths that are longer than PATH_MAX', deepPaths],
    ])('stays in the export: %s', (_, pathsOf) => {
      const outside = outsideForTest(ordinaryUser);
      fill(outside);
      const worked = attackAll(start(outside), outside, pathsOf(outside), 1);
      // an attack in which everything fails shows nothing
      expect(worked.size).toBeGreaterThan(12);
    });

    it('stays in the export while names are swapped', async () => {
      const outside = outsideForTest(ordinaryUser);
      const swaps = plan(outside);
      await programForTest('swap', swaps);
      const client = start(outside);
      const random = new Random(6);
      const draw = paths(outside);
      const targets = [outside.path, '../outside', '../../outside', 'd', '/e/sub'];
      const found: string[] = [];
      let succeeded = 0;
      for (let index = 1; index <= count && found.length === 0; index++) {
        const { name, bytes } = anyAttack(random, draw, targets);
        const reply = client.request(bytes);
        if (reply.errno === 0) succeeded++;
        const leak = outside.leak(requestTypes[name], reply);
        if (leak !== undefined) found.push(`request ${index}, ${name}: ${leak}`);
        // the blocking client starves the event loop, on which the test runner depends
        if (index % 5_000 === 0) await new Promise(setImmediate);
      }
      found.push(...outside.changes());
      expect(found).toEqual([]);
      expect(succeeded).toBeGreaterThan(count / 50);
    });
  },
);
