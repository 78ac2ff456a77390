import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { ETOOMANYREFS } from './errno.js';

const names = new Map<number, string>([[ETOOMANYREFS, 'ETOOMANYREFS']]);
for (const [name, number] of Object.entries(constants.errno)) {
  // EWOULDBLOCK and EDEADLOCK come after the usual names of the same numbers
  if (!names.has(number)) names.set(number, name);
}

/** `ENOENT` for -2 or 2. */
export function errnoName(number: number): string {
  return names.get(Math.abs(number)) ?? `errno ${Math.abs(number)}`;
}

/** `no such file or directory` for -2 or 2. */
export function errnoText(number: number): string {
  const [, text = 'unknown error'] = getSystemErrorMap().get(-Math.abs(number)) ?? [];
  return text;
}

/** For a person: `no such file or directory (ENOENT)` for -2 or 2. */
export function describeErrno(number: number): string {
  return `${errnoText(number)} (${errnoName(number)})`;
}
