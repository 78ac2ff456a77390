import '../startup/no-debugger.js';
import { dirname, join } from 'node:path';
import { report } from '../startup/report.js';
import { runStarting } from '../startup/serving-program.js';
import type { ServerStart } from '../server/launch/handover.js';
import { launchServer } from '../server/launch/launch.js';

/**
 * The first program of the 9P server: takes its rights away, and becomes it. Started by `run/`, never by hand.
 */

const start = JSON.parse(process.argv[2] ?? '{}') as ServerStart;

runStarting(launchServer(start, join(dirname(process.argv[1] ?? ''), 'p9-server.js')), (line) => {
  report(start.report, line);
});
