import { readFileSync } from 'node:fs';
import { hasLostBytes, textOfBytes } from './path-bytes.js';

/** What Node was given behind its own name, as text that loses no byte: proc_pid_cmdline(5). */
export function argumentsOfNode(): string[] {
  const words = textOfBytes(readFileSync('/proc/self/cmdline')).split('\0');
  return words.slice(1, -1);
}

/** Our own arguments, in which paths may be any bytes: see `textOfBytes`. */
export function commandLine(): readonly string[] {
  const words = process.argv.slice(2);
  // the few bytes that Node loses are worth reading them again, nothing else is
  return words.some(hasLostBytes) ? argumentsOfNode().slice(-words.length) : words;
}
