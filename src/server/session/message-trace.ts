import { errnoName, errnoText } from '../../abi/errno-text.js';
import type { Logger } from '../../observability/log.js';
import type { Message } from '../operations/message.js';
import type { Dialect } from '../p9/messages.js';
import { messageText } from './message-text.js';

/** Shows every message and what it was answered, on one line each, as strace(1) would show a system call. */
export class MessageTrace {
  readonly #log: Logger;
  /** What is being answered. */
  #text = '';

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Is told while the message is still there. @param result how much of something the reply has, or -errno */
  answering(message: Message, dialect: Dialect, result: number): void {
    this.#text = `${messageText(message, dialect)} = ${resultText(result)}`;
  }

  answered(microseconds: number): void {
    this.#log.trace(`${this.#text} <${(microseconds / 1e6).toFixed(6)}>`);
  }

  dropping(message: Message, dialect: Dialect): void {
    this.#log.trace(`${messageText(message, dialect)} = ?`);
  }
}

/** The trace of a log; undefined where it shows none. */
export function traceTo(log: Logger): MessageTrace | undefined {
  return log.isLevelEnabled('trace') ? new MessageTrace(log) : undefined;
}

function resultText(result: number): string {
  return result < 0 ? `-1 ${errnoName(result)} (${errnoText(result)})` : String(result);
}
