import { endDebugger } from '../startup/no-debugger.js';
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Commands from './helper-commands.js';
import { commandLine } from '../cli/command-line.js';
import { type CommandName, commands, isCommand } from '../helper/cli/commands.js';
import { configure, seccompMode } from '../helper/cli/configuration.js';
import { modelSettings } from '../helper/cli/security-model.js';
import { commandHelp, helpText } from '../helper/cli/help.js';
import { type Arguments, parseArguments } from '../cli/arguments.js';
import { parseOptions } from '../helper/cli/options.js';
import { print } from '../cli/output.js';
import { describePrivileges } from '../helper/confinement/description.js';
import { isStartError, lineOf, StartError } from '../startup/start-errors.js';
import { passedSockets } from '../service/activation.js';

/** The starting program, which `main.cjs` loads: reads the command line, prepares, and becomes `serve.ts`; or carries out another command. */

const loadBeside = createRequire(import.meta.url);

/** The installed programs lie side by side; the command's name is a link to this one. */
const here = dirname(realpathSync(process.argv[1] ?? ''));

type Given = Arguments<string>;

/** What carries out each command and tells the exit status. */
const programs: Readonly<
  Record<CommandName, (given: Given, others: typeof Commands) => number | Promise<number>>
> = {
  run: (given, { run }) => run(given, join(here, 'main.js')),
  share: (given, { share }) => share(given, here),
  server: (given, { server }) => server(given, here),
  status: (given, { showStatus }) => showStatus(given),
  completion: ({ operands }, { completionScript }) => {
    print(completionScript(operands[0]));
    return 0;
  },
};

async function carryOut(name: CommandName, argv: readonly string[]): Promise<void> {
  const given: Given = parseArguments(commands[name].options, argv, `virtfs-proxy-helper ${name}`);
  if (given.given.some((option) => option.name === 'help')) print(commandHelp(name));
  else process.exitCode = await programs[name](given, loadBeside('./commands.js') as typeof Commands);
}

function version(): string {
  const manifest = readFileSync(join(here, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function serve(argv: readonly string[]): Promise<void> {
  const values = parseOptions(argv);
  if (values.help === true) {
    print(helpText());
  } else if (values.version === true) {
    print(`virtfs-proxy-helper ${version()}\n`);
  } else if (values['print-privileges'] === true) {
    print(describePrivileges(seccompMode(values), modelSettings(values).fileCapabilities));
  } else {
    const configuration = configure(values, passedSockets(process.env, process.pid));
    // loads libc, which the help text must not need
    const { launch } = await import('../helper/launch/launch.js');
    await launch(configuration, here);
  }
}

async function main(argv: readonly string[]): Promise<void> {
  endDebugger();
  const [word, ...rest] = argv;
  await (isCommand(word) ? carryOut(word, rest) : serve(argv));
}

/** Something of the system's that is not as everywhere else, such as a /proc that is not mounted: no bug of ours. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Through libc, so that a stderr that nobody reads is not waited for; without, where libc is what did not load. */
async function explain(message: string): Promise<void> {
  const journal = await import('../startup/journal.js').catch(() => undefined);
  if (journal === undefined) process.stderr.write(`virtfs-proxy-helper: ${message}\n`);
  else journal.complain('error', message);
}

main(commandLine()).catch(async (error: unknown) => {
  const failure = isSystemError(error) ? new StartError('system-incomplete', error.message) : error;
  if (!isStartError(failure)) throw error;
  await explain(lineOf(failure));
  process.exitCode = failure.status;
});
