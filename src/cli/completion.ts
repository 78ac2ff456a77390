import { type Command, commands } from './commands.js';
import { type Option, options, type OptionTable, usageError } from './options.js';

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

/** The script that makes a shell complete the command line. Throws a usage error. */
export function completionScript(shell: string | undefined): string {
  if (shell === 'bash') return bash();
  throw usageError(`${shell ?? 'no shell'}: must be bash`, 'virtfs-proxy-helper completion');
}
