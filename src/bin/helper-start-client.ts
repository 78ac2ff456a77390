import '../startup/no-debugger.js';
import { dirname } from 'node:path';
import { configure } from '../helper/cli/configuration.js';
import { complain } from '../startup/journal.js';
import { runStarting } from '../startup/serving-program.js';
import { launch } from '../helper/launch/launch.js';
import type { ClientStart } from '../helper/listening/client-start.js';
import { clientControlPath } from '../observability/control-paths.js';

/**
 * The first program of one client of a listener: does for it what `starting-program.ts` does with a command line. Started by
 * `helper/listening/client-processes.ts`, never by hand.
 */

const { options, descriptors, client, syslog } = JSON.parse(process.argv[2] ?? '{}') as ClientStart;

async function serve(): Promise<void> {
  // --uid and the like are not among them: the listener has looked who it is
  const configuration = configure({ ...options, nodaemon: true, fd: String(descriptors.socket) });
  const control =
    configuration.control === undefined ? undefined : clientControlPath(configuration.control, client);
  const readyDescriptor = descriptors.report;
  await launch({ ...configuration, control, readyDescriptor }, dirname(process.argv[1] ?? ''), {
    number: client,
    syslog,
  });
}

runStarting(serve(), (line) => {
  complain('error', `client ${client}: ${line}`);
});
