/** One of two servers that get the same requests, and its replies as text that may be compared. */
import { type BigIntStats, lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { BlockingNinepClient, NinepReply } from '../../../harness/blocking-ninep-client.js';
import { errnoName } from '../../../harness/libc.js';
import type {
  Qid,
  ReceivedFields,
  ReplyTo,
  RequestName,
  SentFields,
  Time,
} from '../../../harness/ninep-messages.js';
import type { TimeView } from '../../../harness/tree.js';

const S = 1_000_000_000n;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

const asText = (fields: object): string =>
  JSON.stringify(fields, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)).slice(
    0,
    400,
  );

/** What comes of a request: the name of the error, or what `view` makes of the reply. */
export type View<Name extends RequestName> = (fields: ReceivedFields<ReplyTo<Name>>, side: Side) => string;

export class Side {
  readonly label: string;
  readonly client: BlockingNinepClient;
  /** The directory on the host that the requests are about. */
  readonly root: string;
  /** Whether it knows Trenameat and Tunlinkat. */
  readonly hasNames: boolean;
  /** The requests of one step with their fields, to be told when something is wrong. */
  asked: string[] = [];
  readonly #time: TimeView;

  constructor(
    label: string,
    client: BlockingNinepClient,
    { root, hasNames, time }: { root: string; hasNames: boolean; time: TimeView },
  ) {
    this.label = label;
    this.client = client;
    this.root = root;
    this.hasNames = hasNames;
    this.#time = time;
  }

  ask<Name extends RequestName>(name: Name, fields: SentFields<Name>): NinepReply<ReplyTo<Name>> {
    const reply = this.client.request(name, fields);
    this.asked.push(`${name} ${asText(fields)} ${reply.errno === 0 ? 'ok' : errnoName(reply.errno)}`);
    return reply;
  }

  answer<Name extends RequestName>(
    name: Name,
    fields: SentFields<Name>,
    view: View<Name> = () => 'ok',
  ): string {
    const reply = this.ask(name, fields);
    return reply.errno === 0 ? view(reply.fields, this) : errnoName(reply.errno);
  }

  /** The type, and whether it is the inode of that path. The version is not compared: diod's is always 0. */
  qid({ type, path }: Qid, expected: string): string {
    const inode = this.#onHost(expected)?.ino;
    return `${type.toString(16)} ${path === inode ? 'its inode' : `inode ${path} instead of ${inode}`}`;
  }

  modeOf(path: string): number {
    return Number(this.#onHost(path)?.mode ?? 0);
  }

  #onHost(path: string): BigIntStats | undefined {
    const bytes = Buffer.from(join(this.root, path), 'latin1');
    return lstatSync(bytes, { bigint: true, throwIfNoEntry: false });
  }

  /** What stat(2) has. The rest (birth, generation, version of the data) diod does not tell. */
  attributes({ qid, ...it }: ReceivedFields<'Rgetattr'>, path: string): string {
    const when = ({ seconds, nanoseconds }: Time): string =>
      this.#time(BigInt.asIntN(64, seconds) * S + nanoseconds);
    const directory = (it.mode & S_IFMT) === S_IFDIR;
    return JSON.stringify({
      basic: (it.valid & 0x7ffn).toString(16),
      qid: this.qid(qid, path),
      mode: it.mode.toString(8),
      owner: `${it.uid}:${it.gid}`,
      nlink: Number(it.nlink),
      rdev: it.rdev.toString(16),
      // its history in the file system decides
      size: directory ? 'directory' : String(it.size),
      blksize: String(it.blksize),
      times: [it.atime, it.mtime, it.ctime].map(when),
    });
  }
}
