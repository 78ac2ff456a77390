import { usageError } from '../../startup/start-errors.js';
import { type Command, commands } from './commands.js';
import type { Option, OptionTable } from '../../cli/arguments.js';
import { options } from './options.js';

/** What completes the values that cannot be listed, by the name that the help text gives them: bash's `compgen`. */
const bashActions: Readonly<Record<string, string>> = {
  DIR: '-A directory',
  PATH: '-A file',
  FILE: '-A file',
  SOCKET: '-A file',
  USER: '-A user',
  GROUP: '-A group',
  COMMAND: '-A command',
};

/** The words of `compgen` for a value, or none when nothing is known of it. */
function bashAction({ value = '', choices }: Pick<Option, 'value' | 'choices'>): string {
  return choices === undefined ? (bashActions[value] ?? '') : `-W '${choices.join(' ')}'`;
}

/** All flags of a table. */
function flags(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, { short }]) =>
    short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
  );
}

/** One branch of a shell `case` for each option that has a value. */
function bashValues(table: OptionTable): string {
  return Object.entries(table)
    .filter(([, { value }]) => value !== undefined)
    .map(([name, option]) => {
      const { short } = option;
      const pattern = short === undefined ? `--${name}` : `--${name} | -${short}`;
      return `        ${pattern}) action="${bashAction(option)}" ;;`;
    })
    .join('\n');
}

/** What is known when the command is `name`: its options with values, its flags, its operands. */
function bashCase(name: string, { options: table, operand }: Pick<Command, 'options' | 'operand'>): string {
  return `    ${name})
      case $previous in
${bashValues(table)}
        *) valued= flags='${flags(table).join(' ')}' action="${bashAction(operand)}" ;;
      esac ;;`;
}

function bash(): string {
  const serving = { options, operand: { choices: Object.keys(commands) } };
  const cases = [...Object.entries(commands).map(([name, command]) => bashCase(name, command))];
  return `# completion of virtfs-proxy-helper in bash
_virtfs_proxy_helper() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local valued=yes flags= action=
  # bash takes the = between an option and its value for a word
  [ "$word" != = ] || word=
  [ "$previous" != = ] || previous=\${COMP_WORDS[COMP_CWORD - 2]}
  case $([ "$COMP_CWORD" = 1 ] || echo "\${COMP_WORDS[1]}") in
${cases.join('\n')}
${bashCase('*', serving)}
  esac
  compopt -o filenames 2>/dev/null
  if [ -z "$valued" ] && [[ $word == -* ]]; then
    action="-W '$flags'"
  fi
  mapfile -t COMPREPLY < <([ -z "$action" ] || eval "compgen $action -- \\"\\$word\\"")
}
complete -F _virtfs_proxy_helper virtfs-proxy-helper
`;
}

/** What completes the values that cannot be listed, by the name that the help text gives them: zsh's functions. */
const zshActions: Readonly<Record<string, string>> = {
  DIR: '_files -/',
  PATH: '_files',
  FILE: '_files',
  SOCKET: '_files',
  USER: '_users',
  GROUP: '_groups',
};

function zshAction({ value = '', choices }: Pick<Option, 'value' | 'choices'>): string {
  return choices === undefined ? (zshActions[value] ?? ' ') : `(${choices.join(' ')})`;
}

/** The words of `_arguments` for a table. Every option may be given again. */
function zshSpecifications(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => {
    const { short, value, help } = option;
    const text = help.replaceAll(/[[\]]/g, '\\$&').replaceAll("'", "'\\''");
    const argument = value === undefined ? '' : `:${value}:${zshAction(option)}`;
    const long = `'*--${name}${value === undefined ? '' : '='}[${text}]${argument}'`;
    if (short === undefined) return [long];
    return [long, `'*-${short}${value === undefined ? '' : '+'}[${text}]${argument}'`];
  });
}

function zshCase(name: string, { options: table, operand }: Pick<Command, 'options' | 'operand'>): string {
  const words = operand.value === 'COMMAND' ? '_normal' : zshAction(operand);
  const rest = operand.value === 'COMMAND' ? '*:::command:_normal' : `*:${operand.value ?? ''}:${words}`;
  return `    ${name})
      shift words
      (( CURRENT-- ))
      _arguments -s -S ${zshSpecifications(table).join(' \\\n        ')} '${rest}'
      ;;`;
}

