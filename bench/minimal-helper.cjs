/**
 * The limit of a helper in TypeScript, a measuring stick of bench/: Node and koffi, an execve in order to serve with
 * fewer rights on every thread than were there to prepare, Node and koffi again; then the loop of minimal-loop.c: the
 * one system call of each request. No checks, no change of ids, no confinement but the root, no statistics.
 *   minimal-helper.cjs EXPORT [poll]        serves descriptor 3
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
const O_CREAT = 0o100;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const EISDIR = 21;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const DESCRIPTOR_FOLLOWS = 0x7fffffff;
const HEADER_BYTES = 8;
const STAT_BYTES = 116;
const STATFS_BYTES = 88;
const VERSION_BYTES = 8;
const TIMES_BYTES = 32;
/** What a request answered itself. */
const SENT = -1000;

const libc = koffi.load(null);
const words = process.argv.slice(2);
const [exported] = words;
if (words.at(-1) === SERVE) {
  serve(words[1] === 'poll' ? MSG_DONTWAIT : 0);
} else {
  libc.func('int fcntl(int, int, int)')(3, F_SETFD, 0);
  const execve = libc.func('int execve(const char *, const char **, const char **)');
  execve(process.execPath, [process.execPath, __filename, ...words, SERVE, null], [null]);
}

function memory(size) {
  const bytes = Buffer.from(new ArrayBuffer(Math.max(size, 4096)));
  return { bytes, words: new Int32Array(bytes.buffer), address: Number(koffi.address(bytes)) };
}

