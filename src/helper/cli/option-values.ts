import { usageError } from '../../startup/start-errors.js';
import type { OptionName, OptionValues } from './options.js';

/** The value of an option that is given once. */
export function text(values: OptionValues, name: OptionName): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

/** Throws a usage error that names the choices. */
export function oneOf<Choice extends string>(
  name: OptionName,
  value: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw usageError(`--${name} ${value}: must be one of ${choices.join(', ')}`);
  return choice;
}
