/** What the system's logs have for the levels of pino: syslog(3). */
const severities: Readonly<Record<string, number>> = {
  fatal: 2,
  error: 3,
  warn: 4,
  info: 6,
  debug: 7,
  trace: 7,
};

export function severity(level: string): number {
  return severities[level] ?? 6;
}

/** What the journal takes from the beginning of a line as its priority: sd-daemon(3). */
export function journalPrefix(level: string): string {
  return `<${severity(level)}>`;
}
