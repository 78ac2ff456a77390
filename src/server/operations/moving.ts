import * as errno from '../../abi/errno.js';
import { isDirectory } from '../../abi/file-modes.js';
import type { Node } from '../fids/node.js';
import { UNLINKAT_REMOVEDIR } from '../p9/numbers.js';
import { type Context, fidOf, type Handler, reply } from './context.js';
import { placeOf } from './making.js';
import { isGone, isMade, leadsTo } from './uncertain.js';

/** A name in a directory. */
interface Place {
  readonly directory: Node;
  readonly name: Uint8Array;
}

/** Gives a name to what has another one. Nodes follow. @returns 0, or -errno */
export async function moveTo(
  { directory, name }: Place,
  { directory: newDirectory, name: newName }: Place,
  context: Context,
): Promise<number> {
  const existing = directory.pathOf(name);
  if (typeof existing === 'number') return existing;
  const path = newDirectory.pathOf(newName);
  if (typeof path === 'number') return path;
  const moved = directory.known(name);
  const replaced = newDirectory.known(newName);
  const lost = replaced === moved ? 0 : await context.files.keep(replaced);
  if (lost < 0) return lost;
  context.changes++;
  const { helper } = context;
  const [failed, left] = await Promise.all([
    helper.request('rename', { existing, path }),
    helper.request('lstat', { path: existing }),
  ]);
  // rename(2) leaves two names of one file as they are
  const stays = typeof left !== 'number' && (moved ?? replaced)?.isSame(left) === true;
  if (!stays && (await isMade(failed, () => leadsTo(path, moved, helper))))
    directory.moveChild(name, newDirectory, newName);
  return failed;
}

export const rename: Handler<'Trename'> = async ({ fid: number, dfid, name }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const directory = fidOf(context, dfid);
  if (typeof directory === 'number') return directory;
  const { node } = fid;
  if (node.isRoot) return -errno.EBUSY;
  if (node.isRemoved) return -errno.ESTALE;
  const failed = await moveTo(
    { directory: node.parent, name: node.name },
    { directory: directory.node, name },
    context,
  );
  return failed < 0 ? failed : reply('Rrename', {});
};

export const renameat: Handler<'Trenameat'> = async (request, context) => {
  const from = fidOf(context, request.olddirfid);
  if (typeof from === 'number') return from;
  const to = fidOf(context, request.newdirfid);
  if (typeof to === 'number') return to;
  const failed = await moveTo(
    { directory: from.node, name: request.oldname },
    { directory: to.node, name: request.newname },
    context,
  );
  return failed < 0 ? failed : reply('Rrenameat', {});
};

/** The helper removes what the name leads to, so what kind of thing it is has to be looked at before. */
export const unlinkat: Handler<'Tunlinkat'> = async ({ dirfid, name, flags }, context) => {
  const place = placeOf(dirfid, name, context);
  if (typeof place === 'number') return place;
  const { directory, path } = place;
  let mode = directory.node.known(name)?.mode;
  if (mode === undefined) {
    const attributes = await context.helper.request('lstat', { path });
    if (typeof attributes === 'number') return attributes;
    ({ mode } = attributes);
  }
  const wantsDirectory = (flags & UNLINKAT_REMOVEDIR) !== 0;
  if (isDirectory(mode) !== wantsDirectory) return isDirectory(mode) ? -errno.EISDIR : -errno.ENOTDIR;
  const lost = await context.files.keep(directory.node.known(name));
  if (lost < 0) return lost;
  context.changes++;
  const failed = await context.helper.request('remove', { path });
  if (await isMade(failed, () => isGone(path, context.helper))) directory.node.forget(name);
  return failed < 0 ? failed : reply('Runlinkat', {});
};
