import { type NotifyChannel, notifyChannel } from '../../service/notifications.js';
import { complain } from '../../startup/journal.js';

/** The way to the service manager of a process, which is warned when there should be one and is not. */
export function notifyChannelOf({ env, pid }: NodeJS.Process): NotifyChannel | undefined {
  return notifyChannel(env, pid, (reason) => {
    complain('warn', reason);
  });
}
