import type { Request, RequestOf, RequestType } from '../p9/messages.js';
import { getattr, readlink, setattr, statfs } from './attributes.js';
import type { Handler } from './context.js';
import { fsync, getlock, lock, read, write } from './data.js';
import { readdir } from './directories.js';
import { xattrcreate, xattrwalk } from './extended-attributes.js';
import { lcreate, link, mkdir, mknod, symlink } from './making.js';
import { rename, renameat, unlinkat } from './moving.js';
import { lopen } from './opening.js';
import { create, open, stat, wstat } from './original.js';
import { attach, auth, clunk, remove, walk } from './walking.js';

/** What the session does itself: there is no fid in it. */
type OfTheSession = 'Tversion' | 'Tflush';

/** What carries out each request. */
export const handlers: { readonly [Type in Exclude<RequestType, OfTheSession>]: Handler<Type> } = {
  Tauth: auth,
  Tattach: attach,
  Twalk: walk,
  Tclunk: clunk,
  Tremove: remove,
  Tlopen: lopen,
  Tlcreate: lcreate,
  Tmkdir: mkdir,
  Tsymlink: symlink,
  Tmknod: mknod,
  Tlink: link,
  Trename: rename,
  Trenameat: renameat,
  Tunlinkat: unlinkat,
  Tgetattr: getattr,
  Tsetattr: setattr,
  Treadlink: readlink,
  Tstatfs: statfs,
  Txattrwalk: xattrwalk,
  Txattrcreate: xattrcreate,
  Tread: read,
  Twrite: write,
  Tfsync: fsync,
  Treaddir: readdir,
  Tlock: lock,
  Tgetlock: getlock,
  Tstat: stat,
  Twstat: wstat,
  Topen: open,
  Tcreate: create,
};

/** Whether a request is for an open file alone, and may have to wait for its disk. */
export const isData = (request: Request): request is RequestOf<'Tread' | 'Twrite' | 'Tfsync'> =>
  request.type === 'Tread' || request.type === 'Twrite' || request.type === 'Tfsync';
