import { ExitStatus } from './exit-status.js';
import { lineOf, parseLine, StartError } from './start-errors.js';
import { type NotifyChannel, Notifier } from '../service/notifications.js';
import { describeErrno } from '../abi/errno-text.js';
import { AT_FDCWD, close, O_RDWR, openat } from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { duplicateTo, exitNow, forkSharingRoot, setSession, waitForChild } from '../syscalls/process.js';
import { receiveUninterrupted } from '../syscalls/sockets.js';
import { earlyEnd, KeptOutput } from './early-end.js';
import { READY, report } from './report.js';
import { openSocketPair } from './socket-pair.js';

const MAX_REPORT_BYTES = 4096;

/** A channel on which the serving program tells the process that the user started how the start went. */
export interface ReportChannel {
  readonly toParent: number;
  readonly fromChild: number;
}

export function reportChannel(): ReportChannel {
  const [fromChild, toParent] = openSocketPair();
  return { fromChild, toParent };
}

/**
 * Goes on with `child` in the background, in a session of its own and without a terminal, tells the service manager its
 * pid, and waits in the foreground for its report. Returns when the helper is ready; throws a StartError with the reason
 * when it is not. Until the helper is ready its stderr is kept here; then it has to take /dev/null instead.
 */
export function inBackground(
  channel: ReportChannel,
  notify: NotifyChannel | undefined,
  child: () => never,
): void {
  const devNull = openat(AT_FDCWD, cString('/dev/null'), O_RDWR, 0);
  if (devNull < 0)
    throw new StartError('system-incomplete', `cannot open /dev/null: ${describeErrno(devNull)}`);
  const output = new KeptOutput();
  const pid = forkSharingRoot();
  if (pid < 0) throw new StartError('out-of-resources', `cannot fork: ${describeErrno(pid)}`);
  if (pid === 0) {
    setSession();
    for (const standard of [0, 1]) duplicateTo(devNull, standard);
    duplicateTo(output.descriptor ?? devNull, 2);
    try {
      child();
    } catch (error) {
      const failure =
        error instanceof StartError ? error : new StartError('bug', `a bug: ${(error as Error).message}`);
      report(channel.toParent, lineOf(failure));
      exitNow(ExitStatus.FAILURE);
    }
  }
  close(channel.toParent);
  new Notifier(notify).mainProcess(pid);
  const told = readAll(channel.fromChild);
  if (told === READY) return;
  const { code, message } =
    told === '' ? earlyEnd('the background process', waitForChild(pid), output.take()) : parseLine(told);
  throw new StartError(code, message, ExitStatus.FAILURE);
}

function readAll(socket: number): string {
  const chunk = stableMemory(MAX_REPORT_BYTES);
  let text = '';
  for (;;) {
    const bytes = receiveUninterrupted(socket, chunk, MAX_REPORT_BYTES);
    if (bytes <= 0) return text.trimEnd();
    text += new TextDecoder().decode(chunk.subarray(0, bytes));
  }
}
