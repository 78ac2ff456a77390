import * as errno from '../../abi/errno.js';
import { isSymbolicLink } from '../../abi/file-modes.js';
import { type Attributes, qidOf } from '../fids/attributes.js';
import type { Fid } from '../fids/fid-table.js';
import type { Node } from '../fids/node.js';
import * as p9 from '../p9/numbers.js';
import type { Time } from '../p9/fields.js';
import {
  attributesOf,
  type Context,
  fidOf,
  type Handler,
  type Outcome,
  reply,
  ownTargetOf,
  type Target,
} from './context.js';

/** How long the attributes that came with a walk answer for. Linux asks within microseconds, if it does. */
const FRESH_MS = 10;
/** The longest target of a symbolic link, with its NUL: PATH_MAX. */
const TARGET_BYTES = 4096;
/** `tv_nsec` of utimensat(2). */
const UTIME_NOW = 0x3fff_ffff;
const UTIME_OMIT = 0x3fff_fffe;
const NO_ID = 0xffff_ffff;
const NO_TIME: Time = { seconds: 0, nanoseconds: 0 };

/** The attributes that came with the walk to a fid, one time, unless something was changed since. */
function walkedAttributes(fid: Fid, { changes }: Context): Attributes | undefined {
  const { walked } = fid;
  fid.walked = undefined;
  if (walked?.changes !== changes || performance.now() - walked.at >= FRESH_MS) return undefined;
  return walked.attributes;
}

export const getattr: Handler<'Tgetattr'> = ({ fid: number }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const walked = walkedAttributes(fid, context);
  if (walked !== undefined) return getattrReply(fid, walked, context);
  return attributesOf(fid, context).then((attributes) =>
    typeof attributes === 'number' ? attributes : getattrReply(fid, attributes, context),
  );
};

function getattrReply({ node }: Fid, attributes: Attributes, { settings }: Context): Outcome {
  const { mode, uid, gid, links, rdev, size, blockSize, blocks, atime, mtime, ctime } = attributes;
  node.mode = mode;
  return reply('Rgetattr', {
    valid: p9.GETATTR_BASIC,
    qid: qidOf(attributes, settings.versions),
    mode,
    uid,
    gid,
    nlink: links,
    rdev,
    size,
    blksize: blockSize,
    blocks,
    atime,
    mtime,
    ctime,
    btime: NO_TIME,
    gen: 0,
    dataVersion: 0,
  });
}

/** What is to be changed; what is undefined stays. */
export interface Changes {
  readonly size?: number | bigint | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly mode?: number | undefined;
  readonly atime?: Time | 'now' | undefined;
  readonly mtime?: Time | 'now' | undefined;
}

const OMIT: Time = { seconds: 0, nanoseconds: UTIME_OMIT };
const NOW: Time = { seconds: 0, nanoseconds: UTIME_NOW };
const timeOf = (time: Time | 'now' | undefined): Time => (time === 'now' ? NOW : (time ?? OMIT));

/**
 * Changes attributes one after the other, as setattr of a file system does: the size first, and the mode after the owner,
 * since a change of owner takes away the set-id bits.
 *
 * @returns 0, or -errno of the first that fails
 */
export async function changeAttributes(fid: Fid, changes: Changes, context: Context): Promise<number> {
  const target = await ownTargetOf(fid, context);
  if (typeof target === 'number') return target;
  context.changes++;
  for (const change of [changeSize, changeOwner, changeMode, changeTimes]) {
    const failed = await change(target, changes, context);
    if (failed < 0) return failed;
  }
  return 0;
}

type Change = (target: Target, changes: Changes, context: Context) => Promise<number> | number;

const changeSize: Change = ({ path, descriptor }, { size }, { helper }) =>
  size === undefined ? 0 : helper.request('truncate', { path, length: size }, descriptor);

