/**
 * The other commands, which the starting program loads when one is called: read at every start of a helper, they would be
 * half of what that reads.
 */
export { completionScript } from '../helper/cli/completion.js';
export { showStatus } from '../status/command.js';
export { run } from '../run/run.js';
export { server } from '../run/server-command.js';
export { share } from '../run/share-command.js';
