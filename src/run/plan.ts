import { usageError } from '../startup/start-errors.js';
import { type Configuration, configure } from '../helper/cli/configuration.js';
import { commands } from '../helper/cli/commands.js';
import type { Arguments, Option } from '../cli/arguments.js';
import { parseOptions } from '../helper/cli/options.js';
import { isUtf8 } from '../cli/path-bytes.js';
import { checkKeptVariables } from './environment.js';

/** One directory to be shared, and the options of its helper. */
export interface PlannedShare {
  readonly path: string;
  /** As words of a command line, the path among them. */
  readonly options: readonly string[];
}

/** What a command line of `run` asks for, complete and valid in itself. */
export interface RunPlan {
  readonly shares: readonly PlannedShare[];
  /** A name or an id as text; undefined for the caller. */
  readonly runAs: string | undefined;
  /** Variables that the user's command gets from the caller's environment. */
  readonly keptVariables: readonly string[];
  /** With the numbers of the descriptors in it. */
  readonly command: readonly [string, ...string[]];
}

export type Given = Arguments<string>['given'];

/** Descriptors of the command from here on, one for each share in their order. */
export const FIRST_DESCRIPTOR = 3;

/** Options that are about the command, not about a share. */
const ofRun = ['run-as', 'keep-env'];

const PROGRAM = 'virtfs-proxy-helper run';
const wrong = (message: string): Error => usageError(message, PROGRAM);

/** Reads a command line. Throws a usage error. */
export function planRun({ given, operands, rest = [] }: Arguments<string>): RunPlan {
  const [unexpected] = operands;
  if (unexpected !== undefined) throw wrong(`unexpected argument ${unexpected}: the command comes after --`);
  const [runAs, another] = new Set(valuesOf(given, 'run-as'));
  if (another !== undefined) throw wrong(`--run-as is given twice: ${runAs} and ${another}`);
  const keptVariables = valuesOf(given, 'keep-env');
  if (runAs === undefined && keptVariables.length > 0) {
    throw wrong('--keep-env is for --run-as: without it the command gets the whole environment');
  }
  checkKeptVariables(keptVariables);
  const shares = planShares(given.filter(({ name }) => !ofRun.includes(name)));
  const notText = rest.find((word) => !isUtf8(word));
  if (notText !== undefined)
    throw wrong(`${notText}: is not UTF-8, so cannot be passed on; put it into a script`);
  const [program, ...argv] = withDescriptors(rest, shares);
  if (program === undefined) throw wrong('the command is missing: give it after --');
  return { shares, command: [program, ...argv], runAs, keptVariables };
}

function valuesOf(given: Given, option: string): string[] {
  return given.flatMap(({ name, value }) => (name === option && value !== true ? [value] : []));
}

/** Every --path begins a share; what is in front of the first holds for all. */
function planShares(given: Given): PlannedShare[] {
  const starts = given.flatMap(({ name }, index) => (name === 'path' ? [index] : []));
  if (starts.length === 0) throw wrong('--path is required');
  const common = given.slice(0, starts[0]);
  return starts.map((start, index) => {
    const own = given.slice(start, starts[index + 1]);
    const replaced = common.filter(
      ({ name }) => !isRepeatable(name) && own.some((other) => other.name === name),
    );
    const { path, options } = planHelper(
      [...common.filter((option) => !replaced.includes(option)), ...own],
      PROGRAM,
    );
    return { path, options };
  });
}

function isRepeatable(name: string): boolean {
  const { repeatable }: Option = commands.run.options[name as keyof typeof commands.run.options];
  return repeatable === true;
}

/** The helper of a share. Throws a usage error, which names the program whose help tells more. */
export function planHelper(
  given: Given,
  program: string,
): PlannedShare & { readonly configuration: Configuration } {
  const notText = given.find(({ value }) => value !== true && !isUtf8(value));
  if (notText !== undefined) {
    throw usageError(
      `--${notText.name} ${notText.value}: is not UTF-8; change to its directory and give --path .`,
      program,
    );
  }
  const options = given.map(({ name, value }) => (value === true ? `--${name}` : `--${name}=${value}`));
  // only to be refused here, in one line, rather than by the helper
  const configuration = configure(parseOptions([...options, '--nodaemon', `--fd=${FIRST_DESCRIPTOR}`]));
  return { path: configuration.exportPath, options, configuration };
}

/** Puts the numbers of the descriptors where the command names them; each has to be named. */
function withDescriptors(command: readonly string[], shares: readonly PlannedShare[]): string[] {
  const named = new Set<number>();
  const words = command.map((word) =>
    word.replace(/\{fd(\d{0,3})\}/g, (placeholder, digits: string) => {
      const index = digits === '' ? 0 : Number(digits) - 1;
      if (shares[index] === undefined) {
        throw wrong(`${placeholder}: there is no such share, only ${shares.length}`);
      }
      named.add(index);
      return String(FIRST_DESCRIPTOR + index);
    }),
  );
  shares.forEach(({ path }, index) => {
    if (command.length === 0 || named.has(index)) return;
    throw wrong(`${path} is shared with nobody: the command does not name its descriptor, ${nameOf(index)}`);
  });
  return words;
}

function nameOf(index: number): string {
  return index === 0 ? '{fd}' : `{fd${index + 1}}`;
}
