/** What models.test.ts asks of a helper, asked of the 9P server in front of one. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { type RunningOnSocket, startShare } from '../server/running-servers.js';
import { BlockingNinepClient } from '../../harness/blocking-ninep-client.js';
import { attributes } from './attributes.js';
import { models } from './behaviour.js';
import { differences } from './differences.js';
import type { Guest } from './guest.js';
import { making } from './making.js';
import { moving } from './moving.js';
import { NinepGuest } from './ninep-guest.js';

const skip = skipUnlessRoot('the conformance of the 9P server');
const behaviours = [...making, ...moving, ...attributes];

describe.skipIf(skip).each(models)('a guest of the 9P server with --security-model=%s', (model) => {
  let server: RunningOnSocket;
  let client: BlockingNinepClient;
  let guests = 0;
  beforeAll(async () => {
    server = await startShare([`--security-model=${model}`]);
    client = BlockingNinepClient.connect(server.socket);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  /** Its root is a part of the export, so that the next one finds nothing of it. */
  const guest = (): Guest => {
    const name = `guest-${++guests}`;
    const directory = join(server.export, name);
    mkdirSync(directory, { mode: 0o755 });
    return new NinepGuest(client, directory, `/${name}`);
  };

  it.each(behaviours)('$title', ({ steps, sees }) => {
    expect(steps(guest())).toEqual(sees);
  });

  it.each(differences)('by design: $title ($why)', ({ steps, sees, seesByName }) => {
    expect(steps(guest())).toEqual(seesByName?.[model] ?? sees[model]);
  });
});
