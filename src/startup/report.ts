import { close } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { write } from '../syscalls/process.js';

const STDERR = 2;

/** What is reported, followed by a newline, when the client will be served; anything else is the line of a failed start. */
export const READY = 'ready';

/** Tells whoever waits for it how the start went. Does nothing without a descriptor. */
export function report(descriptor: number | undefined, text: string): void {
  if (descriptor === undefined) return;
  const bytes = cString(`${text}\n`);
  write(descriptor, bytes, bytes.length - 1);
  // another file would take the number of a standard one, and be passed on as such
  if (descriptor > STDERR) close(descriptor);
}
