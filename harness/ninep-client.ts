/** A client of a 9P server over a stream socket: any number of requests at once, well-formed or not. */
import net from 'node:net';
import { errnoName } from './libc.js';
import { decodeFrame, encodeMessage, type Frame, messageName, NinepFrameError } from './ninep-codec.js';
import {
  type Dialect,
  messages,
  NOFID,
  NOTAG,
  type Qid,
  type ReceivedFields,
  type ReplyTo,
  type RequestName,
  type SentFields,
} from './ninep-messages.js';
import { patience } from './patience.js';

const TIMEOUT = 10_000 * patience;

/** The server refused: Rlerror, or Rerror. */
export class NinepError extends Error {
  /** The name of the number, or the text where the dialect has no number. */
  readonly code: string;
  readonly errno: number | undefined;

  constructor(request: string, errno: number | undefined, text?: string) {
    const code = errno === undefined ? (text ?? '') : errnoName(errno);
    super(`${request}: ${code}`);
    this.code = code;
    this.errno = errno;
  }
}

export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Settles with the whole frame; undefined for a request that was flushed and never answered. */
interface Pending {
  readonly resolve: (frame: Buffer | undefined) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A request that was sent. */
export interface Sent<Name extends RequestName> {
  readonly tag: number;
  readonly reply: Promise<ReceivedFields<ReplyTo<Name>>>;
}

/** The reply to a request was replaced by that to its Tflush. */
export class FlushedError extends Error {}

export class NinepClient {
  readonly #socket: net.Socket;
  readonly #pending = new Map<number, Pending>();
  /** Settles when the server has closed the connection, or broke the protocol: with the reason. */
  readonly closed: Promise<string>;
  #settleClosed!: (reason: string) => void;
  #end: string | undefined;
  #received = Buffer.alloc(0);
  #nextTag = 0;
  #nextFid = 1;

