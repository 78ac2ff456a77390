import { fstatSync } from 'node:fs';
import { StandardError } from '../observability/standard-error.js';

const STDERR = 2;

/** Whether stderr goes to systemd's journal, and not only that of the process that set the variable: systemd.exec(5). */
export function stderrIsJournal(): boolean {
  const { JOURNAL_STREAM } = process.env;
  if (JOURNAL_STREAM === undefined) return false;
  const { dev, ino } = fstatSync(STDERR, { bigint: true });
  return JOURNAL_STREAM === `${dev}:${ino}`;
}

/** Writes one line of a program that has no log. What a guest named must not work on the operator's terminal. */
export function complain(level: 'error' | 'warn', message: string, isJournal = stderrIsJournal()): void {
  const line = message.replace(/\p{Cc}/gu, '?');
  new StandardError(isJournal).write(level, `virtfs-proxy-helper: ${line}`);
}
