import { StatfsReply, StatReply } from '../../proxy-protocol/replies.js';
import { FileStatus, FileSystemStatus } from '../../syscalls/status.js';
import type { OperationContext } from './context.js';
import type { Handler } from './handler.js';

/** Word indices `from, to, from, to, ...` of what is copied from a struct to a reply as it is. */
type Layout = Uint8Array;

/** One word, two, or one word of the struct that is two in the reply. */
type Width = 1 | 2 | 'widened';

function layout(fields: readonly (readonly [from: number, to: number, width: Width])[]): Layout {
  return Uint8Array.from(
    fields.flatMap(([from, to, width]) => {
      if (width === 1) return [from, to];
      return [from, to, width === 2 ? from + 1 : FileStatus.ZERO, to + 1];
    }),
  );
}

const statLayout = layout([
  [FileStatus.INO, StatReply.INO, 2],
  [FileStatus.NLINK, StatReply.NLINK, 'widened'],
  [FileStatus.UID, StatReply.UID, 1],
  [FileStatus.GID, StatReply.GID, 1],
  [FileStatus.SIZE, StatReply.SIZE, 2],
  [FileStatus.BLKSIZE, StatReply.BLKSIZE, 'widened'],
  [FileStatus.BLOCKS, StatReply.BLOCKS, 2],
  [FileStatus.ATIME, StatReply.ATIME, 2],
  [FileStatus.ATIME + 2, StatReply.ATIME_NSEC, 'widened'],
  [FileStatus.MTIME, StatReply.MTIME, 2],
  [FileStatus.MTIME + 2, StatReply.MTIME_NSEC, 'widened'],
  [FileStatus.CTIME, StatReply.CTIME, 2],
  [FileStatus.CTIME + 2, StatReply.CTIME_NSEC, 'widened'],
]);

const statfsLayout = layout([
  [FileSystemStatus.TYPE, StatfsReply.TYPE, 2],
  [FileSystemStatus.BSIZE, StatfsReply.BSIZE, 2],
  [FileSystemStatus.BLOCKS, StatfsReply.BLOCKS, 2],
  [FileSystemStatus.BFREE, StatfsReply.BFREE, 2],
  [FileSystemStatus.BAVAIL, StatfsReply.BAVAIL, 2],
  [FileSystemStatus.FILES, StatfsReply.FILES, 2],
  [FileSystemStatus.FFREE, StatfsReply.FFREE, 2],
  [FileSystemStatus.FSID, StatfsReply.FSID_0, 1],
  [FileSystemStatus.FSID + 1, StatfsReply.FSID_1, 1],
  [FileSystemStatus.NAMELEN, StatfsReply.NAMELEN, 2],
  [FileSystemStatus.FRSIZE, StatfsReply.FRSIZE, 2],
]);

function fill(reply: Int32Array, struct: Uint32Array, fields: Layout): void {
  for (let index = 0; index < fields.length; index += 2) {
    reply[fields[index + 1] ?? 0] = struct[fields[index] ?? 0] ?? 0;
  }
}

/** `dev_t` of glibc in two words, low first: gnu_dev_makedev. */
function setDevice(reply: Int32Array, at: number, major: number, minor: number): void {
  reply[at] = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
  reply[at + 1] = ((minor >>> 20) & 0xfff) | (major & ~0xfff);
}

export function lstat({ model, devices, reply, status }: OperationContext): Handler<'lstat'> {
  const from = status.words;
  const to = reply.words;
  return (request) => {
    const failed = model.lstat(request, status);
    if (failed < 0) return failed;
    const hidden = devices.show(status);
    if (hidden < 0) return hidden;
    fill(to, from, statLayout);
    to[StatReply.MODE] = status.mode;
    setDevice(to, StatReply.DEV, from[FileStatus.DEV_MAJOR] ?? 0, from[FileStatus.DEV_MINOR] ?? 0);
    setDevice(to, StatReply.RDEV, from[FileStatus.RDEV_MAJOR] ?? 0, from[FileStatus.RDEV_MINOR] ?? 0);
    return StatReply.BYTES;
  };
}

export function statfs({ model, reply, fileSystem }: OperationContext): Handler<'statfs'> {
  const from = fileSystem.words;
  const to = reply.words;
  return (request) => {
    const failed = model.statfs(request, fileSystem);
    if (failed < 0) return failed;
    fill(to, from, statfsLayout);
    // the reference sends the two ints of f_fsid as signed numbers of 64 bits
    to[StatfsReply.FSID_0 + 1] = (from[FileSystemStatus.FSID] ?? 0) >> 31;
    to[StatfsReply.FSID_1 + 1] = (from[FileSystemStatus.FSID + 1] ?? 0) >> 31;
    return StatfsReply.BYTES;
  };
}

/** The inode's generation in eight bytes, the upper four zero. */
export function getversion({ model, reply }: OperationContext): Handler<'getversion'> {
  const { words } = reply;
  return (request) => {
    const failed = model.generation(request, words, 2);
    if (failed < 0) return failed;
    words[3] = 0;
    return 8;
  };
}
