import posix from 'posix';

const priorities: Readonly<Record<string, string>> = {
  fatal: 'crit',
  error: 'err',
  warn: 'warning',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
};

/** The system's log. Connects at once, since the path of its socket means nothing after the change of root. */
export class Syslog {
  constructor() {
    posix.openlog('virtfs-proxy-helper', { pid: true, ndelay: true }, 'daemon');
  }

  /** @param level a level of pino */
  write(level: string, message: string): void {
    posix.syslog(priorities[level] ?? 'info', message);
  }
}
