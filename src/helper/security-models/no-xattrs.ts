import * as errno from '../../abi/errno.js';
import type { XattrModel } from './security-model.js';

const unsupported = (): number => -errno.EOPNOTSUPP;

/** No extended attributes for the guest, as on a file system without them. */
export const noXattrs: XattrModel = {
  getxattr: unsupported,
  listxattr: unsupported,
  setxattr: unsupported,
  removexattr: unsupported,
};
