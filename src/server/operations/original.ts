import * as errno from '../../abi/errno.js';
import { O_CREAT, O_EXCL } from '../../abi/open-flags.js';
import { qidOf } from '../fids/attributes.js';
import type { Fid } from '../fids/fid-table.js';
import { type Creation, creationOf } from '../p9/creation.js';
import type { Qid } from '../p9/fields.js';
import type { RequestOf } from '../p9/messages.js';
import { modeOf } from '../p9/modes.js';
import { openModeFlags, removesOnClunk } from '../p9/open-flags.js';
import { statChanges } from '../p9/stat.js';
import { changeAttributes, type Changes } from './attributes.js';
import { attributesOf, type Context, fidOf, type Handler, reply } from './context.js';
import { syncFid } from './data.js';
import { createFile, deviceOf, linkTo, makeNode, NO_GROUP, type Place, placeOf } from './making.js';
import { moveTo } from './moving.js';
import { openFid } from './opening.js';
import { statOf } from './stat-records.js';

/** What 9P2000 and 9P2000.u do in messages of their own. */

export const stat: Handler<'Tstat'> = async ({ fid: number }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const attributes = await attributesOf(fid, context);
  if (typeof attributes === 'number') return attributes;
  return reply('Rstat', { stat: await statOf({ node: fid.node, name: undefined, attributes }, context) });
};

/** All changes of a Twstat, of which the name comes last: nothing after it could undo it. */
export const wstat: Handler<'Twstat'> = async ({ fid: number, stat: record }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const { mode, atime, mtime, length, name, uid, gid } = statChanges(record);
  const time = (seconds: number | undefined): Changes['atime'] =>
    seconds === undefined ? undefined : { seconds, nanoseconds: 0 };
  const changes: Changes = {
    size: length,
    uid,
    gid,
    mode: mode === undefined ? undefined : modeOf(mode, context.dialect),
    atime: time(atime),
    mtime: time(mtime),
  };
  const hasChanges = Object.values(changes).some((change) => change !== undefined);
  let failed = 0;
  if (hasChanges) failed = await changeAttributes(fid, changes, context);
  else if (name === undefined && fid.file !== undefined) failed = await syncFid(fid, false, context);
  if (failed >= 0 && name !== undefined) failed = await renameTo(fid, name, context);
  return failed < 0 ? failed : reply('Rwstat', {});
};

function renameTo({ node }: Fid, name: Uint8Array, context: Context): Promise<number> | number {
  if (node.isRoot) return -errno.EBUSY;
  if (node.isRemoved) return -errno.ESTALE;
  return moveTo({ directory: node.parent, name: node.name }, { directory: node.parent, name }, context);
}

export const open: Handler<'Topen'> = async ({ fid: number, mode }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const qid = await openFid(fid, openModeFlags(mode), context);
  if (typeof qid === 'number') return qid;
  fid.removeOnClunk = removesOnClunk(mode);
  return reply('Ropen', { qid, iounit: 0 });
};

/** Makes anything. The fid of the directory becomes that of what was made, which is open if it is a file or directory. */
export const create: Handler<'Tcreate'> = async (request, context) => {
  const { fid: number, name, permissions, extension, mode } = request;
  const creation = creationOf(permissions, extension, context.dialect);
  if (typeof creation === 'number') return creation;
  const qid =
    creation.kind === 'file'
      ? await createOpen(request, creation.mode, context)
      : await createOther(number, name, creation, context);
  if (typeof qid === 'number') return qid;
  const fid = context.fids.get(number);
  if (creation.kind === 'directory' && fid !== undefined) {
    const opened = await openFid(fid, openModeFlags(mode), context);
    if (typeof opened === 'number') return opened;
  }
  if (fid !== undefined) fid.removeOnClunk = removesOnClunk(mode);
  return reply('Rcreate', { qid, iounit: 0 });
};

function createOpen(
  { fid, name, mode }: RequestOf<'Tcreate'>,
  permissions: number,
  context: Context,
): Promise<Qid | number> {
  const flags = openModeFlags(mode) | O_CREAT | O_EXCL;
  return createFile(fid, name, { flags, mode: permissions, gid: NO_GROUP }, context);
}

/** Makes something that is no file and walks to it. */
async function createOther(
  number: number,
  name: Uint8Array,
  creation: Creation,
  context: Context,
): Promise<Qid | number> {
  const place = placeOf(number, name, context);
  if (typeof place === 'number') return place;
  const failed = await request(place, creation, context);
  if (failed < 0) return failed;
  const attributes = await context.helper.request('lstat', { path: place.path });
  if (typeof attributes === 'number') return attributes;
  context.fids.move(number, place.directory.node.child(name, attributes, attributes.mode));
  return qidOf(attributes, context.settings.versions);
}

function request(
  { path, directory: { uid } }: Place,
  creation: Creation,
  context: Context,
): Promise<number> | number {
  // these dialects name no group
  const gid = NO_GROUP;
  const { helper } = context;
  context.changes++;
  switch (creation.kind) {
    case 'directory':
      return helper.request('mkdir', { uid, gid, path, mode: creation.mode });
    case 'symlink':
      return helper.request('symlink', { uid, gid, target: creation.target, path });
    case 'node': {
      const device = deviceOf(creation.major, creation.minor);
      return device < 0 ? device : makeNode({ uid, gid, path, mode: creation.mode, device }, context);
    }
    case 'link': {
      const existing = fidOf(context, creation.fid);
      if (typeof existing === 'number') return existing;
      return linkTo(existing, { path, directory: existing }, context);
    }
    case 'file':
      return -errno.EINVAL;
  }
}
