/** One case's connection and directory, with what every case does many times. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DirectoryEntry,
  NOFID,
  type ReceivedFields,
  type Time,
} from '../../../harness/ninep-messages.js';
import { decodeEntries } from '../../../harness/ninep-codec.js';
import { type NinepClient, outcomeOf as outcome } from '../../../harness/ninep-client.js';

export { outcome };

/** A server that was started for the cases. */
export interface Running {
  /** A new connection, nothing said yet. */
  readonly connect: () => Promise<NinepClient>;
  /** The directory that it exports, on the host. */
  readonly export: string;
  /** What Tattach calls it. */
  readonly aname?: string;
  /** The error for a fid that is not there; EBADF unless told. */
  readonly unknownFid?: string;
  /** Whether Tversion leaves something of what was before, so that every case needs a connection of its own. */
  readonly remembers?: boolean;
  readonly stop: () => Promise<void>;
}

/** One thing that is expected of a server. It fails by throwing. */
export interface Case {
  readonly title: string;
  readonly run: (scene: Scene) => Promise<void>;
}

/** The flags of 9P2000.L: Linux' own of x86, whatever the machine is. */
export const open = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREATE: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECT: 0o40000,
  LARGEFILE: 0o100000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  CLOEXEC: 0o2000000,
} as const;

export const valid = {
  MODE: 0x1,
  UID: 0x2,
  GID: 0x4,
  SIZE: 0x8,
  ATIME: 0x10,
  MTIME: 0x20,
  CTIME: 0x40,
  ATIME_SET: 0x80,
  MTIME_SET: 0x100,
} as const;

export const qidType = { DIRECTORY: 0x80, SYMLINK: 0x02, FILE: 0 } as const;
/** Tunlinkat's flag: a directory. */
export const REMOVEDIR = 0x200;
/** Tgetattr's mask: all that stat(2) has. */
export const BASIC = 0x7ff;

export interface Changes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number | bigint;
  readonly atime?: Time;
  readonly mtime?: Time;
  /** More of `valid`'s bits: times that are to be the server's now. */
  readonly now?: number;
}

export const at = (nanoseconds: bigint): Time => ({
  seconds: nanoseconds / 1_000_000_000n,
  nanoseconds: nanoseconds % 1_000_000_000n,
});

let cases = 0;

/** Where every connection has the root of the export. */
const ROOT = 0;

export class Scene {
  readonly client: NinepClient;
  readonly server: Running;
  /** The case's own directory: its name in the export, and a fid of it. */
  readonly name: string;
  readonly directory: number;
  readonly #others: NinepClient[] = [];

  private constructor(client: NinepClient, server: Running, name: string, directory: number) {
    this.client = client;
    this.server = server;
    this.name = name;
    this.directory = directory;
  }

  /** @param before a connection of an earlier case, which is taken over when it is idle: Tversion ends all its fids */
  static async enter(server: Running, before?: NinepClient): Promise<Scene> {
    const name = `case-${++cases}`;
    mkdirSync(join(server.export, name));
    const client = await attached(
      server,
      0,
      before?.idle === true && server.remembers !== true ? before : undefined,
    );
    const directory = client.newFid();
    await client.request('Twalk', { fid: ROOT, newfid: directory, names: [name] });
    return new Scene(client, server, name, directory);
  }

  get root(): number {
    return ROOT;
  }

  /** The same directory from another connection, or for another user. */
  async another(uid = 0): Promise<Scene> {
    const client = await attached(this.server, uid);
    this.#others.push(client);
    const directory = client.newFid();
    await client.request('Twalk', { fid: ROOT, newfid: directory, names: [this.name] });
    return new Scene(client, this.server, this.name, directory);
  }

  /** A connection on which nothing has been said. */
  async fresh(): Promise<NinepClient> {
    const client = await this.server.connect();
    this.#others.push(client);
    return client;
  }

