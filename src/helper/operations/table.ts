import type { RequestName } from '../../proxy-protocol/requests.js';
import { getversion, lstat, statfs } from './attributes.js';
import type { OperationContext } from './context.js';
import type { Handler } from './handler.js';
import { lgetxattr, llistxattr, readlink } from './strings.js';

/**
 * Makes what carries out each request, once for a session. Those that only have a status, or a descriptor, are the
 * security model's own. Each is a function of its own, which V8 compiles with what it works with as constants.
 */
export function makeHandlers(context: OperationContext): { readonly [Name in RequestName]: Handler<Name> } {
  const { model, xattrs } = context;
  return {
    open: (request) => model.open(request),
    create: (request) => model.create(request),
    mknod: (request) => model.mknod(request),
    mkdir: (request) => model.mkdir(request),
    symlink: (request) => model.symlink(request),
    link: (request) => model.link(request),
    lstat: lstat(context),
    readlink: readlink(context),
    statfs: statfs(context),
    chmod: (request) => model.chmod(request),
    chown: (request) => model.chown(request),
    truncate: (request) => model.truncate(request),
    utime: (request) => model.utime(request),
    rename: (request) => model.rename(request),
    remove: (request) => model.remove(request),
    lgetxattr: lgetxattr(context),
    llistxattr: llistxattr(context),
    lsetxattr: (request) => xattrs.setxattr(request),
    lremovexattr: (request) => xattrs.removexattr(request),
    getversion: getversion(context),
  };
}
