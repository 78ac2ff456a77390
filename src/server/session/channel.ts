import type { Message } from '../operations/message.js';
import type { MessageBuffers } from '../operations/message-buffers.js';

/** The connection to a client, which delivers whole messages. */
export interface Channel {
  /** The longest message that the client may send. */
  limit: number;
  /**
   * Whether what is wrong with one message is no concern of the next: then it is refused, and the session goes on. In a
   * stream of bytes nobody knows where the next one begins.
   */
  readonly resumable: boolean;
  /** Whether the client has not taken what was sent to it. */
  readonly congested: boolean;
  /** Delivers no more messages, or few, until `resume`. */
  pause(): void;
  resume(): void;
  /** Nothing is under way: the next message may be slept for, without a turn of the event loop. */
  expect(): void;
  /** Ends the connection. Nothing is told any more. */
  close(): void;
}

export interface ChannelEvents {
  /** The message is the session's from now on. */
  received(message: Message): void;
  /** The client sends what is no message. */
  violated(reason: string): void;
  /** The client was started again: nothing that it had is of use to it. It waits for no answer. */
  restarted(): void;
  /** The client has left; without an error: between two of its messages. The channel is closed. */
  closed(error?: string): void;
  /** The client has taken what was sent. */
  drained(): void;
}

/** Makes the channel of a session, in whose buffers messages may be kept. */
export type ChannelFactory = (events: ChannelEvents, buffers: MessageBuffers) => Channel;
