import './no-debugger.js';
import { dirname } from 'node:path';
import { StartError } from './exit-status.js';
import { complain } from './launch/journal.js';
import { launch } from './launch/launch.js';
import { type ClientStart, controlPath } from './listening/client-start.js';

/**
 * The first program of one client of a listener: does for it what `starting-program.ts` does with a command line. Started by
 * `listening/client-processes.ts`, never by hand.
 */

const { configuration, descriptors, client, syslog } = JSON.parse(process.argv[2] ?? '{}') as ClientStart;
const endpoint = {
  kind: 'descriptor',
  descriptor: descriptors.socket,
  origin: `client ${client}`,
  // the listener has looked who it is
  uid: undefined,
  gid: undefined,
  allowed: [],
} as const;
const control = configuration.control === undefined ? undefined : controlPath(configuration.control, client);

const readyDescriptor = descriptors.report;
launch({ ...configuration, endpoint, control, readyDescriptor }, dirname(process.argv[1] ?? ''), {
  number: client,
  syslog,
}).catch((error: unknown) => {
  if (!(error instanceof StartError)) throw error;
  complain('error', `client ${client}: ${error.message}`);
  process.exitCode = error.status;
});
