import { parseArgs } from 'node:util';
import { usageError } from '../startup/start-errors.js';

/** An option of a command line. */
export interface Option {
  readonly short?: string;
  /** The value's name in the help text, which also says what completes it (DIR, PATH, USER, ...); none for a switch. */
  readonly value?: string;
  /** All values there are, where they can be listed. */
  readonly choices?: readonly string[];
  /** Whether every one that is given counts, not only the last. */
  readonly repeatable?: true;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** What was given on a command line. */
export interface Arguments<Name extends string> {
  /** In the order in which they were given; `true` for a switch. */
  readonly given: readonly { readonly name: Name; readonly value: string | true }[];
  readonly operands: readonly string[];
  /** What follows `--`; undefined without it. */
  readonly rest: readonly string[] | undefined;
}

function describe(token: string, option: Option | undefined): string {
  if (option === undefined) return `unknown option ${token}`;
  return option.value === undefined ? `${token} takes no value` : `${token} needs a value: ${option.value}`;
}

/** Splits a command line by its table of options. Throws a usage error. */
export function parseArguments<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
  program?: string,
): Arguments<keyof Table & string> {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(table).map(([name, { short, value }]) => [
        name,
        { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
      ]),
    ),
  });
  const given: { name: keyof Table & string; value: string | true }[] = [];
  const operands: string[] = [];
  let rest: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') rest = [];
    else if (token.kind === 'positional') (rest ?? operands).push(token.value);
    else {
      const known = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
      if (
        known === undefined ||
        (known.value === undefined) !== (token.value === undefined) ||
        token.value === ''
      ) {
        throw usageError(describe(token.rawName, known), program);
      }
      given.push({ name: token.name, value: token.value ?? true });
    }
  }
  return { given, operands, rest };
}
