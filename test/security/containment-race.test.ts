/**
 * A host process swaps directories, files and symlinks at full speed while requests of every type run through them.
 *
 *   VIRTFS_RACE_REQUESTS  how many requests of each race (30000); in full:
 *   VIRTFS_RACE_REQUESTS=1000000 npm test -- test/security/containment-race.test.ts
 */
import { lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../harness/random.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { type RequestName, requestTypes } from '../../harness/requests.js';
import type { WireClient } from '../../harness/wire-client.js';
import { anyAttack, type Paths } from './attack-requests.js';
import { programForTest } from './child-program.js';
import { type Outside, outsideForTest } from '../../harness/outside.js';
import type { SwapPlan } from './programs/swap.js';
import { confinements, readOnlyHost, skipUnlessHarmless } from '../../harness/read-only-host.js';
import { countFrom } from '../../harness/root-only.js';
import { paths, plan } from './swapped-names.js';

const skip = skipUnlessHarmless('containment races');
const count = countFrom('VIRTFS_RACE_REQUESTS', 30_000);
const LOOK_OUTSIDE_EVERY = 20_000;

interface Tally {
  readonly types: Map<RequestName, { sent: number; succeeded: number }>;
  readonly found: string[];
}

async function run(
  client: WireClient,
  outside: Outside,
  draw: Paths,
  targets: readonly string[],
): Promise<Tally> {
  const random = new Random(5);
  const tally: Tally = { types: new Map(), found: [] };
  for (let index = 1; index <= count && tally.found.length === 0; index++) {
    const { name, bytes } = anyAttack(random, draw, targets);
    const reply = client.request(bytes);
    const type = tally.types.get(name) ?? { sent: 0, succeeded: 0 };
    tally.types.set(name, type);
    type.sent++;
    if (reply.errno === 0) type.succeeded++;
    const leak = outside.leak(requestTypes[name], reply);
    if (leak !== undefined) tally.found.push(`request ${index}, ${name}: ${leak}`);
    if (index % LOOK_OUTSIDE_EVERY === 0 || index === count) {
      tally.found.push(...outside.changes().map((change) => `by request ${index}: ${change}`));
      // the blocking client starves the event loop, on which the test runner depends
      await new Promise(setImmediate);
    }
  }
  return tally;
}

interface Expectations {
  /** Whether something of every type has to succeed. */
  readonly everyType?: boolean;
  /** How many requests succeed at least: a race in which everything fails shows nothing. */
  readonly least?: number;
  /** Whether the attack could still succeed at the end: the client may remove what it needs. */
  readonly alive?: (outside: Outside) => boolean;
}

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

function report(title: string, swaps: number, milliseconds: number, { types }: Tally): void {
  const rows = [...types].map(
    ([name, { sent, succeeded }]) =>
      `${name.padEnd(13)} ${String(sent).padStart(7)} sent, ${String(succeeded).padStart(7)} succeeded`,
  );
  console.log(
    `${title}: ${count} requests, ${swaps} swaps, ${(milliseconds / 1_000).toFixed(1)} s\n${rows.join('\n')}`,
  );
}

describe.skipIf(skip).each(confinements)(
  'names are swapped, %s',
  { timeout: 3_600_000 },
  (_, confinement) => {
    const attackDuring = async (
      title: string,
      make: (outside: Outside) => SwapPlan,
      draw: (outside: Outside) => Paths,
      { everyType = true, least = count / 50, alive = () => true }: Expectations = {},
    ): Promise<void> => {
      const outside = outsideForTest();
      const swaps = make(outside);
      await programForTest('swap', swaps);
      const { client, helper } = sessionForTest(outside.exportPath, {
        wrapper: [...readOnlyHost(outside.base), ...confinement],
      });
      outside.enter(client);
      const began = Date.now();
      const tally = await run(client, outside, draw(outside), [
        outside.path,
        '../outside',
        '../../outside',
        'd',
        '/e/sub',
      ]);
      const swapped = readFileSync(swaps.counter).readDoubleLE(0);
      report(title, swapped, Date.now() - began, tally);
      expect(tally.found).toEqual([]);
      expect(helper.child.exitCode, helper.stderr()).toBeNull();
      expect(swapped, 'swaps').toBeGreaterThan(count / 10);
      // a race in which nearly everything fails shows nothing
      const types = [...tally.types];
      const succeeded = types.reduce((sum, [, type]) => sum + type.succeeded, 0);
      expect(succeeded, 'requests that succeed').toBeGreaterThan(least);
      expect(alive(outside), 'what the attack needs is still there').toBe(true);
      const never = types.filter(([, type]) => type.succeeded === 0).map(([name]) => name);
      if (everyType) expect(never, 'types of which nothing succeeds').toEqual([]);
    };

    it(`${count} requests never leave the export`, () => attackDuring('swaps', plan, paths));

    it(`${count} requests never leave through a directory that is moved out of the export and back`, () =>
      attackDuring(
        'moves',
        ({ host, exportPath }) => {
          mkdirSync(join(exportPath, 'x/y'), { recursive: true });
          mkdirSync(join(exportPath, 'attic'));
          // leads to the outside from the place that its directory is moved to
          symlinkSync('../../outside/sub', join(exportPath, 'x/y/up'));
          return {
            exchange: [],
            move: [[join(exportPath, 'x/y'), join(host, 'moved')]],
            attic: join(exportPath, 'attic'),
            counter: join(host, 'swaps'),
          };
        },
        () => {
          const waits = '/.'.repeat(700);
          const tails = ['/outside/f', '/outside/sub/f', '/outside/empty', '/outside/link', '/outside', ''];
          const throughLink = ['/x/y/up/', '/x/y/up/f', '/x/y/up/.'];
          return (random) =>
            random.chance(0.3)
              ? random.pick(throughLink)
              : `/x/y${waits}/${random.pick(['..', '../..', '../../..'])}${random.pick(tails)}`;
        },
        {
          // while directories move the kernel refuses most `..` (EAGAIN), the more so the faster they do
          everyType: false,
          least: 20,
          alive: ({ host, exportPath }) =>
            // it is moved all the time, so it may be missed at both places
            Array.from({ length: 100 }, () => [join(exportPath, 'x/y/up'), join(host, 'moved/up')])
              .flat()
              .some(isLink),
        },
      ));
  },
);
