import pino, { type Logger } from 'pino';
import type { LogFormat, LogLevel } from './levels.js';
import type { LogOutput } from './standard-error.js';

export type { Logger };

/**
 * The lines of this process's log, on their way out. One that is not taken is lost and counted; the next one that is taken
 * has a line before it that tells how many were lost.
 */
export class LogLines {
  readonly #output: LogOutput;
  readonly #format: LogFormat;
  #lost = 0;
  #untold = 0;

  constructor(output: LogOutput, format: LogFormat) {
    this.#output = output;
    this.#format = format;
  }

  /** Lines lost since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** @param line what pino makes: a JSON object and a newline */
  write(line: string): void {
    if (this.#untold > 0 && this.#put(this.#lossLine())) this.#untold = 0;
    if (this.#untold === 0 && this.#put(line)) return;
    this.#lost++;
    this.#untold++;
  }

  #lossLine(): string {
    const msg = this.#untold === 1 ? '1 line was lost' : `${this.#untold} lines were lost`;
    const origin = this.#format === 'json' ? { time: Date.now(), pid: process.pid } : {};
    return JSON.stringify({ level: 'warn', ...origin, msg });
  }

  #put(line: string): boolean {
    const record = JSON.parse(line) as LogRecord;
    return this.#output.write(record.level, this.#format === 'json' ? line.trimEnd() : toText(record));
  }
}

/** The logger of this process. To be made before the root is changed. */
export function createLogger(level: LogLevel, format: LogFormat, lines: LogLines): Logger {
  return pino(
    {
      level,
      base: format === 'json' ? { pid: process.pid } : null,
      // the journal and syslog put their own time to a line of text
      timestamp: format === 'json',
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
}

interface LogRecord {
  readonly level: string;
  readonly msg?: string;
  readonly err?: { readonly stack?: string };
  readonly [field: string]: unknown;
}

/** `level: message (field=value, ...)`: one line that a person reads. */
function toText({ level, msg = '', err, ...fields }: LogRecord): string {
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  if (err?.stack !== undefined) details.push(`stack=${JSON.stringify(err.stack)}`);
  return `${level}: ${msg}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}
