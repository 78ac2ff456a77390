/** Where paths lead for a guest of the 9P server: name by name, following symbolic links itself, as Linux' client does. */
import type { BlockingNinepClient } from '../../harness/blocking-ninep-client.js';
import { errnoName } from '../../harness/libc.js';
import {
  NOFID,
  type ReceivedFields,
  type ReplyTo,
  type RequestName,
  type SentFields,
} from '../../harness/ninep-messages.js';
import type { Owner } from '../../harness/requests.js';
import { root } from './guest.js';

const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
export const BASIC = 0x7ff;
/** Where the kernel gives up: path_resolution(7). */
const MOST_LINKS = 40;

/** The server refused, or the guest's own kernel would; the message is the name of the error. */
export class Refused extends Error {}

/** Where a path leads: the directory, and the last name in it. `undefined` for the root. */
interface Place {
  readonly directory: number;
  readonly name: string | undefined;
}

export const outcome = (work: () => unknown): string => {
  try {
    const result = work();
    return typeof result === 'string' ? result : 'ok';
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
};

export class NinepPaths {
  readonly #client: BlockingNinepClient;
  readonly #aname: string;
  /** The root as each user attached it. */
  readonly #roots = new Map<number, number>();

  /** @param aname the part of the export that is the guest's root */
  constructor(client: BlockingNinepClient, aname: string) {
    this.#client = client;
    this.#aname = aname;
  }

  newFid(): number {
    return this.#client.newFid();
  }

  ask<Name extends RequestName>(name: Name, fields: SentFields<Name>): ReceivedFields<ReplyTo<Name>> {
    const reply = this.#client.request(name, fields);
    if (reply.errno !== 0) throw new Refused(errnoName(reply.errno));
    return reply.fields;
  }

  #root({ uid }: Owner): number {
    const known = this.#roots.get(uid);
    if (known !== undefined) return known;
    const fid = this.#client.newFid();
    this.ask('Tattach', { fid, afid: NOFID, uname: '', aname: this.#aname, n_uname: uid });
    this.#roots.set(uid, fid);
    return fid;
  }

  /** A new fid of a name in a directory. */
  step(fid: number, ...names: readonly string[]): number {
    const newfid = this.#client.newFid();
    this.ask('Twalk', { fid, newfid, names });
    return newfid;
  }

  exists(fid: number, name: string): boolean {
    const found = outcome(() => this.step(fid, name));
    if (found !== 'ok' && found !== 'ENOENT') throw new Refused(found);
    return found === 'ok';
  }

  typeOf(fid: number): number {
    return this.ask('Tgetattr', { fid, mask: BASIC }).mode & S_IFMT;
  }

  /** What path_resolution(7) says. @param follow whether the last name is followed when it is a symbolic link */
  place(path: string, { follow = false, owner = root }: { follow?: boolean; owner?: Owner } = {}): Place {
    if (path === '') throw new Refused('ENOENT');
    let way = [this.step(this.#root(owner))];
    const names = path.split('/');
    for (let links = 0; ;) {
      const name = names.shift();
      if (name === undefined) return { directory: way.at(-1)!, name: undefined };
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length > 1) way.pop();
        continue;
      }
      const directory = way.at(-1)!;
      const isLast = names.every((rest) => rest === '');
      if (isLast && !follow) return { directory, name };
      if (isLast && !this.exists(directory, name)) return { directory, name };
      const fid = this.step(directory, name);
      const type = this.typeOf(fid);
      if (type === S_IFLNK) {
        if (++links > MOST_LINKS) throw new Refused('ELOOP');
        const { target } = this.ask('Treadlink', { fid });
        if (target.startsWith('/')) way = way.slice(0, 1);
        names.unshift(...target.split('/'));
        continue;
      }
      if (isLast) return { directory, name };
      if (type !== S_IFDIR) throw new Refused('ENOTDIR');
      way.push(fid);
    }
  }

  /** A fid of what a path leads to. */
  walk(path: string, follow: boolean): number {
    const { directory, name } = this.place(path, { follow });
    return name === undefined ? this.step(directory) : this.step(directory, name);
  }
}
