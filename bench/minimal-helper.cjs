/**
 * The limit of a helper in TypeScript, a measuring stick of bench/: Node and koffi, an execve in order to serve with
 * fewer rights on every thread than were there to prepare, Node and koffi again; then the loop of minimal-loop.c for the
 * requests that change nothing. No checks, no confinement but the root, no statistics, no polling.
 *   minimal-helper.cjs EXPORT        serves descriptor 3
 */
/* global require, __filename, Buffer */
// eslint-disable-next-line @typescript-eslint/no-require-imports -- CommonJS, as what is installed: it loads quicker
const koffi = require('koffi');

const SERVE = 'serve';
const F_SETFD = 2;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE = 1;
const STATX_BASIC_STATS = 0x7ff;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const MSG_NOSIGNAL = 0x4000;
const DESCRIPTOR_FOLLOWS = 0x7fffffff;
const HEADER_BYTES = 8;
const OPEN = 2;
const LSTAT = 8;
const READLINK = 9;
const STATFS = 10;
const STAT_BYTES = 116;
const STATFS_BYTES = 88;
const VERSION_BYTES = 8;

const libc = koffi.load(null);
const [exported, stage] = process.argv.slice(2);
if (stage === SERVE) {
  serve();
} else {
  libc.func('int fcntl(int, int, int)')(3, F_SETFD, 0);
  const execve = libc.func('int execve(const char *, const char **, const char **)');
  execve(process.execPath, [process.execPath, __filename, exported, SERVE, null], [null]);
}

function memory(size) {
  const bytes = Buffer.from(new ArrayBuffer(Math.max(size, 4096)));
  return { bytes, words: new Int32Array(bytes.buffer), address: Number(koffi.address(bytes)) };
}

function serve() {
  const recv = libc.func('int recv(int, int64, int64, int)');
  const send = libc.func('int send(int, int64, int64, int)');
  const sendmsg = libc.func('int sendmsg(int, int64, int)');
  const statx = libc.func('int statx(int, int64, int, int, int64)');
  const statfs = libc.func('int statfs(int64, int64)');
  const readlink = libc.func('int readlink(int64, int64, int64)');
  const openat = libc.func('int openat(int, int64, int, int)');
  const close = libc.func('int close(int)');
  const request = memory(65_544);
  const reply = memory(65_544);
  const status = memory(256);
  const path = memory(4096);
  const name = memory(16);
  const empty = memory(1);
  const message = memory(160);
  message.bytes.writeBigUInt64LE(BigInt(message.address + 64), 16); // msg_iov
  message.bytes.writeBigUInt64LE(1n, 24);
  message.bytes.writeBigUInt64LE(BigInt(message.address + 96), 32); // msg_control
  message.bytes.writeBigUInt64LE(24n, 40);
  message.bytes.writeBigUInt64LE(BigInt(message.address + 128), 64); // iov_base
  message.bytes.writeBigUInt64LE(4n, 72);
  message.bytes.writeBigUInt64LE(20n, 96); // cmsg_len, SOL_SOCKET, SCM_RIGHTS
  message.words.set([1, 1], 26);
  message.words[32] = DESCRIPTOR_FOLLOWS;

  empty.bytes.write('/proc/self/fd\0');
  const ownDescriptors = openat(AT_FDCWD, empty.address, O_PATH | O_DIRECTORY, 0);
  empty.bytes[0] = 0;
  process.chdir(exported);
  libc.func('int chroot(const char *)')('.');
  while (recv(3, request.address, request.bytes.length, 0) > 0) {
    const length = request.bytes[HEADER_BYTES] | (request.bytes[HEADER_BYTES + 1] << 8);
    for (let at = 0; at < length; at++) path.bytes[at] = request.bytes[HEADER_BYTES + 2 + at];
    path.bytes[length] = 0;
    let size = VERSION_BYTES;
    switch (request.words[0]) {
      case OPEN: {
        const located = openat(AT_FDCWD, path.address, O_PATH, 0);
        statx(located, empty.address, AT_EMPTY_PATH, STATX_TYPE, status.address);
        // of two digits: Node itself has more than ten descriptors
        name.bytes[0] = 0x30 + Math.trunc(located / 10);
        name.bytes[1] = 0x30 + (located % 10);
        const opened = openat(ownDescriptors, name.address, 0, 0);
        message.words[28] = opened;
        sendmsg(3, message.address, MSG_NOSIGNAL);
        close(located);
        close(opened);
        continue;
      }
      case LSTAT:
        statx(AT_FDCWD, path.address, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, status.address);
        size = STAT_BYTES;
        for (let word = 0; word < STAT_BYTES / 4; word++) reply.words[2 + word] = status.words[word];
        break;
      case READLINK:
        size = 2 + readlink(path.address, reply.address + HEADER_BYTES + 2, 4096);
        reply.bytes.writeUInt16LE(size - 2, HEADER_BYTES);
        break;
      case STATFS:
        statfs(path.address, status.address);
        size = STATFS_BYTES;
        for (let word = 0; word < STATFS_BYTES / 4; word++) reply.words[2 + word] = status.words[word];
        break;
    }
    reply.words[0] = 0;
    reply.words[1] = size;
    send(3, reply.address, HEADER_BYTES + size, MSG_NOSIGNAL);
  }
}
