import { EINVAL, EOPNOTSUPP } from '../../abi/errno.js';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from '../../abi/file-modes.js';
import type { Dialect } from './messages.js';
import {
  DMAPPEND,
  DMDEVICE,
  DMDIR,
  DMEXCL,
  DMLINK,
  DMNAMEDPIPE,
  DMSETGID,
  DMSETUID,
  DMSETVTX,
  DMSOCKET,
  DMSYMLINK,
  modeOf,
} from './modes.js';
import { checkTarget } from './names.js';

/** What a Tcreate makes. `mode` is `st_mode`: of a node with its type, else the permission bits. */
export type Creation =
  | { readonly kind: 'file' | 'directory'; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: Uint8Array }
  | { readonly kind: 'link'; readonly fid: number }
  | { readonly kind: 'node'; readonly mode: number; readonly major: number; readonly minor: number };

const SPECIAL = DMSETUID | DMSETGID | DMSETVTX;
/** The device numbers that fit Linux' dev_t: 12 and 20 bits. */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xf_ffff;
const MAX_FID = 0xffff_ffff;

/**
 * Reads permissions and extension of a Tcreate.
 *
 * @param extension of 9P2000.u: a symbolic link's target, a device as `b MAJOR MINOR` or `c MAJOR MINOR`, or the fid of
 *   which a hard link is made
 * @returns -errno for what is contradictory or what Linux cannot do
 */
export function creationOf(permissions: number, extension: Uint8Array, dialect: Dialect): Creation | number {
  // append-only and exclusive files would be made, and not be such
  if ((permissions & (DMAPPEND | DMEXCL)) !== 0) return -EOPNOTSUPP;
  const mode = modeOf(permissions, dialect);
  // the low bits are for access, and DMTMP is a hint
  const kind = (permissions & (0xfbff_0000 & ~SPECIAL)) >>> 0;
  if (kind === 0) return { kind: 'file', mode };
  if (kind === DMDIR) return { kind: 'directory', mode };
  if (dialect === '9P2000') return -EOPNOTSUPP;
  switch (kind) {
    case DMSYMLINK: {
      const failed = checkTarget(extension);
      return failed < 0 ? failed : { kind: 'symlink', target: extension };
    }
    case DMLINK: {
      // Linux ends the number with a new line
      const fid = /^(\d{1,10})\n?$/.exec(textOf(extension))?.[1];
      return fid === undefined || Number(fid) > MAX_FID ? -EINVAL : { kind: 'link', fid: Number(fid) };
    }
    case DMDEVICE: {
      const [, type, major, minor] = /^([bc]) (\d{1,10}) (\d{1,10})$/.exec(textOf(extension)) ?? [];
      if (type === undefined || Number(major) > MAX_MAJOR || Number(minor) > MAX_MINOR) return -EINVAL;
      const nodeMode = mode | (type === 'b' ? S_IFBLK : S_IFCHR);
      return { kind: 'node', mode: nodeMode, major: Number(major), minor: Number(minor) };
    }
    case DMNAMEDPIPE:
      return { kind: 'node', mode: mode | S_IFIFO, major: 0, minor: 0 };
    case DMSOCKET:
      return { kind: 'node', mode: mode | S_IFSOCK, major: 0, minor: 0 };
    default:
      return -EINVAL;
  }
}

/** The extension of a device in a stat record; other files but symbolic links have none. */
export function deviceExtension(mode: number, major: number, minor: number): Uint8Array {
  const type = mode & S_IFMT;
  if (type !== S_IFBLK && type !== S_IFCHR) return new Uint8Array(0);
  return Buffer.from(`${type === S_IFBLK ? 'b' : 'c'} ${major} ${minor}`);
}

function textOf(extension: Uint8Array): string {
  return Buffer.from(extension).toString('latin1');
}