/** @param flags of recv(2) */
function serve(flags) {
  const recv = libc.func('int recv(int, int64, int64, int)');
  const send = libc.func('int send(int, int64, int64, int)');
  const sendmsg = libc.func('int sendmsg(int, int64, int)');
  const statx = libc.func('int statx(int, int64, int, int, int64)');
  const statfs = libc.func('int statfs(int64, int64)');
  const readlink = libc.func('int readlink(int64, int64, int64)');
  const openat = libc.func('int openat(int, int64, int, int)');
  const close = libc.func('int close(int)');
  const mknod = libc.func('int mknod(int64, int, int64)');
  const mkdir = libc.func('int mkdir(int64, int)');
  const symlink = libc.func('int symlink(int64, int64)');
  const link = libc.func('int link(int64, int64)');
  const chmod = libc.func('int chmod(int64, int)');
  const lchown = libc.func('int lchown(int64, int, int)');
  const truncate = libc.func('int truncate(int64, int64)');
  const utimensat = libc.func('int utimensat(int, int64, int64, int)');
  const rename = libc.func('int rename(int64, int64)');
  const unlink = libc.func('int unlink(int64)');
  const rmdir = libc.func('int rmdir(int64)');
  const lgetxattr = libc.func('int lgetxattr(int64, int64, int64, int64)');
  const llistxattr = libc.func('int llistxattr(int64, int64, int64)');
  const lsetxattr = libc.func('int lsetxattr(int64, int64, int64, int64, int)');
  const lremovexattr = libc.func('int lremovexattr(int64, int64)');

  const request = memory(65_544);
  const reply = memory(65_544);
  const status = memory(256);
  const times = memory(TIMES_BYTES);
  const path = memory(4096);
  const second = memory(4096);
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
  process.umask(0);

  const stringAddress = reply.address + HEADER_BYTES + 2;
  let at = 0;
  const int32 = () => request.bytes.readInt32LE((at += 4) - 4);
  const int64 = () => int32() + int32() * 0x1_0000_0000;
  const length = () => request.bytes.readUInt16LE((at += 2) - 2);
  const string = (copy) => {
    const size = length();
    for (let byte = 0; byte < size; byte++) copy.bytes[byte] = request.bytes[at + byte];
    copy.bytes[size] = 0;
    at += size;
    return copy.address;
  };
  /** What goes into the reply as it is. @returns its bytes */
  const words = (bytes) => {
    for (let word = 0; word < bytes / 4; word++) reply.words[2 + word] = status.words[word];
    return bytes;
  };
  /** A string that is in its place, or its length alone where the client asked for that. @returns bytes, or the error */
  const stringReply = (size, asked) => {
    if (size < 0) return size;
    if (asked === 0) reply.words[2] = size;
    else reply.bytes.writeUInt16LE(size, HEADER_BYTES);
    return asked === 0 ? 4 : 2 + size;
  };
  const descriptor = (opened) => {
    if (opened < 0) {
      reply.words[0] = -koffi.errno();
      send(3, reply.address, 4, MSG_NOSIGNAL);
      return SENT;
    }
    message.words[28] = opened;
    sendmsg(3, message.address, MSG_NOSIGNAL);
    close(opened);
    return SENT;
  };
  const open = (address, flags) => {
    const located = openat(AT_FDCWD, address, O_PATH, 0);
    if (located < 0) return descriptor(located);
    statx(located, empty.address, AT_EMPTY_PATH, STATX_TYPE, status.address);
    // of two digits: Node itself has more than ten descriptors
    name.bytes[0] = 0x30 + Math.trunc(located / 10);
    name.bytes[1] = 0x30 + (located % 10);
    descriptor(openat(ownDescriptors, name.address, flags, 0));
    close(located);
    return SENT;
  };
  const remove = (address) => {
    const removed = unlink(address);
    return removed < 0 && koffi.errno() === EISDIR ? rmdir(address) : removed;
  };
  const utime = (address) => {
    for (let byte = 0; byte < TIMES_BYTES; byte++) times.bytes[byte] = request.bytes[at + byte];
    return utimensat(AT_FDCWD, address, times.address, AT_SYMLINK_NOFOLLOW);
  };
  const setxattr = (address, attribute) => {
    const size = length();
    return lsetxattr(address, attribute, request.address + at, size, 0);
  };
  const payload = (result, bytes) => (result < 0 ? result : words(bytes));

  /** By opcode. @returns bytes of payload; of those that have none: 0; or negative: errno has the error */
  const answers = [];
  answers[2] = () => open(string(path), int32());
  answers[3] = () => descriptor(openat(AT_FDCWD, string(path), int32() | O_CREAT, int32()));
  answers[4] = () => ((at += 8), mknod(string(path), int32(), int64()));
  answers[5] = () => ((at += 8), mkdir(string(path), int32()));
  answers[6] = () => ((at += 8), symlink(string(path), string(second)));
  answers[7] = () => link(string(path), string(second));
  answers[8] = () =>
    payload(
      statx(AT_FDCWD, string(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, status.address),
      STAT_BYTES,
    );
  answers[9] = () => stringReply(readlink(string(path), stringAddress, 4096));
  answers[10] = () => payload(statfs(string(path), status.address), STATFS_BYTES);
  answers[11] = () => chmod(string(path), int32());
  answers[12] = () => lchown(string(path), int32(), int32());
  answers[13] = () => truncate(string(path), int64());
  answers[14] = () => utime(string(path));
  answers[15] = () => rename(string(path), string(second));
  answers[16] = () => remove(string(path));
  answers[17] = () => getxattr(int32());
  answers[18] = () => listxattr(int32());
  answers[19] = () => setxattr(string(path), string(second));
  answers[20] = () => lremovexattr(string(path), string(second));
  answers[21] = () => (string(path), VERSION_BYTES);
  const getxattr = (asked) =>
    stringReply(lgetxattr(string(path), string(second), stringAddress, asked), asked);
  const listxattr = (asked) => stringReply(llistxattr(string(path), stringAddress, asked), asked);

  for (;;) {
    const received = recv(3, request.address, request.bytes.length, flags);
    if (received < 0) continue;
    if (received === 0) return;
    at = HEADER_BYTES;
    let size = answers[request.words[0]]();
    if (size === SENT) continue;
    reply.words[0] = size < 0 ? 1 : 0;
    if (size <= 0) {
      reply.words[2] = size < 0 ? -koffi.errno() : 0;
      size = 4;
    }
    reply.words[1] = size;
    send(3, reply.address, HEADER_BYTES + size, MSG_NOSIGNAL);
  }
}
