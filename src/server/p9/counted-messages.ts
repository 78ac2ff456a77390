import { type MessageLayout, messages } from './messages.js';

/** What is counted: all requests of all dialects, and first whatever is none. */
export const countedMessages: readonly string[] = [
  'other',
  ...Object.entries<MessageLayout>(messages).flatMap(([name, { request }]) =>
    request === undefined ? [] : [`T${name}`],
  ),
];
