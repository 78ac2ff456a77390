import pino, { type Logger } from 'pino';
import type { LogFormat, LogLevel } from './levels.js';
import { journalPrefix } from './severities.js';
import type { Syslog } from './syslog.js';

export type { Logger };

/**
 * The logger of this process, to stderr or to the system's log. To be made before the root is changed.
 *
 * @param isJournal stderr is systemd's journal, which takes a line's priority from its beginning
 */
export function createLogger(
  level: LogLevel,
  format: LogFormat,
  syslog: Syslog | undefined,
  isJournal: boolean,
): Logger {
  // written at once: a line must be out before the process ends
  const stderr = pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level,
      base: format === 'json' ? { pid: process.pid } : null,
      // the journal and syslog put their own time to a line of text
      timestamp: format === 'json',
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string): void {
        const text = format === 'json' ? line : toText(line);
        if (syslog !== undefined) syslog.write(levelOf(line), text.trimEnd());
        else stderr.write(isJournal ? `${journalPrefix(levelOf(line))}${text}` : text);
      },
    },
  );
}

interface LogRecord {
  readonly level: string;
  readonly msg?: string;
  readonly err?: { readonly stack?: string };
  readonly [field: string]: unknown;
}

function levelOf(line: string): string {
  return (JSON.parse(line) as LogRecord).level;
}

/** `level: message (field=value, ...)`: one line that a person reads. */
function toText(line: string): string {
  const { level, msg = '', err, ...fields } = JSON.parse(line) as LogRecord;
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  if (err?.stack !== undefined) details.push(`stack=${JSON.stringify(err.stack)}`);
  return `${level}: ${msg}${details.length > 0 ? ` (${details.join(', ')})` : ''}\n`;
}
