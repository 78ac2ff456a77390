/** Stands in for the service manager: the datagram socket that NOTIFY_SOCKET names. */
import { closeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { bindDatagrams, receiveDatagram } from './libc.js';

export class NotifySocket {
  readonly address: string;
  readonly #fd: number;
  /** Every assignment that came, in order. */
  readonly messages: string[] = [];

  /** @param address a path, or an abstract name that begins with `@` */
  constructor(address: string) {
    this.address = address;
    this.#fd = bindDatagrams(address);
    onTestFinished(() => {
      closeSync(this.#fd);
    });
  }

  /** Reads what has come, and forgets what came before. */
  next(): string[] {
    this.messages.length = 0;
    this.#read();
    return this.messages;
  }

  /** Waits until a message that begins so has come. */
  async has(start: string, milliseconds = 10_000): Promise<string> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      this.#read();
      const message = this.messages.find((text) => text.startsWith(start));
      if (message !== undefined) return message;
      await wait(10);
    }
    throw new Error(`no ${start} in ${milliseconds} ms, but ${JSON.stringify(this.messages)}`);
  }

  #read(): void {
    for (let text = receiveDatagram(this.#fd); text !== undefined; text = receiveDatagram(this.#fd)) {
      this.messages.push(...text.split('\n'));
    }
  }
}
