import { readFileSync } from 'node:fs';

/**
 * Whether what is typed on the terminal (an interrupt) is sent to this process and to the command beside it: both are
 * in the terminal's foreground process group. Fields of /proc/PID/stat: proc_pid_stat(5).
 */
export function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  // the second field is a name in parentheses, with blanks perhaps
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}
