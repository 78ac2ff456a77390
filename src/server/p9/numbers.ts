/** Numbers of 9P that have a meaning beyond the wire: 9P2000's intro(5), and Linux' include/net/9p/9p.h. */

/** The tag of Tversion. */
export const NOTAG = 0xffff;
/** No fid: the afid of an attach without authentication. */
export const NOFID = 0xffff_ffff;
/** No numeric user: an n_uname that leaves it to uname. */
export const NONUNAME = 0xffff_ffff;

/** Names in one Twalk. */
export const MAX_WALK_NAMES = 16;
/** A name of a file, NAME_MAX of Linux. */
export const MAX_NAME_BYTES = 255;
/** The target of a symbolic link, PATH_MAX of Linux without its NUL. */
export const MAX_TARGET_BYTES = 4095;

/** `size[4] type[1] tag[2]` */
export const HEADER_BYTES = 7;
export const TYPE_OFFSET = 4;
export const TAG_OFFSET = 5;
/** Rread and Rreaddir: the header and `count[4]`. What was read follows. */
export const READ_HEADER_BYTES = 11;
/** Twrite: the header, `fid[4] offset[8] count[4]`. The data follow. */
export const WRITE_HEADER_BYTES = 23;

export const QTDIR = 0x80;
export const QTAPPEND = 0x40;
export const QTEXCL = 0x20;
export const QTSYMLINK = 0x02;
export const QTFILE = 0x00;

/** Bits of Tgetattr's mask and Rgetattr's valid. */
export const GETATTR_MODE = 0x0001;
export const GETATTR_NLINK = 0x0002;
export const GETATTR_UID = 0x0004;
export const GETATTR_GID = 0x0008;
export const GETATTR_RDEV = 0x0010;
export const GETATTR_ATIME = 0x0020;
export const GETATTR_MTIME = 0x0040;
export const GETATTR_CTIME = 0x0080;
export const GETATTR_INO = 0x0100;
export const GETATTR_SIZE = 0x0200;
export const GETATTR_BLOCKS = 0x0400;
export const GETATTR_BTIME = 0x0800;
export const GETATTR_GEN = 0x1000;
export const GETATTR_DATA_VERSION = 0x2000;
/** What stat(2) has. */
export const GETATTR_BASIC = 0x07ff;

/** Bits of Tsetattr's valid. */
export const SETATTR_MODE = 0x001;
export const SETATTR_UID = 0x002;
export const SETATTR_GID = 0x004;
export const SETATTR_SIZE = 0x008;
export const SETATTR_ATIME = 0x010;
export const SETATTR_MTIME = 0x020;
export const SETATTR_CTIME = 0x040;
/** The time is that of the request; without it, the server's clock. */
export const SETATTR_ATIME_SET = 0x080;
export const SETATTR_MTIME_SET = 0x100;

/** `type` of Tlock and Tgetlock. */
export const LOCK_READ = 0;
export const LOCK_WRITE = 1;
export const LOCK_UNLOCK = 2;
/** `flags` of Tlock. */
export const LOCK_BLOCK = 1;
export const LOCK_RECLAIM = 2;
/** `status` of Rlock. */
export const LOCK_SUCCESS = 0;
export const LOCK_BLOCKED = 1;
export const LOCK_ERROR = 2;
export const LOCK_GRACE = 3;

/** `flags` of Tunlinkat: the name is that of a directory. */
export const UNLINKAT_REMOVEDIR = 0x200;

/** `flags` of Txattrcreate, as setxattr(2) has them. */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;
