import * as errno from '../../abi/errno.js';
import type { Node } from '../fids/node.js';
import type { HelperClient } from '../helper-client/helper-client.js';

/**
 * What became of a change that is answered with EIO: nobody knows when its helper has ended meanwhile. The fids are to
 * follow their files, so another helper is asked.
 */

/** Whether a change of names succeeded, or was made although it failed. */
export async function isMade(result: number, look: () => Promise<boolean>): Promise<boolean> {
  return result >= 0 || (result === -errno.EIO && (await look()));
}

/** Whether a path leads to the file of a node. */
export async function leadsTo(
  path: Uint8Array,
  node: Node | undefined,
  helper: HelperClient,
): Promise<boolean> {
  const found = await helper.request('lstat', { path });
  return typeof found !== 'number' && node?.isSame(found) === true;
}

/** Whether nothing has this path. */
export async function isGone(path: Uint8Array, helper: HelperClient): Promise<boolean> {
  return (await helper.request('lstat', { path })) === -errno.ENOENT;
}
