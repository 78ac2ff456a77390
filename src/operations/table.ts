import type { Request } from '../protocol/decoder.js';
import type { RequestName } from '../protocol/requests.js';
import { getversion, lstat, statfs } from './attributes.js';
import type { OperationContext } from './context.js';
import { lgetxattr, llistxattr, readlink } from './strings.js';

/**
 * Carries out one kind of request.
 *
 * @returns by the request's reply kind a descriptor, 0, or the length of the payload that it wrote to the reply;
 * or -errno
 */
export type Handler<Name extends RequestName> = (request: Request<Name>, context: OperationContext) => number;

/** What carries out each request. Those that only have a status, or a descriptor, are the security model's own. */
export const handlers: { readonly [Name in RequestName]: Handler<Name> } = {
  open: (request, { model }) => model.open(request),
  create: (request, { model }) => model.create(request),
  mknod: (request, { model }) => model.mknod(request),
  mkdir: (request, { model }) => model.mkdir(request),
  symlink: (request, { model }) => model.symlink(request),
  link: (request, { model }) => model.link(request),
  lstat,
  readlink,
  statfs,
  chmod: (request, { model }) => model.chmod(request),
  chown: (request, { model }) => model.chown(request),
  truncate: (request, { model }) => model.truncate(request),
  utime: (request, { model }) => model.utime(request),
  rename: (request, { model }) => model.rename(request),
  remove: (request, { model }) => model.remove(request),
  lgetxattr,
  llistxattr,
  lsetxattr: (request, { xattrs }) => xattrs.setxattr(request),
  lremovexattr: (request, { xattrs }) => xattrs.removexattr(request),
  getversion,
};