const changeOwner: Change = ({ path, descriptor }, { uid, gid }, { helper }) =>
  uid === undefined && gid === undefined
    ? 0
    : helper.request('chown', { path, uid: uid ?? NO_ID, gid: gid ?? NO_ID }, descriptor);

const changeMode: Change = ({ path, descriptor }, { mode }, { helper }) =>
  mode === undefined ? 0 : helper.request('chmod', { path, mode }, descriptor);

const changeTimes: Change = ({ path, descriptor }, changes, { helper }) => {
  if (changes.atime === undefined && changes.mtime === undefined) return 0;
  const atime = timeOf(changes.atime);
  const mtime = timeOf(changes.mtime);
  const times = {
    atimeSeconds: atime.seconds,
    atimeNanoseconds: atime.nanoseconds,
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
  };
  return helper.request('utime', { path, ...times }, descriptor);
};

export const setattr: Handler<'Tsetattr'> = async (request, context) => {
  const fid = fidOf(context, request.fid);
  if (typeof fid === 'number') return fid;
  const has = (bit: number): boolean => (request.valid & bit) !== 0;
  const time = (bit: number, set: number, given: Time): Time | 'now' | undefined => {
    if (!has(bit)) return undefined;
    return has(set) ? given : 'now';
  };
  const changes: Changes = {
    size: has(p9.SETATTR_SIZE) ? request.size : undefined,
    uid: has(p9.SETATTR_UID) ? request.uid : undefined,
    gid: has(p9.SETATTR_GID) ? request.gid : undefined,
    mode: has(p9.SETATTR_MODE) ? request.mode : undefined,
    atime: time(p9.SETATTR_ATIME, p9.SETATTR_ATIME_SET, request.atime),
    mtime: time(p9.SETATTR_MTIME, p9.SETATTR_MTIME_SET, request.mtime),
  };
  const isEmpty = Object.values(changes).every((change) => change === undefined);
  // a change to nothing else than the time of the change
  const failed = await changeAttributes(fid, isEmpty ? { uid: NO_ID } : changes, context);
  return failed < 0 ? failed : reply('Rsetattr', {});
};

export const readlink: Handler<'Treadlink'> = async ({ fid: number }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  if (!isSymbolicLink(fid.node.mode)) return -errno.EINVAL;
  const path = fid.node.path();
  const target = typeof path === 'number' ? path : await linkTarget(path, context.helper);
  return typeof target === 'number' ? target : reply('Rreadlink', { target });
};

export function linkTarget(path: Uint8Array, helper: Context['helper']): Promise<Uint8Array | number> {
  return helper.request('readlink', { path, size: TARGET_BYTES });
}

const MAX_NAME_BYTES = 255;

/** The helper follows a symbolic link; the directory that it is in is on the same file system. */
const onFileSystemOf = (node: Node): Node => (isSymbolicLink(node.mode) ? node.parent : node);

export const statfs: Handler<'Tstatfs'> = async ({ fid: number }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  // a file system is not asked about by a descriptor: one that is unlinked is on that of the directory it was in
  const { node } = fid;
  const path = node.isRemoved ? context.root?.path() : onFileSystemOf(node).path();
  if (path === undefined || typeof path === 'number') return path ?? -errno.EBADF;
  const status = await context.helper.request('statfs', { path });
  if (typeof status === 'number') return status;
  return reply('Rstatfs', {
    type: Number(BigInt.asUintN(32, BigInt(status.type))),
    // the unit of all counts
    bsize: Number(status.fragmentSize) || Number(status.blockSize),
    blocks: status.blocks,
    bfree: status.freeBlocks,
    bavail: status.availableBlocks,
    files: status.files,
    ffree: status.freeFiles,
    fsid: (BigInt.asUintN(32, BigInt(status.fsid1)) << 32n) | BigInt.asUintN(32, BigInt(status.fsid0)),
    namelen: Math.min(Number(status.nameLength), MAX_NAME_BYTES),
  });
};
