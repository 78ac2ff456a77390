/** What the system's logs call the levels of pino: syslog(3). */
const severities = {
  fatal: { name: 'crit', number: 2 },
  error: { name: 'err', number: 3 },
  warn: { name: 'warning', number: 4 },
  info: { name: 'info', number: 6 },
  debug: { name: 'debug', number: 7 },
  trace: { name: 'debug', number: 7 },
} as const;

interface Severity {
  readonly name: string;
  readonly number: number;
}

export function severity(level: string): Severity {
  return Object.hasOwn(severities, level) ? severities[level as keyof typeof severities] : severities.info;
}

/** What the journal takes from the beginning of a line as its priority: sd-daemon(3). */
export function journalPrefix(level: string): string {
  return `<${severity(level).number}>`;
}
