import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *pair)') as (
  domain: number,
  type: number,
  protocol: number,
  pair: number[],
) => number;

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

/**
 * Two connected descriptors, for `sock_fd=`: one for QEMU, one for the helper. Node's own socketpairs do not serve:
 * Node keeps one end of each, and makes it non-blocking, which QEMU takes for an error.
 */
export function connectedPair(): [number, number] {
  const pair = [-1, -1];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0) {
    throw new Error(`socketpair: errno ${koffi.errno()}`);
  }
  return [pair[0]!, pair[1]!];
}