function zsh(): string {
  return `#compdef virtfs-proxy-helper
# completion of virtfs-proxy-helper in zsh
_virtfs_proxy_helper() {
  case $words[2] in
${Object.entries(commands)
  .map(([name, command]) => zshCase(name, command))
  .join('\n')}
    *)
      _arguments -s ${zshSpecifications(options).join(' \\\n        ')} '1:command:(${Object.keys(commands).join(' ')})'
      ;;
  esac
}
# a file of $fpath is itself the function, and this is its first call; sourced, it only defines
if [[ $funcstack[1] == _virtfs-proxy-helper ]]; then
  _virtfs_proxy_helper "$@"
else
  compdef _virtfs_proxy_helper virtfs-proxy-helper
fi
`;
}

/** What completes the values that cannot be listed, by the name that the help text gives them: options of `complete`. */
const fishActions: Readonly<Record<string, string>> = {
  DIR: "-x -a '(__fish_complete_directories)'",
  PATH: '-r -F',
  FILE: '-r -F',
  SOCKET: '-r -F',
  USER: "-x -a '(__fish_complete_users)'",
  GROUP: "-x -a '(__fish_complete_groups)'",
};

function fishAction({ value = '', choices }: Pick<Option, 'value' | 'choices'>): string {
  return choices === undefined ? (fishActions[value] ?? '-x') : `-x -a '${choices.join(' ')}'`;
}

/** A text between single quotes of fish. */
function fishQuoted(words: string): string {
  return `'${words.replaceAll(/[\\']/g, '\\$&')}'`;
}

/** A `complete` for each option of a table, where the condition holds. */
function fishOptions(condition: string, table: OptionTable): string {
  return Object.entries(table)
    .map(([name, option]) => {
      const { short, value, help } = option;
      const flags = `${short === undefined ? '' : `-s ${short} `}-l ${name}`;
      const argument = value === undefined ? '' : ` ${fishAction(option)}`;
      return `complete -c virtfs-proxy-helper -n '${condition}' ${flags}${argument} -d ${fishQuoted(help)}`;
    })
    .join('\n');
}

function fishCommand(name: string, { summary, options: table, operand }: Command): string {
  const inCommand = `__virtfs_proxy_helper_in ${name}`;
  const words =
    operand.value === 'COMMAND' ? "-x -a '(__virtfs_proxy_helper_command_line)'" : fishAction(operand);
  return `complete -c virtfs-proxy-helper -n '__virtfs_proxy_helper_in' -a ${name} -d ${fishQuoted(summary)}
complete -c virtfs-proxy-helper -n '${inCommand}' ${words}
${fishOptions(inCommand, table)}`;
}

function fish(): string {
  return `# completion of virtfs-proxy-helper in fish
# whether the first word is this one; without an argument: whether none has been typed
function __virtfs_proxy_helper_in
  set -l words (commandline -opc)
  test "$words[2]" = "$argv[1]"
end
function __virtfs_proxy_helper_serves
  set -l words (commandline -opc)
  not contains -- "$words[2]" ${Object.keys(commands).join(' ')}
end
# what fish offers for the command line behind --
function __virtfs_proxy_helper_command_line
  set -l words (commandline -opc)
  set -l place (contains -i -- -- $words); or return
  set -e words[1..$place]
  complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end
complete -c virtfs-proxy-helper -f
${Object.entries(commands)
  .map(([name, command]) => fishCommand(name, command))
  .join('\n')}
${fishOptions('__virtfs_proxy_helper_serves', options)}
`;
}

const scripts: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/** The script that makes a shell complete the command line. Throws a usage error. */
export function completionScript(shell: string | undefined): string {
  const script = shell !== undefined && Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script !== undefined) return script();
  throw usageError(
    `${shell ?? 'no shell'}: must be ${Object.keys(scripts).join(' or ')}`,
    'virtfs-proxy-helper completion',
  );
}
