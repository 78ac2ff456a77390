/** The guest's view of an export, in every security model: what must be alike in all, and what differs by design. */
import { readdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Session, sessionForTest, startSession } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest, makeExport, removeTree } from '../../harness/tree.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { attributes } from './attributes.js';
import { type Behaviour, type Model, models } from './behaviour.js';
import { differences } from './differences.js';
import { type Guest, root } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';
import { making } from './making.js';
import { moving } from './moving.js';

const skip = skipUnlessRoot('the conformance of the security models');
const behaviours = [...making, ...moving, ...attributes];

function withGuest(model: Model, check: (guest: () => Guest) => void): void {
  let session: Session;
  let directory: string;
  beforeAll(() => {
    directory = makeExport();
    session = startSession(directory, { args: ['--security-model', model] });
  });
  beforeEach(() => {
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  });
  afterAll(async () => {
    session.client.close();
    await session.helper.stop();
    removeTree(directory);
  });
  check(() => new ProxyGuest(session, directory));
}

describe.skipIf(skip).each(models)('with --security-model=%s', (model) => {
  withGuest(model, (guest) => {
    it.each(behaviours.filter(({ usesUp }) => usesUp === undefined))('$title', ({ steps, sees }) => {
      expect(steps(guest())).toEqual(sees);
    });

    it.each(differences)('by design: $title ($why)', ({ steps, sees }) => {
      expect(steps(guest())).toEqual(sees[model]);
    });
  });

  it('a link is read whole or not at all', () => {
    const { client } = sessionForTest(exportForTest(), { args: ['--security-model', model] });
    expect(client.request(requests.symlink(root, '../no/where', '/l')).errno).toBe(0);
    expect(client.request(requests.readlink('/l', 5)).errno).toBe(constants.errno.ENAMETOOLONG);
  });

  describe.each(behaviours.filter(({ usesUp }) => usesUp))(
    'in an export of its own',
    ({ title, steps, sees }: Behaviour) => {
      withGuest(model, (guest) => {
        it(title, () => {
          expect(steps(guest())).toEqual(sees);
        });
      });
    },
  );
});
