import { ExitStatus, StartError } from '../exit-status.js';
import { type NotifyChannel, Notifier } from '../service/notifications.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { AT_FDCWD, close, openat } from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { duplicateTo, exitNow, forkSharingRoot, setSession } from '../syscalls/process.js';
import { receiveWaiting, socketPair } from '../syscalls/sockets.js';
import { READY } from './report.js';

const O_RDWR = 2;
const MAX_REPORT_BYTES = 4096;

/** A channel on which the serving program tells the process that the user started how the start went. */
export interface ReportChannel {
  readonly toParent: number;
  readonly fromChild: number;
}

export function reportChannel(): ReportChannel {
  const pair = socketPair();
  if (typeof pair === 'number') throw new StartError(`cannot make a socket pair: ${describeErrno(pair)}`);
  return { fromChild: pair[0], toParent: pair[1] };
}

/**
 * Goes on with `child` in the background, in a session of its own and without a terminal, tells the service manager its
 * pid, and waits in the foreground for its report. Returns when the helper is ready; throws a StartError with the reason
 * when it is not.
 */
export function inBackground(
  channel: ReportChannel,
  notify: NotifyChannel | undefined,
  child: () => never,
): void {
  const devNull = openat(AT_FDCWD, cString('/dev/null'), O_RDWR, 0);
  if (devNull < 0) throw new StartError(`cannot open /dev/null: ${describeErrno(devNull)}`);
  const pid = forkSharingRoot();
  if (pid < 0) throw new StartError(`cannot fork: ${describeErrno(pid)}`);
  if (pid === 0) {
    setSession();
    for (const standard of [0, 1, 2]) duplicateTo(devNull, standard);
    try {
      child();
    } catch {
      // the closed channel tells the parent
      exitNow(ExitStatus.FAILURE);
    }
  }
  close(channel.toParent);
  new Notifier(notify).mainProcess(pid);
  const report = readAll(channel.fromChild);
  if (report !== READY)
    throw new StartError(report === '' ? 'the background process ended before it was ready' : report);
}

function readAll(socket: number): string {
  const chunk = stableMemory(MAX_REPORT_BYTES);
  let text = '';
  for (;;) {
    const bytes = receiveWaiting(socket, chunk, MAX_REPORT_BYTES);
    if (bytes <= 0) return text.trimEnd();
    text += new TextDecoder().decode(chunk.subarray(0, bytes));
  }
}
