import { join } from 'node:path';
import type { Arguments } from '../cli/arguments.js';
import { passedSockets } from '../service/activation.js';
import { serveGuests } from './serve-guests.js';
import { startShare } from './share.js';
import { planShare } from './share-plan.js';
import { StartedHelpers } from './started-helpers.js';

/** How long a server waits for another helper, which is told before that when there will be none: milliseconds. */
const HELPER_PATIENCE_MS = 60_000;

/**
 * `share`: a helper and a 9P server for one client, or for each that comes.
 *
 * @param directory where the programs are
 * @returns the exit status. Throws a StartError.
 */
export function share(given: Arguments<string>, directory: string): Promise<number> {
  const { path, helperOptions, helper, server } = planShare(given, passedSockets(process.env, process.pid));
  const program = join(directory, 'main.js');
  return serveGuests({
    command: 'virtfs-proxy-helper share',
    title: path,
    server,
    serverProgram: join(directory, 'p9-server-start.js'),
    common: helper,
    helperPatience: HELPER_PATIENCE_MS,
    helpersOf: (client) => new StartedHelpers(program, path, ofClient(helperOptions, client)),
    tryHelper: async () => {
      await (await startShare(program, helperOptions, 'ignore')).stop();
    },
  });
}

/** A control socket is that of one helper. */
function ofClient(helperOptions: readonly string[], client: number | undefined): readonly string[] {
  if (client === undefined) return helperOptions;
  return helperOptions.map((word) => (word.startsWith('--control=') ? `${word}.${client}` : word));
}
