import { type Option, type OptionTable } from './options.js';

/** What the program does besides serving: chosen by its first argument, which for serving begins with a dash. */
export interface Command {
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The text of its own help, before the options. */
  readonly notes: string;
  readonly options: OptionTable;
  /** What its operands are. */
  readonly operand: Pick<Option, 'value' | 'choices'>;
}

const help: Option = { short: 'h', help: 'print this text' };

/** Every command; `main.ts` knows what carries it out. */
export const commands = {
  status: {
    usage: '[--json | --openmetrics | --watch] SOCKET ...',
    summary: 'show what running helpers do',
    notes: `Asks helpers that were started with --control for what they serve, to whom, and for their counters.`,
    options: {
      json: { help: 'one JSON object on a line for each helper' },
      openmetrics: { help: 'the metrics of all these helpers, for Prometheus' },
      watch: { help: 'show them again every second, until one ends' },
      help,
    },
    operand: { value: 'SOCKET' },
  },
  completion: {
    usage: 'bash',
    summary: 'print what completes the command line in a shell',
    notes: `Prints a script that makes the shell complete options and their values:
  source <(virtfs-proxy-helper completion bash)`,
    options: { help },
    operand: { value: 'SHELL', choices: ['bash'] },
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

export function isCommand(word: string | undefined): word is CommandName {
  return word !== undefined && Object.hasOwn(commands, word);
}
