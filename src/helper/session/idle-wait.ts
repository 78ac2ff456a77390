import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import * as errno from '../../abi/errno.js';
import { errnoName } from '../../abi/errno-text.js';
import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import { setBlocking } from '../../syscalls/process.js';
import type { Connection } from '../transport/connection.js';
import { DescriptorConnection } from '../transport/descriptor-connection.js';

/** What comes of waiting. */
export interface IdleEvents {
  /** Something was received. @returns whether to go on waiting; otherwise until `resume` */
  readonly arrived: () => boolean;
  readonly ended: () => void;
  /** @param reason an errno's name */
  readonly failed: (reason: string) => void;
}

/** libuv's wait for requests, while nothing else waits for them. */
export interface IdleWait {
  /** Waits, at first and after a pause. */
  readonly resume: () => void;
}

/** The wait for requests of a connection, of which nothing is received before `resume`. */
export function idleWait(descriptor: number, connection: Connection, events: IdleEvents): IdleWait {
  const wait =
    connection instanceof DescriptorConnection
      ? watch(descriptor, connection, events)
      : read(descriptor, connection, events);
  // libuv made it O_NONBLOCK, but it never reads before there is something
  setBlocking(descriptor);
  return wait;
}

function read(fd: number, connection: Connection, { arrived, ended, failed }: IdleEvents): IdleWait {
  const onread: OnReadOpts = {
    buffer: connection.landing,
    callback: (bytes) => {
      connection.landed(bytes);
      return arrived();
    },
  };
  // `onread` is documented for `connect` only, but works for any socket; `manualStart` is what Node's own code uses
  const socket = new Socket({ fd, onread, manualStart: true } as SocketConstructorOpts);
  socket.on('end', ended);
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failed(error.code ?? error.message);
  });
  return { resume: () => socket.resume() };
}

/** Without reading: libuv would drop the descriptors. */
function watch(descriptor: number, connection: Connection, { arrived, ended, failed }: IdleEvents): IdleWait {
  const watching = new DescriptorWatch(descriptor, { readable: false, writable: false }, () => {
    const bytes = connection.receive();
    if (bytes === 0) ended();
    else if (bytes < 0 && bytes !== -errno.EAGAIN && bytes !== -errno.EINTR) failed(errnoName(bytes));
    else if (bytes > 0 && !arrived()) watching.change({ readable: false, writable: false });
  });
  return {
    resume: () => {
      watching.change({ readable: true, writable: false });
    },
  };
}
