import * as errno from '../../abi/errno.js';
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC } from '../../abi/open-flags.js';
import { isDevice } from '../../abi/file-modes.js';
import { type Attributes, qidOf } from '../fids/attributes.js';
import type { Fid } from '../fids/fid-table.js';
import { createFlags } from '../p9/open-flags.js';
import type { Qid } from '../p9/fields.js';
import { close } from '../../syscalls/files.js';
import { type Context, fidOf, type Handler, ownPathOf, reply } from './context.js';
import { isFileOf } from './opening.js';

/** The device numbers that fit Linux' dev_t: 12 and 20 bits. */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xf_ffff;

/** No id: what there is stays. */
export const NO_GROUP = 0xffff_ffff;

/** A directory's fid, and the path of a name in it. */
export interface Place {
  readonly directory: Fid;
  readonly path: Uint8Array;
}

/** @returns -errno for a fid that is none, or whose directory is gone */
export function placeOf(number: number, name: Uint8Array, context: Context): Place | number {
  const directory = fidOf(context, number);
  if (typeof directory === 'number') return directory;
  const path = directory.node.pathOf(name);
  return typeof path === 'number' ? path : { directory, path };
}

/** Makes something and asks for its attributes in the same trip. @returns -errno of the first that fails */
async function make(
  { path }: Place,
  context: Context,
  request: () => Promise<number>,
): Promise<Attributes | number> {
  context.changes++;
  const [failed, attributes] = await Promise.all([request(), context.helper.request('lstat', { path })]);
  return failed < 0 ? failed : attributes;
}

async function qidOfMade(
  place: Place | number,
  context: Context,
  request: (path: Uint8Array, uid: number) => Promise<number>,
): Promise<Qid | number> {
  if (typeof place === 'number') return place;
  const made = await make(place, context, () => request(place.path, place.directory.uid));
  return typeof made === 'number' ? made : qidOf(made, context.settings.versions);
}

export const mkdir: Handler<'Tmkdir'> = async ({ dfid, name, mode, gid }, context) => {
  const qid = await qidOfMade(placeOf(dfid, name, context), context, (path, uid) =>
    context.helper.request('mkdir', { uid, gid, path, mode }),
  );
  return typeof qid === 'number' ? qid : reply('Rmkdir', { qid });
};

export const symlink: Handler<'Tsymlink'> = async ({ dfid, name, target, gid }, context) => {
  const qid = await qidOfMade(placeOf(dfid, name, context), context, (path, uid) =>
    context.helper.request('symlink', { uid, gid, target, path }),
  );
  return typeof qid === 'number' ? qid : reply('Rsymlink', { qid });
};

/** `dev_t` of glibc, gnu_dev_makedev; -errno for what is none. */
export function deviceOf(major: number, minor: number): number {
  if (major > MAX_MAJOR || minor > MAX_MINOR) return -errno.EINVAL;
  return (minor & 0xff) + major * 0x100 + (minor >>> 8) * 0x10_0000;
}

/** What a new node is to be. */
export interface NewNode {
  readonly uid: number;
  readonly gid: number;
  readonly path: Uint8Array;
  readonly mode: number;
  readonly device: number;
}

/**
 * Makes a node. The helper acts for root of another group without the right to make devices, as the C helper did; so root's
 * devices get their group afterwards. Not in the same trip: if the name is taken, what is there keeps its group.
 *
 * @returns 0, or -errno
 */
export async function makeNode(node: NewNode, { helper }: Context): Promise<number> {
  const { uid, gid, path, mode } = node;
  if (!isDevice(mode) || uid !== 0 || gid === 0 || gid === NO_GROUP) return helper.request('mknod', node);
  const failed = await helper.request('mknod', { ...node, gid: 0 });
  return failed < 0 ? failed : helper.request('chown', { path, uid: NO_GROUP, gid });
}

export const mknod: Handler<'Tmknod'> = async ({ dfid, name, mode, major, minor, gid }, context) => {
  const device = deviceOf(major, minor);
  if (device < 0) return device;
  const qid = await qidOfMade(placeOf(dfid, name, context), context, (path, uid) =>
    makeNode({ uid, gid, path, mode, device }, context),
  );
  return typeof qid === 'number' ? qid : reply('Rmknod', { qid });
};

/** @returns 0, or -errno */
export async function linkTo(fid: Fid, place: Place, context: Context): Promise<number> {
  const existing = await ownPathOf(fid, context);
  if (typeof existing === 'number') return existing;
  context.changes++;
  return context.helper.request('link', { existing, path: place.path });
}

export const link: Handler<'Tlink'> = async ({ dfid, fid: number, name }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const place = placeOf(dfid, name, context);
  if (typeof place === 'number') return place;
  const failed = await linkTo(fid, place, context);
  return failed < 0 ? failed : reply('Rlink', {});
};

/** How a file is made. */
export interface Creation {
  readonly flags: number;
  readonly mode: number;
  readonly gid: number;
}

/**
 * Makes a file and opens it. The fid of the directory becomes that of the file.
 *
 * @returns the file's qid, or -errno
 */
export async function createFile(
  number: number,
  name: Uint8Array,
  { flags, mode, gid }: Creation,
  context: Context,
): Promise<Qid | number> {
  const { helper, files, fids } = context;
  const place = placeOf(number, name, context);
  if (typeof place === 'number') return place;
  const { directory, path } = place;
  if (directory.file !== undefined) return -errno.EINVAL;
  const full = files.makeRoom();
  if (full < 0) return full;
  context.changes++;
  const [descriptor, named] = await Promise.all([
    helper.request('create', { path, flags, mode, uid: directory.uid, gid }),
    helper.request('lstat', { path }),
  ]);
  if (descriptor < 0) return descriptor;
  const isNamed = typeof named !== 'number' && isFileOf(descriptor, named, context) >= 0;
  // somebody else has already removed or replaced it: the file is what is open
  const made = isNamed ? named : await helper.request('lstat', { path: new Uint8Array() }, descriptor);
  if (typeof made === 'number') {
    close(descriptor);
    return made;
  }
  const node = directory.node.child(name, made, made.mode);
  const again = (flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_NOFOLLOW;
  fids.move(number, node).file = files.add({ descriptor, node, flags: again, isDirectory: false });
  if (!isNamed) directory.node.forget(name);
  return qidOf(made, context.settings.versions);
}

export const lcreate: Handler<'Tlcreate'> = async ({ fid, name, flags, mode, gid }, context) => {
  const qid = await createFile(fid, name, { flags: createFlags(flags), mode, gid }, context);
  return typeof qid === 'number' ? qid : reply('Rlcreate', { qid, iounit: 0 });
};
