import { layoutOf, payloads } from '../../proxy-protocol/replies.js';
import { FileStatus, FileSystemStatus } from '../../syscalls/status.js';
import type { Handler, OperationContext } from './context.js';

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

const statPayload = layoutOf(payloads.lstat);
const { words: at } = statPayload;

const statLayout = layout([
  [FileStatus.INO, at.inode, 2],
  [FileStatus.NLINK, at.links, 'widened'],
  [FileStatus.UID, at.uid, 1],
  [FileStatus.GID, at.gid, 1],
  [FileStatus.SIZE, at.size, 2],
  [FileStatus.BLKSIZE, at.blockSize, 'widened'],
  [FileStatus.BLOCKS, at.blocks, 2],
  [FileStatus.ATIME, at.atime, 2],
  [FileStatus.ATIME + 2, at.atime + 2, 'widened'],
  [FileStatus.MTIME, at.mtime, 2],
  [FileStatus.MTIME + 2, at.mtime + 2, 'widened'],
  [FileStatus.CTIME, at.ctime, 2],
  [FileStatus.CTIME + 2, at.ctime + 2, 'widened'],
]);

const statfsPayload = layoutOf(payloads.statfs);
const { words: of } = statfsPayload;

const statfsLayout = layout([
  [FileSystemStatus.TYPE, of.type, 2],
  [FileSystemStatus.BSIZE, of.blockSize, 2],
  [FileSystemStatus.BLOCKS, of.blocks, 2],
  [FileSystemStatus.BFREE, of.freeBlocks, 2],
  [FileSystemStatus.BAVAIL, of.availableBlocks, 2],
  [FileSystemStatus.FILES, of.files, 2],
  [FileSystemStatus.FFREE, of.freeFiles, 2],
  [FileSystemStatus.FSID, of.fsid0, 1],
  [FileSystemStatus.FSID + 1, of.fsid1, 1],
  [FileSystemStatus.NAMELEN, of.nameLength, 2],
  [FileSystemStatus.FRSIZE, of.fragmentSize, 2],
]);

/** What is filled in otherwise, as constants: this is the way of most requests. */
const { bytes: STAT_BYTES } = statPayload;
const { mode: MODE, device: DEVICE, rdev: RDEV } = at;
const { bytes: STATFS_BYTES } = statfsPayload;
const { fsid0: FSID_0, fsid1: FSID_1 } = of;

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
    to[MODE] = status.mode;
    setDevice(to, DEVICE, from[FileStatus.DEV_MAJOR] ?? 0, from[FileStatus.DEV_MINOR] ?? 0);
    setDevice(to, RDEV, from[FileStatus.RDEV_MAJOR] ?? 0, from[FileStatus.RDEV_MINOR] ?? 0);
    return STAT_BYTES;
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
    to[FSID_0 + 1] = (from[FileSystemStatus.FSID] ?? 0) >> 31;
    to[FSID_1 + 1] = (from[FileSystemStatus.FSID + 1] ?? 0) >> 31;
    return STATFS_BYTES;
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
