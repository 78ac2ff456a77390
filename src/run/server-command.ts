import { join } from 'node:path';
import type { Arguments } from '../cli/arguments.js';
import { passedSockets } from '../service/activation.js';
import { ConnectedHelpers, tryConnection } from './connected-helpers.js';
import { serveGuests } from './serve-guests.js';
import { planServer } from './server-plan.js';

/**
 * `server`: a 9P server that uses a helper which somebody else has started, for one client or for each that comes.
 *
 * @param directory where the programs are
 * @returns the exit status. Throws a StartError.
 */
export function server(given: Arguments<string>, directory: string): Promise<number> {
  const {
    helper,
    common,
    server: configuration,
  } = planServer(given, passedSockets(process.env, process.pid));
  return serveGuests({
    command: 'virtfs-proxy-helper server',
    title: `the export of ${helper}`,
    server: configuration,
    common,
    serverProgram: join(directory, 'p9-server-start.js'),
    helperPatience: undefined,
    helpersOf: (_client, log) => new ConnectedHelpers(helper, log),
    tryHelper: () => tryConnection(helper),
  });
}
