/**
 * The library for programs that start emulators: one helper for each directory that is shared.
 *
 * ```js
 * const share = await shareDirectory({ path: '/srv/share' });
 * const qemu = spawn('qemu-system-x86_64', [..., '-fsdev', 'proxy,id=fs0,sock_fd=3', ...], {
 *   stdio: ['ignore', 'inherit', 'inherit', share.descriptor],
 * });
 * share.release();
 * ```
 */
import { fileURLToPath } from 'node:url';
import { configure } from './helper/cli/configuration.js';
import { parseOptions } from './helper/cli/options.js';
import { ExitStatus, StartError } from './startup/exit-status.js';
import { complaint } from './node-version.cjs';
import { startShare, type Share } from './run/share.js';

export { StartError } from './startup/exit-status.js';
export type { HelperEnd, Share } from './run/share.js';

export interface ShareOptions {
  /** The directory to be shared. */
  readonly path: string;
  /** Refuse every change, whatever the guest asks. */
  readonly readOnly?: boolean;
  /** More options of the command line, as words: `--log-level=warn`. */
  readonly options?: readonly string[];
  /** Where the helper logs: on our stderr (the default), nowhere, or to a descriptor. */
  readonly log?: 'inherit' | 'ignore' | number;
}

/**
 * Starts a helper and waits until it serves the directory. This program has to be root, or root of a user namespace.
 *
 * @throws a StartError that says in one line why it does not
 */
export async function shareDirectory(share: ShareOptions): Promise<Share> {
  if (complaint !== undefined) throw new StartError(complaint, ExitStatus.USAGE);
  const { path, readOnly = false, options = [], log = 'inherit' } = share;
  const words = [`--path=${path}`, ...(readOnly ? ['--readonly'] : []), ...options];
  // only to be refused here, rather than by the helper
  configure(parseOptions([...words, '--nodaemon', '--fd=3']));
  return startShare(fileURLToPath(new URL('main.js', import.meta.url)), words, log);
}
