import * as files from '../../abi/file-modes.js';
import type { Dialect } from './messages.js';
import { QTDIR, QTFILE, QTSYMLINK } from './numbers.js';

/** Bits of 9P2000's and 9P2000.u's permissions, stat(5). */
export const DMDIR = 0x8000_0000;
export const DMAPPEND = 0x4000_0000;
export const DMEXCL = 0x2000_0000;
export const DMSYMLINK = 0x0200_0000;
export const DMLINK = 0x0100_0000;
export const DMDEVICE = 0x0080_0000;
export const DMNAMEDPIPE = 0x0020_0000;
export const DMSOCKET = 0x0010_0000;
export const DMSETUID = 0x0008_0000;
export const DMSETGID = 0x0004_0000;
export const DMSETVTX = 0x0001_0000;
const ACCESS = 0o777;

const typeBits: ReadonlyMap<number, number> = new Map([
  [files.S_IFLNK, DMSYMLINK],
  [files.S_IFBLK, DMDEVICE],
  [files.S_IFCHR, DMDEVICE],
  [files.S_IFIFO, DMNAMEDPIPE],
  [files.S_IFSOCK, DMSOCKET],
]);

const specialBits = [
  [files.S_ISUID, DMSETUID],
  [files.S_ISGID, DMSETGID],
  [files.S_ISVTX, DMSETVTX],
] as const;

/** `st_mode` as 9P2000 or 9P2000.u says it. Plain 9P2000 knows files and directories, and none of the special bits. */
export function permissionsOf(mode: number, dialect: Dialect): number {
  let permissions = mode & ACCESS;
  const type = mode & files.S_IFMT;
  if (type === files.S_IFDIR) permissions |= DMDIR;
  if (dialect !== '9P2000') {
    permissions |= typeBits.get(type) ?? 0;
    for (const [bit, permission] of specialBits) {
      if ((mode & bit) !== 0) permissions |= permission;
    }
  }
  return permissions >>> 0;
}

/** The permission bits of `st_mode`, without the type of the file. */
export function modeOf(permissions: number, dialect: Dialect): number {
  let mode = permissions & ACCESS;
  if (dialect !== '9P2000') {
    for (const [bit, permission] of specialBits) {
      if ((permissions & permission) !== 0) mode |= bit;
    }
  }
  return mode;
}

/** The type of the qid of a file with this `st_mode`. */
export function qidType(mode: number): number {
  const type = mode & files.S_IFMT;
  if (type === files.S_IFDIR) return QTDIR;
  return type === files.S_IFLNK ? QTSYMLINK : QTFILE;
}

/** The type of the directory entry of a file with this `st_mode`: DT_* of readdir(3). */
export function entryType(mode: number): number {
  return (mode & files.S_IFMT) >> 12;
}
