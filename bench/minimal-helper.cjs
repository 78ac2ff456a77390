/**
 * The least that any helper in TypeScript takes to its first answer, a measuring stick of `startup.ts`: Node and koffi,
 * an execve in order to serve with fewer rights on every thread than were there to prepare, Node and koffi again, and a
 * reply of zeros on descriptor 3.
 */
/* global require, __filename, Buffer */
// eslint-disable-next-line @typescript-eslint/no-require-imports -- CommonJS, as what is installed: it loads quicker
const koffi = require('koffi');

const SERVE = 'serve';
const F_SETFD = 2;
const HEADER_BYTES = 8;
const STAT_BYTES = 116;

const libc = koffi.load(null);
if (process.argv[2] === SERVE) {
  const recv = libc.func('int64 recv(int, void *, int64, int)');
  const send = libc.func('int64 send(int, void *, int64, int)');
  const reply = Buffer.alloc(4096);
  recv(3, reply, reply.length, 0);
  reply.fill(0).writeUInt32LE(STAT_BYTES, 4);
  send(3, reply, HEADER_BYTES + STAT_BYTES, 0);
} else {
  libc.func('int fcntl(int, int, int)')(3, F_SETFD, 0);
  const execve = libc.func('int execve(const char *, const char **, const char **)');
  execve(process.execPath, [process.execPath, __filename, SERVE, null], [null]);
}
