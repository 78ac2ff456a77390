import { posix } from '../native/posix.js';
import { severity } from './severities.js';

/** The system's log. Connects at once, since the path of its socket means nothing after the change of root. */
export class Syslog {
  constructor() {
    posix.openlog('virtfs-proxy-helper', { pid: true, ndelay: true }, 'daemon');
  }

  /** @param level a level of pino */
  write(level: string, message: string): void {
    posix.syslog(severity(level).name, message);
  }
}
