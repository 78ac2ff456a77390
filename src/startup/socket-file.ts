import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import { chownDescriptor, close, O_NOFOLLOW, O_PATH, openat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { bindUnix, fchmod, listen, SOCK_STREAM, type SocketType, unixSocket } from '../syscalls/sockets.js';
import { isSameFile } from '../syscalls/status.js';
import { type Fail, StartError } from './start-errors.js';
import { openPlace, pathIn, type Place } from './place.js';
import { NEW, Staging } from './staging.js';
import { isOurs, removeStale } from './stale-socket.js';

/** What a socket is for. */
export interface SocketKind {
  /** For messages. */
  readonly name: string;
  readonly type: SocketType;
  readonly mode: number;
}

/** Owner and group may connect, as with QEMU's own helper. */
const forClients: SocketKind = { name: 'socket', type: SOCK_STREAM, mode: 0o770 };

/** Who owns the file of a unix socket. */
export interface SocketOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A unix socket that somebody listens at. */
export interface ListeningSocket {
  readonly descriptor: number;
  readonly file: SocketFile;
}

/** What a start that could not make a socket fails with. @param name what the socket is for */
export function cannotCreate(name: string, path: string): Fail {
  return (code, reason) => new StartError(code, `cannot create the ${name} ${path}: ${reason}`);
}

/**
 * Makes a listening socket at a path. Nobody else can enter the staging directory, so it has its owner and mode before
 * anybody can see it. Throws a StartError.
 *
 * @param backlog how many clients may wait
 */
export function listenAt(
  path: string,
  { uid, gid }: SocketOwner,
  backlog: number,
  { name, type, mode }: SocketKind = forClients,
): ListeningSocket {
  const fail = cannotCreate(name, path);
  const check = (result: number): number => {
    if (result < 0) throw fail('file-not-created', describeErrno(result));
    return result;
  };
  const descriptor = check(unixSocket(type));
  fchmod(descriptor, mode);
  const place = openPlace(path, fail);
  const file = Staging.run(place, fail, (staging) => {
    check(bindUnix(descriptor, pathIn(staging.directory, NEW)));
    const made = check(openat(staging.directory, cString(NEW), O_PATH | O_NOFOLLOW, 0));
    // a sandbox may forbid chown(2), even where it changes nothing
    if (!isOurs(made, { mode, uid, gid })) check(chownDescriptor(made, uid, gid));
    check(listen(descriptor, backlog));
    let published = staging.publish();
    if (published === -errno.EEXIST) {
      removeStale(place, staging, { mode, uid, gid }, fail);
      published = staging.publish();
    }
    check(published);
    return made;
  });
  return { descriptor, file: new SocketFile(place, file, fail) };
}

/** The file of a socket that we made, held open: whoever takes its place keeps his own. */
export class SocketFile {
  readonly #place: Place;
  readonly #file: number;
  readonly #fail: Fail;

  /** @param file an O_PATH descriptor of it, which belongs to this object as the place's does */
  constructor(place: Place, file: number, fail: Fail) {
    this.#place = place;
    this.#file = file;
    this.#fail = fail;
  }

  /** Removes it, if it is still there. One that cannot be removed is left to the next start, which takes its place. */
  remove(): void {
    const { directory, name } = this.#place;
    try {
      if (isSameFile(this.#file, directory, cString(name)))
        Staging.run(this.#place, this.#fail, (staging) => staging.removeOnly(this.#file));
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
    }
    this.release();
  }

  /** Leaves it where it is. */
  release(): void {
    close(this.#file);
    close(this.#place.directory);
  }
}
