/** What every 9P server is to do, whoever wrote it: a function of the server. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import type { NinepClient } from '../../harness/ninep-client.js';
import { attributes } from './acceptance/attributes.js';
import { connections } from './acceptance/connections.js';
import { data } from './acceptance/data.js';
import { listing } from './acceptance/listing.js';
import { locks } from './acceptance/locks.js';
import { making } from './acceptance/making.js';
import { names } from './acceptance/names.js';
import { opening } from './acceptance/opening.js';
import { type Running, Scene } from './acceptance/scene.js';
import { unlinked } from './acceptance/unlinked.js';
import { walking } from './acceptance/walking.js';
import { xattrs } from './acceptance/xattrs.js';

const topics = {
  walking,
  opening,
  data,
  listing,
  attributes,
  xattrs,
  making,
  names,
  unlinked,
  locks,
  connections,
};

export interface Expectations {
  /** Cases that this server does not pass, by title, with the reason. They have to fail. */
  readonly deviations?: Readonly<Record<string, string>>;
  /** Cases that are not tried, with the reason: they would end this server, or wait in vain. */
  readonly fatal?: Readonly<Record<string, string>>;
  /** Why the server cannot be tried here at all. */
  readonly skip?: string | undefined;
}

export function acceptance(
  name: string,
  start: () => Promise<Running>,
  { deviations = {}, fatal = {}, skip }: Expectations = {},
): void {
  const titles = new Set(Object.values(topics).flatMap((cases) => cases.map(({ title }) => title)));
  const unknown = Object.keys({ ...deviations, ...fatal }).filter((title) => !titles.has(title));
  if (unknown.length > 0) throw new Error(`no such cases: ${unknown.join(', ')}`);

  if (skip !== undefined) console.warn(`the acceptance of ${name} skipped: ${skip}`);

  describe.skipIf(skip !== undefined)(name, () => {
    let server: Running;
    let scene: Scene;
    let connection: NinepClient | undefined;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(async () => {
      connection?.close();
      await server.stop();
    });
    beforeEach(async () => {
      scene = await Scene.enter(server, connection);
      if (scene.client !== connection) connection?.close();
    });
    afterEach(() => {
      connection = scene.leave();
    });

    for (const [topic, cases] of Object.entries(topics)) {
      describe(topic, () => {
        for (const { title, run } of cases) {
          const reason = deviations[title];
          if (title in fatal) it.skip(`${title} (not tried: ${fatal[title] ?? ''})`);
          else if (reason === undefined) it(title, () => run(scene));
          else it.fails(`${title} (not here: ${reason})`, () => run(scene));
        }
      });
    }
  });
}