  dialect: Dialect = '9P2000.L';
  /** The largest reply that is allowed; known after `version`. */
  msize = 2 ** 20;
  /** Requests that were sent. */
  requests = 0;
  /** How often something was sent while nothing was under way: the round trips that a program waits for. */
  trips = 0;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#deliver();
    });
    socket.on('error', (error) => {
      this.#fail(error.message);
    });
    socket.on('close', () => {
      this.#fail('the server closed the connection');
    });
  }

  static connect(address: Address): Promise<NinepClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(address);
      socket.setNoDelay();
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new NinepClient(socket));
      });
    });
  }

  /** Whether nothing is under way on a connection that is still there. */
  get idle(): boolean {
    return this.#end === undefined && this.#pending.size === 0 && this.#received.length === 0;
  }

  /** A fid that this connection has not had. */
  newFid(): number {
    return this.#nextFid++;
  }

  /** Agrees about the dialect and the largest frame, which ends everything that was before. */
  async version(version: string = this.dialect, msize = 65_536): Promise<{ msize: number; version: string }> {
    const agreed = await this.send('Tversion', { msize, version }, NOTAG).reply;
    this.msize = agreed.msize;
    if (agreed.version !== 'unknown') this.dialect = agreed.version as Dialect;
    return agreed;
  }

  async attach(fid: number, uid = 0, aname = ''): Promise<Qid> {
    const { qid } = await this.request('Tattach', { fid, afid: NOFID, uname: '', aname, n_uname: uid });
    return qid;
  }

  /** Sends a request and waits for its reply. @throws NinepError when the server refuses */
  request<Name extends RequestName>(
    name: Name,
    fields: SentFields<Name>,
  ): Promise<ReceivedFields<ReplyTo<Name>>> {
    return this.send(name, fields).reply;
  }

  /** What comes of a request: `ok`, or the name of the error. */
  async outcome<Name extends RequestName>(name: Name, fields: SentFields<Name>): Promise<string> {
    return outcomeOf(this.request(name, fields));
  }

  /** Sends a request and returns at once. */
  send<Name extends RequestName>(name: Name, fields: SentFields<Name>, tag = this.#freeTag()): Sent<Name> {
    const reply = this.raw(encodeMessage(this.dialect, name, tag, fields)).then((frame) => {
      if (frame === undefined) throw new FlushedError(`${name} was flushed`);
      return this.#checked(name, frame) as ReceivedFields<ReplyTo<Name>>;
    });
    // whoever never asks for the reply does not care for its error either
    reply.catch(() => undefined);
    return { tag, reply };
  }

  /**
   * Asks the server to forget a request. When it returns the tag is free again; the request's own promise has been
   * settled by its reply, or with FlushedError.
   */
  async flush(oldtag: number): Promise<void> {
    await this.request('Tflush', { oldtag });
    const forgotten = this.#pending.get(oldtag);
    if (forgotten === undefined) return;
    this.#pending.delete(oldtag);
    clearTimeout(forgotten.timer);
    forgotten.resolve(undefined);
  }

  /** Sends any bytes that begin like a frame, and waits for the frame that has the same tag. */
  raw(frame: Uint8Array): Promise<Buffer | undefined> {
    const reply = this.expect(Buffer.from(frame).readUInt16LE(5), messageName(frame[4] ?? 0));
    this.#socket.write(frame);
    return reply;
  }

  /** Waits for a reply to what is sent in another way. */
  expect(tag: number, request = 'a request'): Promise<Buffer | undefined> {
    if (this.#pending.has(tag)) throw new Error(`tag ${tag} is in use`);
    if (this.#pending.size === 0) this.trips++;
    this.requests++;
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(new Error(this.#end));
        return;
      }
      const timer = setTimeout(() => {
        this.#pending.delete(tag);
        reject(new Error(`no reply to ${request} within ${TIMEOUT / 1000} s`));
      }, TIMEOUT);
      this.#pending.set(tag, { resolve, reject, timer });
    });
  }

  /** Sends bytes that are no request, or a part of one. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Stops to read, so that the server cannot send any more. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says that no more requests come, while still listening. */
  finishSending(): void {
    this.#socket.end();
  }

  close(): void {
    this.#fail('closed');
  }

  #freeTag(): number {
    while (this.#pending.has(this.#nextTag)) this.#nextTag = (this.#nextTag + 1) % NOTAG;
    const tag = this.#nextTag;
    this.#nextTag = (tag + 1) % NOTAG;
    return tag;
  }

  #deliver(): void {
    while (this.#received.length >= 4) {
      const size = this.#received.readUInt32LE(0);
      if (size < 7 || size > this.msize) {
        this.#fail(`a reply of ${size} bytes, where 7 to ${this.msize} are allowed`);
        return;
      }
      if (this.#received.length < size) return;
      const frame = this.#received.subarray(0, size);
      this.#received = this.#received.subarray(size);
      const tag = frame.readUInt16LE(5);
      const pending = this.#pending.get(tag);
      if (pending === undefined) {
        this.#fail(`a reply to nothing: ${messageName(frame.readUInt8(4)) ?? '?'} with tag ${tag}`);
        return;
      }
      this.#pending.delete(tag);
      clearTimeout(pending.timer);
      pending.resolve(frame);
    }
  }

  #checked(request: RequestName, bytes: Buffer): Frame['fields'] {
    let frame: Frame;
    try {
      frame = decodeFrame(this.dialect, bytes);
    } catch (error) {
      if (error instanceof NinepFrameError) this.#fail(error.message);
      throw error;
    }
    const { name, fields } = frame;
    if (name === 'Rlerror' && this.dialect === '9P2000.L')
      throw new NinepError(request, fields['ecode'] as number);
    if (name === 'Rerror' && this.dialect !== '9P2000.L')
      throw new NinepError(request, fields['errno'] as number | undefined, fields['ename'] as string);
    if (messages[name][0] !== messages[request][0] + 1) {
      this.#fail(`${name} is no reply to ${request}`);
      throw new NinepFrameError(this.#end);
    }
    return fields;
  }

  #fail(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#socket.destroy();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new Error(reason));
    }
    this.#pending.clear();
    this.#settleClosed(reason);
  }
}

/** `ok`, or the name of the server's error. */
export async function outcomeOf(reply: Promise<unknown>): Promise<string> {
  try {
    await reply;
    return 'ok';
  } catch (error) {
    if (error instanceof NinepError) return error.code;
    throw error;
  }
}
