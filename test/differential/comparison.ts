/** What is compared of a reply, and what cannot be equal between two trees even if both helpers are right. */
import { closeSync, constants, fstatSync, readSync, writeSync } from 'node:fs';
import { errnoName, statusFlags, SystemError } from '../../harness/libc.js';
import type { RequestName } from '../../harness/requests.js';
import type { TimeView } from '../../harness/tree.js';
import type { Reply } from '../../harness/wire-client.js';

// Have done their work when open returns; QEMU adds O_NOFOLLOW to everything. O_NONBLOCK: see differences.ts.
const SPENT_FLAGS = constants.O_NOFOLLOW | constants.O_DIRECTORY | constants.O_NONBLOCK;

const S = 1_000_000_000n;
const MARGIN = 5n * S;

/**
 * Times that lie within the run are "now": two helpers cannot stamp two trees in the same nanosecond. All times set by
 * requests lie far away from the run and are compared to the nanosecond.
 */
export function timeView(startedAt = BigInt(Date.now()) * 1_000_000n): TimeView {
  return (nanoseconds) =>
    nanoseconds > startedAt - MARGIN && nanoseconds < BigInt(Date.now()) * 1_000_000n + MARGIN
      ? 'now'
      : String(nanoseconds);
}

function lstatView(payload: Buffer, time: TimeView): string {
  const word = (at: number): bigint => payload.readBigInt64LE(at);
  const when = (at: number): string => time(word(at) * S + word(at + 8));
  const mode = payload.readUInt32LE(24);
  return JSON.stringify({
    // Both trees are on one file system: dev is the same, ino never is. Hard links are compared with the trees.
    dev: String(word(0)),
    nlink: String(word(16)),
    mode: mode.toString(8),
    uid: payload.readUInt32LE(28),
    gid: payload.readUInt32LE(32),
    rdev: String(word(36)),
    // A directory's size depends on its history in the file system.
    size: (mode & constants.S_IFMT) === constants.S_IFDIR ? 'directory' : String(word(44)),
    blksize: String(word(52)),
    // Not the blocks: the file system allocates later, when it likes, and lets equal attributes share a block.
    atime: when(68),
    mtime: when(84),
    ctime: when(100),
  });
}

/** All words but the free blocks and inodes, which both helpers change all the time. */
function statfsView(payload: Buffer): string {
  const words: string[] = [];
  for (let at = 0; at < 88; at += 8) words.push(payload.readBigUInt64LE(at).toString(16));
  for (const free of [3, 4, 6]) words[free] = 'free';
  return words.join(' ');
}

/** A reply as text: equal texts mean equal answers. */
export function replyView(name: RequestName, reply: Reply, time: TimeView): string {
  if (reply.errno !== 0) return `${errnoName(reply.errno)} (${reply.bytes.length} bytes)`;
  const { payload } = reply;
  if (name === 'LSTAT' && payload.length === 116) return lstatView(payload, time);
  if (name === 'STATFS' && payload.length === 88) return statfsView(payload);
  // The number is random per inode, and the reference's upper half is not the file's (see differences.ts).
  if (name === 'GETVERSION') return `${payload.length} bytes`;
  return reply.bytes.toString('hex');
}

const errorName = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined && !(error instanceof SystemError)) throw error;
  return code ?? String(error);
};

/** What a descriptor that was handed over is: its object, its flags, and that data goes through it. Closes it. */
export function descriptorView(reply: Reply, data: Buffer | undefined, time: TimeView): string {
  const fd = reply.descriptor;
  if (fd === undefined) return '';
  try {
    const stat = fstatSync(fd, { bigint: true });
    const directory = (Number(stat.mode) & constants.S_IFMT) === constants.S_IFDIR;
    const flags = statusFlags(fd) & ~SPENT_FLAGS;
    const io: string[] = [];
    if (data !== undefined && !directory) {
      try {
        io.push(`wrote ${writeSync(fd, data, 0, data.length, null)}`);
      } catch (error) {
        io.push(errorName(error));
      }
      const back = Buffer.alloc(64);
      try {
        io.push(`read ${back.toString('hex', 0, readSync(fd, back, 0, back.length, 0))}`);
      } catch (error) {
        io.push(errorName(error));
      }
    }
    return JSON.stringify({
      mode: stat.mode.toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      nlink: String(stat.nlink),
      size: directory ? 'directory' : String(stat.size),
      mtime: time(stat.mtimeNs),
      flags: flags.toString(8),
      io,
    });
  } finally {
    closeSync(fd);
  }
}
