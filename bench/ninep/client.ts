import { encodeMessage } from '../../harness/ninep-codec.js';
import { type MessageName, NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { memory, recv, send, close } from '../libc.js';

const MSG_NOSIGNAL = 0x4000;
/** What diod takes at most, and room for a Tread or Twrite of 60 KiB. */
export const MESSAGE_BYTES = 65_536;

/** A request, ready to be sent. */
export interface Frame {
  readonly name: MessageName;
  readonly bytes: Uint8Array;
}

export function frame(name: MessageName, fields: Readonly<Record<string, unknown>>, tag = 1): Frame {
  const encoded = encodeMessage('9P2000.L', name, tag, fields);
  const bytes = memory(encoded.length);
  bytes.set(encoded);
  return { name, bytes };
}

/** A client that asks one after the other, and can leave one request under way meanwhile. */
export interface Exchange {
  exchange(request: Frame): void;
  send(request: Frame): void;
  receive(request: Frame): void;
  close(): void;
}

/** Agrees on the dialect, and attaches fid 0 to the export as root. */
export function greetings(aname: string): readonly Frame[] {
  return [
    frame('Tversion', { msize: MESSAGE_BYTES, version: '9P2000.L' }, NOTAG),
    frame('Tattach', { fid: 0, afid: NOFID, uname: '', aname, n_uname: 0 }),
  ];
}

/** A client of a 9P server that waits in recv(2): nothing in `exchange` allocates or goes through an event loop. */
export class NinepClient implements Exchange {
  readonly fd: number;
  readonly #reply = memory(MESSAGE_BYTES);
  readonly #size = new Uint32Array(this.#reply.buffer, 0, 1);

  constructor(fd: number, aname: string) {
    this.fd = fd;
    for (const greeting of greetings(aname)) this.exchange(greeting);
  }

  /** Sends a request, and waits for its reply. */
  exchange(request: Frame): void {
    this.send(request);
    this.receive(request);
  }

  send({ name, bytes }: Frame): void {
    if (send(this.fd, bytes, bytes.length, MSG_NOSIGNAL) !== bytes.length)
      throw new Error(`${name}: not sent`);
  }

  /** Waits for the next reply, which is that to a request. */
  receive({ name, bytes }: Frame): void {
    const reply = this.#reply;
    let received = recv(this.fd, reply, MESSAGE_BYTES, 0);
    while (received > 0 && (received < 7 || received < (this.#size[0] ?? 0))) {
      const more = recv(this.fd, reply.subarray(received), MESSAGE_BYTES - received, 0);
      if (more <= 0) throw new Error(`${name}: no whole reply`);
      received += more;
    }
    if (received <= 0) throw new Error(`${name}: the server is gone`);
    if (reply[4] !== (bytes[4] ?? 0) + 1) throw new Error(`${name}: answered by a message ${reply[4]}`);
  }

  close(): void {
    close(this.fd);
  }
}
