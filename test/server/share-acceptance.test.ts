/** The 9P server as it is installed, confined and with a helper of its own, under the tests of every 9P server. */
import { whyNotRoot } from '../../harness/helper-process.js';
import { acceptance } from './acceptance.js';
import { startShare } from './running-servers.js';

acceptance('virtfs-9p-server', () => startShare(), { skip: whyNotRoot() });
