import * as errno from '../../abi/errno.js';
import { isDirectory } from '../../abi/file-modes.js';
import { O_ACCMODE, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_TRUNC } from '../../abi/open-flags.js';
import { qidOf } from '../fids/attributes.js';
import type { Fid } from '../fids/fid-table.js';
import type { Identity } from '../fids/node.js';
import type { Qid } from '../p9/fields.js';
import { openFlags } from '../p9/open-flags.js';
import { close } from '../../syscalls/files.js';
import { FileStatus, fstat } from '../../syscalls/status.js';
import { type Context, fidOf, type Handler, reply } from './context.js';

/** From here on a number is one that the helper made of an inode number and its device: `InodeNumbers`. */
const TRANSLATED = 2 ** 52;

/** Two words as a number where that is exact. */
function wide(words: Uint32Array, at: number): number | bigint {
  const high = words[at + 1] ?? 0;
  const low = words[at] ?? 0;
  return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
}

/**
 * Whether an open file is the one that has these attributes, by its inode number. Of a number that the helper translated
 * the lower half stays, if it was no longer than that; one that it had to mix says nothing.
 *
 * @returns 0, or -errno: ESTALE
 */
export function isFileOf(descriptor: number, { inode }: Identity, { status }: Context): number {
  const failed = fstat(descriptor, status);
  if (failed < 0) return failed;
  const found = wide(status.words, FileStatus.INO);
  if (found === inode) return 0;
  if (typeof inode === 'bigint') return 0;
  const isTranslated = inode >= TRANSLATED && inode % 0x1_0000_0000 === found;
  return isTranslated ? 0 : -errno.ESTALE;
}

/** The qid of an open file from its status, which `isFileOf` has read. */
function qidOfOpen(fid: Fid, { status, settings }: Context): Qid {
  const time = (at: number): { seconds: number | bigint; nanoseconds: number } => ({
    // times before 1970 are negative
    seconds: BigInt.asIntN(64, BigInt(wide(status.words, at))),
    nanoseconds: status.words[at + 2] ?? 0,
  });
  return qidOf(
    {
      mode: fid.node.mode,
      inode: fid.node.identity.inode,
      mtime: time(FileStatus.MTIME),
      ctime: time(FileStatus.CTIME),
      size: wide(status.words, FileStatus.SIZE),
    },
    settings.versions,
  );
}

/** @returns 0, or -errno */
async function empty(descriptor: number, context: Context): Promise<number> {
  context.changes++;
  const failed = await context.helper.request('truncate', { path: new Uint8Array(), length: 0 }, descriptor);
  // for the qid, which tells of the change
  return failed < 0 ? failed : fstat(descriptor, context.status);
}

/** Opens the file of a fid. @returns its qid, or -errno */
export async function openFid(fid: Fid, wanted: number, context: Context): Promise<Qid | number> {
  if (fid.file !== undefined) return -errno.EINVAL;
  const isListed = isDirectory(fid.node.mode);
  if (isListed && ((wanted & O_ACCMODE) !== O_RDONLY || (wanted & O_TRUNC) !== 0)) return -errno.EISDIR;
  const full = context.files.makeRoom();
  if (full < 0) return full;
  const path = fid.node.path();
  if (typeof path === 'number') return path;
  // emptied only when it is known to be the file
  const flags = (wanted & ~O_TRUNC) | O_NOFOLLOW | (isListed ? O_DIRECTORY : 0);
  const descriptor = await context.helper.request('open', { path, flags });
  if (descriptor < 0) return descriptor;
  let failed = isFileOf(descriptor, fid.node.identity, context);
  if (failed >= 0 && (wanted & O_TRUNC) !== 0) failed = await empty(descriptor, context);
  // the session ended meanwhile
  if (fid.isEnded) failed = -errno.EBADF;
  if (failed < 0) {
    close(descriptor);
    return failed;
  }
  fid.file = context.files.add({ descriptor, node: fid.node, flags, isDirectory: isListed });
  return qidOfOpen(fid, context);
}

export const lopen: Handler<'Tlopen'> = async ({ fid: number, flags }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const qid = await openFid(fid, openFlags(flags), context);
  return typeof qid === 'number' ? qid : reply('Rlopen', { qid, iounit: 0 });
};
