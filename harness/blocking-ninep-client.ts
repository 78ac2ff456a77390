/** A blocking client of a 9P server, for tests that make a hundred thousand requests: one after the other. */
import { decodeFrame, encodeMessage } from './ninep-codec.js';
import {
  type Dialect,
  type MessageName,
  messages,
  NOFID,
  NOTAG,
  type ReceivedFields,
  type ReplyTo,
  type RequestName,
  type SentFields,
} from './ninep-messages.js';
import { WireClient, WireError } from './wire-client.js';

export interface NinepReply<Name extends MessageName = MessageName> {
  /** 0, or the errno of Rlerror. */
  readonly errno: number;
  /** Those of the reply; nothing may be read of them when there is an errno. */
  readonly fields: ReceivedFields<Name>;
}

export class BlockingNinepClient {
  readonly #socket: WireClient;
  readonly #dialect: Dialect = '9P2000.L';
  #nextFid = 1;

  private constructor(socket: WireClient) {
    this.#socket = socket;
  }

  /** A client that has agreed about 9P2000.L. */
  static connect(path: string, msize = 65_536): BlockingNinepClient {
    const client = new BlockingNinepClient(WireClient.connect(path));
    const { fields } = client.#exchange('Tversion', { msize, version: client.#dialect }, NOTAG);
    if (fields.version !== client.#dialect) throw new WireError(`the server speaks ${fields.version}`);
    return client;
  }

  attach(fid: number, uid = 0, aname = ''): NinepReply<'Rattach'> {
    return this.request('Tattach', { fid, afid: NOFID, uname: '', aname, n_uname: uid });
  }

  /** A fid that this connection has not had. */
  newFid(): number {
    return this.#nextFid++;
  }

  request<Name extends RequestName>(name: Name, fields: SentFields<Name>): NinepReply<ReplyTo<Name>> {
    return this.#exchange(name, fields, 1);
  }

  /** Sends a request without waiting; `receive` is to follow. */
  send<Name extends RequestName>(name: Name, fields: SentFields<Name>, tag = 1): void {
    this.#socket.send(encodeMessage(this.#dialect, name, tag, fields));
  }

  receive<Name extends RequestName>(request: Name): NinepReply<ReplyTo<Name>> {
    const size = this.#socket.receiveExactly(4);
    const rest = this.#socket.receiveExactly(size.readUInt32LE(0) - 4);
    const { name, fields } = decodeFrame(this.#dialect, Buffer.concat([size, rest]));
    if (name === 'Rlerror')
      return { errno: fields['ecode'] as number, fields: {} as ReceivedFields<ReplyTo<Name>> };
    if (messages[name][0] !== messages[request][0] + 1)
      throw new WireError(`${name} is no reply to ${request}`);
    return { errno: 0, fields: fields as ReceivedFields<ReplyTo<Name>> };
  }

  close(): void {
    this.#socket.close();
  }

  #exchange<Name extends RequestName>(
    name: Name,
    fields: SentFields<Name>,
    tag: number,
  ): NinepReply<ReplyTo<Name>> {
    this.send(name, fields, tag);
    return this.receive(name);
  }
}
