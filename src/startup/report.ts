import { StartError } from '../exit-status.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { close } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { keepOverExec, write } from '../syscalls/process.js';

/** What is reported, followed by a newline, when the client will be served; anything else is the reason why not. */
export const READY = 'ready';

/** Tells whoever waits for it how the start went. Does nothing without a descriptor. */
export function report(descriptor: number | undefined, text: string): void {
  if (descriptor === undefined) return;
  const bytes = cString(`${text}\n`);
  write(descriptor, bytes, bytes.length - 1);
  close(descriptor);
}

/** Checks a descriptor that the caller passed to be reported to. Throws a StartError. */
export function checkReportDescriptor(descriptor: number): void {
  const failed = keepOverExec(descriptor);
  if (failed < 0) throw new StartError(`--ready-fd ${descriptor}: ${describeErrno(failed)}`);
}
