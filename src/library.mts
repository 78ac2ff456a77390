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
 *
 * With `listen` a helper and a 9P server, for emulators that have no proxy driver:
 *
 * ```js
 * const share = await shareDirectory({ path: '/srv/share', listen: 'unix:/run/vm1.sock_564' });
 * ```
 */
import { fileURLToPath } from 'node:url';
import { parseArguments } from './cli/arguments.js';
import { commands } from './helper/cli/commands.js';
import { configure } from './helper/cli/configuration.js';
import { parseOptions } from './helper/cli/options.js';
import { StartError } from './startup/start-errors.js';
import { complaint } from './node-version.cjs';
import { type ListeningShare, startListeningShare } from './run/listening-share.js';
import { startShare, type Share } from './run/share.js';
import { planShare } from './run/share-plan.js';

export { StartError } from './startup/start-errors.js';
export type { ListeningShare } from './run/listening-share.js';
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
  readonly listen?: undefined;
}

export interface ListenOptions extends Omit<ShareOptions, 'listen'> {
  /** Where guests connect, as for the command `share`: `unix:PATH`, `tcp:ADDRESS:PORT`, `vsock:PORT`, `fd:N`. */
  readonly listen: string;
}

/**
 * Starts a helper and waits until it serves the directory. This program has to be root, or root of a user namespace.
 *
 * @throws a StartError that says in one line why it does not
 */
export async function shareDirectory(share: ShareOptions): Promise<Share>;
/**
 * Starts the command `share`, a helper and a 9P server, and waits until guests can connect.
 *
 * @throws a StartError that says in one line why they cannot
 */
export async function shareDirectory(share: ListenOptions): Promise<ListeningShare>;
export async function shareDirectory(share: ShareOptions | ListenOptions): Promise<Share | ListeningShare> {
  if (complaint !== undefined) throw new StartError('node-too-old', complaint);
  const { path, readOnly = false, options = [], log = 'inherit', listen } = share;
  const words = [`--path=${path}`, ...(readOnly ? ['--readonly'] : []), ...options];
  const program = fileURLToPath(new URL('main.js', import.meta.url));
  // planned only to be refused here, rather than by the program
  if (listen === undefined) {
    configure(parseOptions([...words, '--nodaemon', '--fd=3']));
    return startShare(program, words, log);
  }
  const all = [...words, `--listen=${listen}`, '--ready-fd=3'];
  planShare(parseArguments(commands.share.options, all, 'virtfs-proxy-helper share'));
  return startListeningShare(program, words, listen, log);
}