  /** @returns the case's own connection */
  leave(): NinepClient {
    for (const client of this.#others) client.close();
    return this.client;
  }

  /** A path on the host. */
  host(...names: readonly string[]): string {
    return join(this.server.export, this.name, ...names);
  }

  async walk(names: readonly string[], from = this.directory): Promise<number> {
    const newfid = this.client.newFid();
    const { qids } = await this.client.request('Twalk', { fid: from, newfid, names });
    if (qids.length !== names.length) throw new Error(`only ${qids.length} of ${names.join('/')}`);
    return newfid;
  }

  /** A fid that is open. */
  async open(name: string | readonly string[], flags: number = open.RDONLY): Promise<number> {
    const fid = await this.walk(typeof name === 'string' ? [name] : name);
    await this.client.request('Tlopen', { fid, flags });
    return fid;
  }

  /** A fid of a file that is new, and open. */
  async create(name: string, flags: number = open.RDWR, mode = 0o644, gid = 0): Promise<number> {
    const fid = await this.walk([]);
    await this.client.request('Tlcreate', { fid, name, flags: flags | open.CREATE, mode, gid });
    return fid;
  }

  async write(fid: number, text: string, offset: number | bigint = 0): Promise<number> {
    const { count } = await this.client.request('Twrite', { fid, offset, data: Buffer.from(text, 'latin1') });
    return count;
  }

  async read(fid: number, offset: number | bigint = 0, count = 4_096): Promise<string> {
    const { data } = await this.client.request('Tread', { fid, offset, count });
    if (data.length > count) throw new Error(`${data.length} bytes where ${count} were asked for`);
    return data.toString('latin1');
  }

  getattr(fid: number): Promise<ReceivedFields<'Rgetattr'>> {
    return this.client.request('Tgetattr', { fid, mask: BASIC });
  }

  async setattr(fid: number, changes: Changes): Promise<void> {
    const { mode, uid, gid, size, atime, mtime, now = 0 } = changes;
    const bits =
      now |
      (mode === undefined ? 0 : valid.MODE) |
      (uid === undefined ? 0 : valid.UID) |
      (gid === undefined ? 0 : valid.GID) |
      (size === undefined ? 0 : valid.SIZE) |
      (atime === undefined ? 0 : valid.ATIME | valid.ATIME_SET) |
      (mtime === undefined ? 0 : valid.MTIME | valid.MTIME_SET);
    await this.client.request('Tsetattr', {
      ...{ fid, valid: bits, mode: mode ?? 0, uid: uid ?? NOFID, gid: gid ?? NOFID, size: size ?? 0 },
      ...{ atime: atime ?? at(0n), mtime: mtime ?? at(0n) },
    });
  }

  clunk(fid: number): Promise<object> {
    return this.client.request('Tclunk', { fid });
  }

  /** All entries of an open directory, in so many bytes at a time. */
  async entries(fid: number, count = 8_192): Promise<DirectoryEntry[]> {
    const all: DirectoryEntry[] = [];
    for (let offset = 0n; ;) {
      const { data } = await this.client.request('Treaddir', { fid, offset, count });
      if (data.length > count) throw new Error(`${data.length} bytes where ${count} were asked for`);
      const entries = decodeEntries(data);
      const last = entries.at(-1);
      if (last === undefined) return all;
      all.push(...entries);
      if (all.length > 100_000) throw new Error('the listing has no end');
      offset = last.offset;
    }
  }

  /** The error for a fid that is not there. */
  get unknownFid(): string {
    return this.server.unknownFid ?? 'EBADF';
  }

  /** Whether the server still knows a fid. */
  async knows(fid: number): Promise<boolean> {
    return (await outcome(this.getattr(fid))) !== this.unknownFid;
  }

  /** Renames as Linux does, which has another message for a server that does not know Trenameat. */
  async rename(oldname: string, newname: string, to = this.directory): Promise<void> {
    const names = { olddirfid: this.directory, oldname, newdirfid: to, newname };
    if ((await this.client.outcome('Trenameat', names)) !== 'EOPNOTSUPP') return;
    const fid = await this.walk([oldname]);
    await this.client.request('Trename', { fid, dfid: to, name: newname });
  }

  /** Removes a file as Linux does. */
  async remove(name: string): Promise<void> {
    const flags = { dirfd: this.directory, name, flags: 0 };
    if ((await this.client.outcome('Tunlinkat', flags)) !== 'EOPNOTSUPP') return;
    await this.client.request('Tremove', { fid: await this.walk([name]) });
  }
}

async function attached(server: Running, uid: number, before?: NinepClient): Promise<NinepClient> {
  const client = before ?? (await server.connect());
  await client.version();
  await client.attach(ROOT, uid, server.aname);
  return client;
}

/** For what the protocol forbids without saying with which error: any will do. */
export async function refused(reply: Promise<unknown>): Promise<boolean> {
  return (await outcome(reply)) !== 'ok';
}
